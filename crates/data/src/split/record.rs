//! The split on paper: which picture is in which part, and what each of them is. Enough to repeat a
//! split, to check it picture by picture, and to say which picture has changed since.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::{Part, SplitRule};
use crate::error::Rejected;

/// What `split.json` holds: enough to repeat the split, or to check it picture by picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRecord {
    /// As the recipe names it.
    pub source: String,
    /// Of class names and of every picture's name, label and bytes; the same wherever they lie.
    pub digest: String,
    /// How the training pictures lie together: see [`crate::Dataset::packing`]. Absent without a
    /// window, and in records of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packing: Option<String>,
    /// How it was dealt out.
    pub rule: SplitRule,
    /// The share of the training part that `train` is.
    pub train_fraction: f64,
    /// How many pictures that leaves out; they are in no list.
    pub train_left_out: usize,
    /// Class names by label.
    pub classes: Vec<String>,
    /// Names of the training pictures.
    pub train: Vec<String>,
    /// Names of the validation pictures.
    pub val: Vec<String>,
    /// Names of the test pictures.
    pub test: Vec<String>,
    /// What each of them is, in the same order. Records of before lack them.
    #[serde(default)]
    pub digests: Digests,
    /// Pictures that could not be used, with the reason.
    pub rejected: Vec<Rejected>,
    /// Files that were not taken for pictures of the set, with the reason.
    pub ignored: Vec<Rejected>,
    /// What must be known of the set as a whole, in sentences.
    pub notes: Vec<String>,
}

/// The first 128 bits of the blake3 of each picture's file (of its pixels, if it was drawn or its
/// file holds many), in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// Of the training pictures.
    pub train: Vec<String>,
    /// Of the validation pictures.
    pub val: Vec<String>,
    /// Of the test pictures.
    pub test: Vec<String>,
}

impl SplitRecord {
    /// Name, part and digest of every picture; nothing where a record of before lacks digests.
    pub fn pictures(&self) -> impl Iterator<Item = (&str, Part, &str)> {
        let Digests { train, val, test } = &self.digests;
        let parts = [
            (Part::Train, &self.train, train),
            (Part::Val, &self.val, val),
            (Part::Test, &self.test, test),
        ];
        parts.into_iter().flat_map(|(part, names, digests)| {
            let pair = names.iter().zip(digests);
            pair.map(move |(name, digest)| (name.as_str(), part, digest.as_str()))
        })
    }

    /// Whether a pass by windows visits the pictures of both in one order, as far as both tell.
    pub fn is_packed_as(&self, now: &SplitRecord) -> bool {
        let both = self.packing.as_ref().zip(now.packing.as_ref());
        both.is_none_or(|(then, now)| then == now)
    }

    /// In words, how the pictures that could not be used differ in `now`; `None` where they do not.
    /// No result depends on it, and it is a change of the set all the same.
    pub fn rejected_since(&self, now: &SplitRecord) -> Option<String> {
        let names = |record: &SplitRecord| -> BTreeSet<String> {
            record.rejected.iter().map(|rejected| rejected.name.clone()).collect()
        };
        let (before, after) = (names(self), names(now));
        let first = before.symmetric_difference(&after).next()?;
        let (then, now) = (before.len(), after.len());
        let (what, which) = match after.contains(first) {
            true => ("is new", "cannot be used"),
            false => ("is gone", "could not be used"),
        };
        Some(format!(
            "{first} {what}, which {which}: of such pictures there were {then}, now {now}"
        ))
    }

    /// In words, how the pictures of `now` differ from these: how many, and the first by name.
    /// `None` where none does, or where it cannot be told.
    pub fn difference(&self, now: &SplitRecord) -> Option<String> {
        let by_name = |record| -> BTreeMap<&str, (Part, &str)> {
            SplitRecord::pictures(record)
                .map(|(name, part, digest)| (name, (part, digest)))
                .collect()
        };
        let (before, after) = (by_name(self), by_name(now));
        if before.is_empty() || after.is_empty() {
            return None;
        }
        let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
        let differs = |name: &&str| before.get(name) != after.get(name);
        let mut differing = names.iter().copied().filter(differs);
        let first = differing.next()?;
        let what = match (before.get(first), after.get(first)) {
            (Some(_), None) => "is gone".to_owned(),
            (None, _) => "is new".to_owned(),
            (Some((_, then)), Some((_, now))) if then != now => "has changed".to_owned(),
            (Some((then, _)), Some((now, _))) => {
                format!("was of the part {} and is of {}", then.name(), now.name())
            }
        };
        let all = names.len();
        Some(match differing.count() {
            0 => format!("{first} {what}; the other {} are the same", all - 1),
            more => format!("{first} {what}, and {more} more of {all} differ"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pictures: &[(&str, Part, &str)]) -> SplitRecord {
        let of = |want: Part| {
            let here = pictures.iter().filter(|(_, part, _)| *part == want);
            here.map(|(name, _, digest)| (name.to_string(), digest.to_string())).unzip()
        };
        let ((train, a), (val, b), (test, c)) = (of(Part::Train), of(Part::Val), of(Part::Test));
        SplitRecord {
            source: "folder:x".into(),
            digest: String::new(),
            packing: None,
            rule: SplitRule { ratio: [17, 4, 4], seed: 0 },
            train_fraction: 1.0,
            train_left_out: 0,
            classes: vec!["a".into(), "b".into()],
            train,
            val,
            test,
            digests: Digests { train: a, val: b, test: c },
            rejected: Vec::new(),
            ignored: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn another_packing_is_told_where_both_are_known() {
        let packed =
            |packing: Option<&str>| SplitRecord { packing: packing.map(Into::into), ..record(&[]) };
        assert!(packed(Some("a")).is_packed_as(&packed(Some("a"))));
        assert!(!packed(Some("a")).is_packed_as(&packed(Some("b"))));
        assert!(packed(None).is_packed_as(&packed(Some("b"))), "a record of before");
    }

    #[test]
    fn pictures_that_cannot_be_used_are_compared_by_name() {
        let rejecting = |names: &[&str]| {
            let reason = "is empty".to_owned();
            let one = |name: &&str| Rejected { name: name.to_string(), reason: reason.clone() };
            SplitRecord { rejected: names.iter().map(one).collect(), ..record(&[]) }
        };
        let told = |then: &[&str], now: &[&str]| rejecting(then).rejected_since(&rejecting(now));
        assert_eq!(told(&["a"], &["a"]), None);
        assert_eq!(
            told(&[], &["b", "a"]).unwrap(),
            "a is new, which cannot be used: of such pictures there were 0, now 2"
        );
        assert_eq!(
            told(&["a"], &[]).unwrap(),
            "a is gone, which could not be used: of such pictures there were 1, now 0"
        );
    }

    #[test]
    fn what_has_changed_since_is_told_by_name() {
        let before =
            record(&[("1", Part::Train, "x"), ("2", Part::Val, "y"), ("3", Part::Test, "z")]);
        let told = |now: &[(&str, Part, &str)]| before.difference(&record(now)).unwrap_or_default();
        assert_eq!(
            told(&[("1", Part::Train, "x"), ("2", Part::Val, "y"), ("3", Part::Test, "z")]),
            ""
        );
        let other = [("1", Part::Train, "x"), ("2", Part::Val, "!"), ("3", Part::Test, "z")];
        assert_eq!(told(&other), "2 has changed; the other 2 are the same");
        let more = [("0", Part::Train, "x"), ("1", Part::Train, "x"), ("2", Part::Val, "y")];
        assert_eq!(told(&more), "0 is new, and 1 more of 4 differ");
        let moved = [("1", Part::Test, "x"), ("2", Part::Val, "y"), ("3", Part::Test, "z")];
        assert_eq!(
            told(&moved),
            "1 was of the part train and is of test; the other 2 are the same"
        );
        assert_eq!(told(&other[1..]), "1 is gone, and 1 more of 3 differ");
        let old = SplitRecord { digests: Digests::default(), ..before.clone() };
        assert_eq!(old.difference(&before), None, "what was not recorded cannot be told");
    }
}
