//! The pictures that tell most: which one arm gets right and another wrong, the most confident
//! errors, and those that every run takes for another class (perhaps a wrong label). By rule: the
//! largest gap of probability first.

use anyhow::Result;
use catscan_data::Dataset;
use catscan_train::metrics::predicted;
use catscan_viz::report::{Block, Packed, Section, Thumb};
use catscan_viz::thumbnail;

use super::pick::by_name;
use super::scans::input;
use super::section;
use crate::study::{Run, Runs, Study};

/// Pictures in one gallery.
const PICTURES: usize = 8;
/// Arms that are set against the first one.
const OTHERS: usize = 3;
/// Mean probability of its label below which a picture's label is doubted.
const DOUBTED: f64 = 0.15;

/// What one arm's runs said of one picture.
#[derive(Clone, Copy)]
struct Verdict {
    /// Runs that were right, and all of them.
    right: usize,
    runs: usize,
    /// Mean probability of the true class.
    probability: f64,
}

/// The galleries; a kind without pictures says so.
pub fn gallery(study: &Study, runs: &Runs, dataset: &Dataset) -> Result<Section> {
    let verdicts: Vec<Vec<Verdict>> =
        study.arms.iter().map(|arm| verdicts(&runs.of(&arm.arm).collect::<Vec<_>>())).collect();
    let name = |arm: usize| study.arms[arm].arm.as_str();
    let draw = Draw { study, pictures: &runs[0].test.pictures, dataset };
    let names: Vec<&str> = study.arms.iter().map(|arm| arm.arm.as_str()).collect();
    let mut blocks: Vec<Block> = compared(&names).map(Block::Paragraph).into_iter().collect();
    for other in 1..study.arms.len().min(1 + OTHERS) {
        for (a, b) in [(0, other), (other, 0)] {
            let (all, picked) = only(&verdicts[a], &verdicts[b]);
            let caption = format!(
                "Right in every run of {}, wrong in every run of {}: {all} of {} test pictures{}.",
                name(a),
                name(b),
                verdicts[a].len(),
                first_of(all),
            );
            let says = |place: usize| {
                let p = |arm: usize| 100.0 * verdicts[arm][place].probability;
                vec![format!("{} {:.0} %, {} {:.0} %", name(a), p(a), name(b), p(b))]
            };
            blocks.push(draw.gallery(caption, &picked, says)?);
        }
    }
    for (arm, of_arm) in verdicts.iter().enumerate() {
        let (all, picked) = most_confident_errors(of_arm);
        let caption = format!(
            "The most confident errors of {}: of {all} pictures that most of its runs get wrong, \
             those whose true class has the least probability.",
            name(arm)
        );
        let says =
            |place: usize| vec![format!("true class {:.1} %", 100.0 * of_arm[place].probability)];
        blocks.push(draw.gallery(caption, &picked, says)?);
    }
    let (all, picked) = doubted(&verdicts);
    let caption = format!(
        "Perhaps labelled wrongly, or very hard: {all} pictures that every run of every arm takes \
         for another class, with confidence{}. Look at them before trusting the last points of \
         accuracy.",
        first_of(all)
    );
    let says = |place: usize| {
        let mean = verdicts.iter().map(|of_arm| of_arm[place].probability).sum::<f64>();
        vec![format!("its label {:.1} %", 100.0 * mean / verdicts.len() as f64)]
    };
    blocks.push(draw.gallery(caption, &picked, says)?);
    Ok(section("gallery", "Pictures that tell the arms apart", blocks))
}

/// Which arms are set against each other, and which are not; nothing where there is one arm.
fn compared(arms: &[&str]) -> Option<String> {
    let [first, others @ ..] = arms else { return None };
    let left_out = others.get(OTHERS..).unwrap_or_default();
    let against = match others.len() {
        0 => return None,
        1 => String::new(),
        _ => ", not against each other".to_owned(),
    };
    let left_out = match left_out {
        [] => String::new(),
        some => format!(
            " For want of room the first {OTHERS} after it are; left out of the pairs, though not \
             of the errors below: {}.",
            some.join(", ")
        ),
    };
    Some(format!("Arms are set against the first one, {first}{against}.{left_out}"))
}

/// Names those pictures of a gallery that the data no longer holds.
fn missing(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        some => format!(
            " Not shown, because the data holds no test picture of that name: {}.",
            some.join(", ")
        ),
    }
}

fn first_of(all: usize) -> String {
    if all > PICTURES { format!("; here the {PICTURES} clearest") } else { String::new() }
}

fn verdicts(runs: &[&Run]) -> Vec<Verdict> {
    let of_picture = |place: usize| {
        let mut verdict = Verdict { right: 0, runs: runs.len(), probability: 0.0 };
        for picture in runs.iter().map(|run| &run.test.pictures[place]) {
            verdict.right += usize::from(predicted(&picture.probabilities) == picture.label);
            let p = f64::from(picture.probabilities[picture.label as usize]);
            verdict.probability += p / runs.len() as f64;
        }
        verdict
    };
    (0..runs[0].test.pictures.len()).map(of_picture).collect()
}

/// Those that all runs of the one arm get right and all of the other wrong: how many, and the ones
/// with the widest gap.
fn only(right: &[Verdict], wrong: &[Verdict]) -> (usize, Vec<usize>) {
    let fitting =
        |place: &usize| right[*place].right == right[*place].runs && wrong[*place].right == 0;
    let gap = |place: usize| wrong[place].probability - right[place].probability;
    first((0..right.len()).filter(fitting).collect(), gap)
}

fn most_confident_errors(verdicts: &[Verdict]) -> (usize, Vec<usize>) {
    let fitting = |place: &usize| 2 * verdicts[*place].right < verdicts[*place].runs;
    first((0..verdicts.len()).filter(fitting).collect(), |place| verdicts[place].probability)
}

fn doubted(arms: &[Vec<Verdict>]) -> (usize, Vec<usize>) {
    let mean = |place: usize| {
        arms.iter().map(|of_arm| of_arm[place].probability).sum::<f64>() / arms.len() as f64
    };
    let fitting = |place: &usize| {
        arms.iter().all(|of_arm| of_arm[*place].right == 0) && mean(*place) < DOUBTED
    };
    first((0..arms[0].len()).filter(fitting).collect(), mean)
}

/// How many there are, and the first ones by `key`, ties in the split's order.
fn first(mut places: Vec<usize>, key: impl Fn(usize) -> f64) -> (usize, Vec<usize>) {
    places.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    let all = places.len();
    places.truncate(PICTURES);
    (all, places)
}

/// What galleries are drawn from.
struct Draw<'a> {
    study: &'a Study,
    pictures: &'a [catscan_train::TestPicture],
    dataset: &'a Dataset,
}

impl Draw<'_> {
    /// The pictures at `places`; words only where there are none.
    fn gallery(
        &self,
        caption: String,
        places: &[usize],
        says: impl Fn(usize) -> Vec<String>,
    ) -> Result<Block> {
        if places.is_empty() {
            return Ok(Block::Paragraph(caption));
        }
        let names = by_name(self.dataset);
        let (mut pictures, mut gone) = (Vec::new(), Vec::new());
        for &place in places {
            let picture = &self.pictures[place];
            let Some(index) = names.get(&*picture.name) else {
                gone.push(&*picture.name);
                continue;
            };
            let shown = input(self.dataset, *index)?;
            let mut lines =
                vec![format!("is {}", self.study.split.classes[picture.label as usize])];
            lines.extend(says(place));
            lines.push(picture.name.clone());
            pictures.push(Thumb { picture: Packed::jpeg(&thumbnail(&shown))?, lines });
        }
        let caption = caption + &missing(&gone);
        Ok(match pictures.is_empty() {
            true => Block::Paragraph(caption),
            false => Block::Gallery { caption, pictures },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(right: usize, probability: f64) -> Verdict {
        Verdict { right, runs: 2, probability }
    }

    #[test]
    fn the_widest_gap_comes_first_and_only_whole_agreement_counts() {
        let a = [verdict(2, 0.6), verdict(2, 0.9), verdict(1, 0.9), verdict(2, 0.8)];
        let b = [verdict(0, 0.4), verdict(0, 0.1), verdict(0, 0.1), verdict(1, 0.1)];
        assert_eq!(only(&a, &b), (2, vec![1, 0]));
        assert_eq!(only(&b, &a).0, 0);
    }

    #[test]
    fn what_is_left_out_is_said() {
        assert_eq!(compared(&["avg"]), None);
        assert_eq!(compared(&["avg", "max"]).unwrap(), "Arms are set against the first one, avg.");
        let words = compared(&["a", "b", "c", "d", "e", "f"]).unwrap();
        assert!(words.contains("not against each other"), "{words}");
        assert!(
            words.contains("the first 3 after it are") && words.ends_with(": e, f."),
            "{words}"
        );
        assert!(!compared(&["a", "b", "c", "d"]).unwrap().contains("left out"));
        assert_eq!(missing(&[]), "");
        assert!(missing(&["x.jpg", "y.jpg"]).ends_with("of that name: x.jpg, y.jpg."));
    }

    #[test]
    fn a_label_is_doubted_where_every_run_is_sure_of_another_class() {
        let a = vec![verdict(0, 0.02), verdict(0, 0.4), verdict(1, 0.05)];
        let b = vec![verdict(0, 0.04), verdict(0, 0.1), verdict(0, 0.01)];
        assert_eq!(doubted(&[a.clone(), b]), (1, vec![0]));
        assert_eq!(most_confident_errors(&a), (2, vec![0, 1]));
    }
}
