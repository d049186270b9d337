//! Leakage: one picture in several parts, so that what is trained on is tested on. Told by the
//! bytes of the pictures' files, whatever these are called; look-alikes are the audit's
//! ([`crate::audit`]).

use std::collections::HashMap;

use super::Split;
use crate::config::Part;
use crate::dataset::Sample;

/// One picture by its bytes, in two or three parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// All places where it is, by part and then by index.
    pub places: Vec<(Part, u32)>,
}

impl Split {
    /// Pictures that lie in more than one part, in the order of their first place. `digest` tells
    /// what a sample is.
    pub fn leaks<'a>(&self, digest: impl Fn(u32) -> &'a str) -> Vec<Leak> {
        let mut places: HashMap<&str, Vec<(Part, u32)>> = HashMap::new();
        for part in Part::ALL {
            for &i in self.part(part) {
                places.entry(digest(i)).or_default().push((part, i));
            }
        }
        let across =
            |places: &Vec<(Part, u32)>| places.iter().any(|(part, _)| *part != places[0].0);
        let mut leaks: Vec<Leak> =
            places.into_values().filter(across).map(|places| Leak { places }).collect();
        leaks.sort_by_key(|leak| leak.places[0].1);
        leaks
    }
}

/// The leaks in a sentence, the first by name; `None` where there is none.
pub(crate) fn in_words(leaks: &[Leak], samples: &[Sample]) -> Option<String> {
    let first = leaks.first()?;
    let name = |(part, i): &(Part, u32)| format!("{} ({})", samples[*i as usize].name, part.name());
    let here = first.places.first()?;
    let elsewhere = first.places.iter().find(|(part, _)| *part != here.0)?;
    let lie = match leaks.len() {
        1 => "1 picture lies".to_owned(),
        count => format!("{count} pictures lie"),
    };
    Some(format!(
        "Leakage: what is trained on is judged by, for {lie} in more than one part of the split, such \
         as {} = {}.",
        name(here),
        name(elsewhere)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_doubles_across_parts_leak() {
        let split =
            Split { train: vec![0, 1, 2, 6], val: vec![3, 4], test: vec![5], train_left_out: 1 };
        let digests = ["a", "b", "b", "c", "a", "a", "d", "c"];
        let leaks = split.leaks(|i| digests[i as usize]);
        // b is twice in train, c once in val and once in no part: neither leaks.
        let places = vec![(Part::Train, 0), (Part::Val, 4), (Part::Test, 5)];
        assert_eq!(leaks, [Leak { places }]);
        let sample = |i: u32| Sample { name: format!("{i}.jpg"), label: 0 };
        let samples: Vec<Sample> = (0..8).map(sample).collect();
        let text = in_words(&leaks, &samples).unwrap();
        assert!(
            text.contains("1 picture lies") && text.contains("0.jpg (train) = 4.jpg (val)"),
            "{text}"
        );
        assert_eq!(in_words(&[], &samples), None);
    }
}
