//! What the tables of belief say of themselves, and their numbers as text.

use super::COARSE;
use super::arm::{ArmTests, MethodTest, TestPictures};
use super::plan::TELLING;
use super::scores::{Score, ScoreDifference, Verdict};
use crate::figures::{rounded, signed};

/// What each row and column is.
pub fn columns(scores: &[&Score]) -> Vec<String> {
    let random = "random: maps that know nothing, as coarse or as fine as the method's. A method \
                  that is not better than its arm's random row says little.";
    let networks = [
        "new weights: rank correlation with maps of the same network with all weights drawn anew \
         (Adebayo et al. 2018). Near 1, the map shows the picture and not what was learned.",
        "seeds agree: rank correlation between the maps of two of the arm's seeds, mean over all \
         pairs. Near 0, the map is one training's luck.",
    ];
    let mut words = vec![random.to_owned()];
    words.extend(scores.iter().map(|score| format!("{}: {}.", score.name, score.about)));
    words.extend(networks.map(str::to_owned));
    words
}

/// Under the table of scores.
pub fn numbers(arms: &[ArmTests], seen: &TestPictures, masked: usize) -> String {
    let mut text = format!(
        "Maps of each arm's first seed for the true class, on {} test pictures taken evenly from \
         the test part; on fewer of them where a method's maps cost more than their tests (the \
         column of pictures says how many). Looked at: the last block whose maps have at least \
         {COARSE} × {COARSE} places ({}); cam at the last block of all, the methods that look at \
         the picture itself at its pixels; maps are enlarged bilinearly. An arrow says which way \
         is better. Seeds: {}. Not asked (–): new weights and seeds of methods that cost more than \
         a hundred passes a map.",
        seen.indices.len(),
        taps(arms),
        pairs(arms)
    );
    if masked > 0 {
        let whose = if seen.known.is_own() { "the masks given" } else { "the drawings' masks" };
        text += &format!(" The evidence is known of {masked} of the pictures, by {whose}.");
    }
    for of_arm in arms {
        for (method, reason) in &of_arm.left_out {
            text += &format!(" Left out: {method} of {}: {reason}.", of_arm.arm);
        }
    }
    text
}

/// Under the table of differences.
pub fn differences(scores: usize) -> String {
    format!(
        "Each score less that of random maps on the same pictures, with its 95 % interval \
         (bootstrap over the pictures, 10,000 resamples; another network might differ more). ✓: \
         better than random, ✗: worse; without a mark zero lies in the interval, or it has fewer \
         than {TELLING} pictures and shows nothing. Of {scores} scores of many methods one in \
         forty gets a ✓ by chance alone."
    )
}

/// Who is better than maps that know nothing, in sentences; one an arm.
pub fn verdicts(arms: &[ArmTests], scores: &[&Score]) -> Vec<String> {
    let one = |of_arm: &ArmTests| {
        let named = |fits: &dyn Fn(&[Verdict]) -> bool| {
            let fitting = of_arm.methods.iter().filter(|tested| {
                let shown = super::shown(of_arm, tested, scores);
                !too_few(&shown) && fits(&shown)
            });
            let name = |tested: &MethodTest| match tested.places.len() {
                n if n == of_arm.random_of(tested).places.len() => tested.method.clone(),
                n => format!("{} (on {n} pictures)", tested.method),
            };
            let names: Vec<String> = fitting.map(name).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let better =
            |shown: &[Verdict]| shown.iter().filter(|one| **one == Verdict::Better).count();
        format!(
            "{}: shown to be better than maps that know nothing in every score asked: {}; in none: \
             {}.",
            of_arm.arm,
            named(&|shown| better(shown) == shown.len()),
            named(&|shown| better(shown) == 0)
        )
    };
    arms.iter().map(one).collect()
}

/// One method's verdict: in how many scores it is better.
pub fn verdict(shown: &[Verdict]) -> String {
    if too_few(shown) {
        return "too few pictures".to_owned();
    }
    let (all, better) = (shown.len(), shown.iter().filter(|one| **one == Verdict::Better).count());
    match better {
        0 => format!("✗ not shown, 0 of {all}"),
        n if n == all => format!("✓ in all {all}"),
        n => format!("in {n} of {all}"),
    }
}

fn too_few(shown: &[Verdict]) -> bool {
    shown.iter().all(|one| *one == Verdict::TooFew)
}

/// Where the maps were taken; whose, if not all at the same place.
fn taps(arms: &[ArmTests]) -> String {
    let pairs: Vec<(&str, &str)> = arms.iter().map(|arm| (&*arm.tap, &*arm.arm)).collect();
    grouped(&pairs)
}

/// How many pairs of seeds agree or not; whose, if not all have as many.
fn pairs(arms: &[ArmTests]) -> String {
    let words = |arm: &ArmTests| match arm.seeds {
        1 => "one only, which has none to agree with".to_owned(),
        2 => "1 pair".to_owned(),
        n => format!("{} pairs of {n}", n * (n - 1) / 2),
    };
    let all: Vec<(String, &str)> = arms.iter().map(|arm| (words(arm), &*arm.arm)).collect();
    grouped(&all.iter().map(|(words, arm)| (&**words, *arm)).collect::<Vec<_>>())
}

/// `a`; where not all are one, `a of avg, max; b of s3`.
fn grouped(all: &[(&str, &str)]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (what, of) in all {
        match groups.iter_mut().find(|(known, _)| known == what) {
            Some((_, group)) => group.push(of),
            None => groups.push((what, vec![of])),
        }
    }
    match &*groups {
        [(what, _)] => (*what).to_owned(),
        _ => {
            let of = |(what, of): &(&str, Vec<&str>)| format!("{what} of {}", of.join(", "));
            groups.iter().map(of).collect::<Vec<_>>().join("; ")
        }
    }
}

/// A score as the table has it.
pub fn value(score: &Score, value: f64) -> String {
    if score.percent { rounded(100.0 * value, 0) } else { rounded(value, 3) }
}

/// A difference with its interval and its mark.
pub fn difference(score: &Score, difference: &ScoreDifference) -> String {
    let (factor, digits) = if score.percent { (100.0, 0) } else { (1.0, 3) };
    let signed = |value: f64| signed(value * factor, digits);
    format!(
        "{}{} ({} to {})",
        Verdict::of(score, difference).mark(),
        signed(difference.mean),
        signed(difference.interval.low),
        signed(difference.interval.high)
    )
}

#[cfg(test)]
mod tests {
    use super::super::scores::SCORES;
    use super::*;
    use crate::stats::Interval;

    #[test]
    fn arms_are_named_where_they_differ() {
        assert_eq!(grouped(&[("a", "avg"), ("a", "max")]), "a");
        let three = [("a", "avg"), ("a", "max"), ("b", "s3")];
        assert_eq!(grouped(&three), "a of avg, max; b of s3");
    }

    #[test]
    fn methods_that_do_not_beat_random_are_marked_by_a_sign_and_a_word() {
        use Verdict::{Better, Neither, TooFew, Worse};
        assert_eq!(verdict(&[Better, Better]), "✓ in all 2");
        assert_eq!(verdict(&[Better, Worse, TooFew]), "in 1 of 3");
        assert_eq!(verdict(&[Neither, Worse]), "✗ not shown, 0 of 2");
        assert_eq!(verdict(&[TooFew, TooFew]), "too few pictures");
    }

    #[test]
    fn differences_have_signs_and_intervals() {
        let interval = Interval { low: -0.25, high: 0.0001 };
        let it = ScoreDifference { mean: -0.1, interval, n: 64 };
        assert_eq!(difference(&SCORES[0], &it), "−0.100 (−0.250 to 0.000)");
        let it = ScoreDifference { mean: 0.1, interval: Interval { low: 0.04, high: 0.2 }, n: 64 };
        assert_eq!(difference(&SCORES[4], &it), "✓ +10 (+4 to +20)");
        assert_eq!(difference(&SCORES[3], &it), "✗ +10 (+4 to +20)");
    }
}
