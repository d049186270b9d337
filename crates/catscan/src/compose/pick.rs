//! Which test pictures are shown: by a rule, so that nobody chose the pretty ones.
//!
//! For each of the first two classes, one picture that all arms got right and one that all got
//! wrong. Where no picture was wrong in all arms, one that some arm got wrong. Of several, the one
//! whose true class has the median probability (mean over arms), the first by name among equals.

use std::collections::HashMap;

use catscan_data::Dataset;
use catscan_train::metrics::predicted;

use super::FirstRun;

/// A test picture to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// Place in the runs' `test.json`, the same for all arms.
    pub place: usize,
    /// Index of the sample in the data set.
    pub index: u32,
    pub label: u32,
    pub name: String,
}

/// How many of the classes are shown.
const CLASSES: u32 = 2;

/// Right and wrong pictures of the first classes, right ones first. Fewer where there are none.
pub fn right_and_wrong(shown: &[FirstRun], dataset: &Dataset) -> Vec<Picked> {
    let pictures = &shown[0].run.test.pictures;
    let mut picked = Vec::new();
    for want_right in [true, false] {
        for label in 0..CLASSES.min(dataset.classes.len() as u32) {
            let of_class: Vec<usize> =
                (0..pictures.len()).filter(|&i| pictures[i].label == label).collect();
            let place = choose(&of_class, want_right, |place| verdicts(shown, place));
            picked.extend(place.and_then(|place| locate(place, shown, dataset)));
        }
    }
    picked
}

/// For each arm, whether it is right about the picture, and the probability of its true class.
fn verdicts(shown: &[FirstRun], place: usize) -> Vec<(bool, f32)> {
    let verdict = |shown: &FirstRun| {
        let picture = &shown.run.test.pictures[place];
        let right = predicted(&picture.probabilities) == picture.label;
        (right, picture.probabilities[picture.label as usize])
    };
    shown.iter().map(verdict).collect()
}

/// The median of those on which all arms agree; of those on which some arm errs, if need be.
fn choose(
    places: &[usize],
    want_right: bool,
    verdicts: impl Fn(usize) -> Vec<(bool, f32)>,
) -> Option<usize> {
    let all = |place: &usize| verdicts(*place).iter().all(|(right, _)| *right == want_right);
    let some = |place: &usize| verdicts(*place).iter().any(|(right, _)| *right == want_right);
    let mut fitting: Vec<usize> = places.iter().copied().filter(all).collect();
    if fitting.is_empty() {
        fitting = places.iter().copied().filter(some).collect();
    }
    let sureness = |place: usize| verdicts(place).iter().map(|(_, share)| *share).sum::<f32>();
    fitting.sort_by(|&a, &b| sureness(a).total_cmp(&sureness(b)));
    fitting.get(fitting.len() / 2).copied()
}

/// At most `count` of `all`, evenly from the first to the last.
pub fn evenly<T: Copy>(all: &[T], count: usize) -> Vec<T> {
    let count = count.min(all.len());
    (0..count).map(|i| all[i * all.len() / count]).collect()
}

/// Finds the picture in the data set by its name.
fn locate(place: usize, shown: &[FirstRun], dataset: &Dataset) -> Option<Picked> {
    let picture = &shown[0].run.test.pictures[place];
    let index = *by_name(dataset).get(&*picture.name)?;
    Some(Picked { place, index, label: picture.label, name: picture.name.clone() })
}

/// Test samples by name.
pub fn by_name(dataset: &Dataset) -> HashMap<&str, u32> {
    let name = |index: &u32| (&*dataset.samples[*index as usize].name, *index);
    dataset.split.test.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two arms' verdicts on five pictures: three right in both, one in one, none wrong in both.
    fn verdicts(place: usize) -> Vec<(bool, f32)> {
        let first = [(true, 0.9), (true, 0.6), (true, 0.7), (false, 0.4), (true, 0.8)];
        let second = [(true, 0.9), (true, 0.6), (true, 0.8), (true, 0.6), (false, 0.1)];
        vec![first[place], second[place]]
    }

    #[test]
    fn the_median_of_those_right_in_all_arms_is_shown() {
        assert_eq!(choose(&[0, 1, 2, 3, 4], true, verdicts), Some(2));
    }

    #[test]
    fn some_are_taken_evenly_and_as_many_as_were_asked_for() {
        let all: Vec<u32> = (0..10).collect();
        assert_eq!(evenly(&all, 4), [0, 2, 5, 7]);
        assert_eq!(evenly(&all, 99), all);
        assert_eq!(evenly(&all, 0), [0; 0]);
        assert_eq!(evenly::<u32>(&[], 4), [0; 0]);
    }

    #[test]
    fn an_error_of_one_arm_will_do_where_none_is_shared() {
        assert_eq!(choose(&[0, 1, 2, 3, 4], false, verdicts), Some(3));
        assert_eq!(choose(&[0, 1, 2], false, verdicts), None);
    }
}
