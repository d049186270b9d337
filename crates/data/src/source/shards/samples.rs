//! What lies in one tar file, and which of its pictures is which sample's.
//!
//! WebDataset tells samples by keys: all files of one key, the name up to the first point of its
//! last piece, are one sample. A sample that has a label, `KEY.cls`, has one picture: the one whose
//! ending stands right behind the key (`000.jpg`; `000.seg.png` is a mask), else its only one.
//! Where two may be meant nothing tells which, and the set is refused. Without `KEY.cls` the folder
//! is the label, points belong to the names (`cat.0.jpg`, `cat.1.jpg`), and each picture stands for
//! itself, as in `folder:PATH`.

use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub(super) struct Contents {
    /// From where to where.
    pub pictures: Vec<(String, (u64, u64))>,
    /// By key.
    pub labels: HashMap<String, Label>,
    pub ignored: Vec<(String, &'static str)>,
    /// Names of hidden pictures, or of pictures in hidden folders.
    pub hidden: Vec<String>,
}

pub(super) struct Label {
    /// What it says.
    pub text: String,
    /// The name of its file.
    file: String,
}

impl Contents {
    /// What the label file `name` says, or what is wrong with it: none is made up, and none is
    /// chosen among two.
    pub fn label(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), String> {
        let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("{name} is empty, want a label"));
        }
        let label = Label { text: text.to_owned(), file: name.to_owned() };
        match self.labels.insert(key(name).to_owned(), label) {
            Some(Label { text: before, .. }) if before != text => {
                Err(format!("{name} is there twice and says {before:?} and {text:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Leaves each sample that has a label one picture, or says which two may be meant.
    pub fn one_a_sample(&mut self) -> Result<(), String> {
        let name = |i: &usize| self.pictures[*i].0.as_str();
        let key_of = |i: &usize| key(name(i));
        let is_labelled = |i: &usize| self.labels.contains_key(key_of(i));
        let mut labelled: Vec<usize> = (0..self.pictures.len()).filter(is_labelled).collect();
        labelled.sort_by(|a, b| key_of(a).cmp(key_of(b)));
        let mut others = vec![false; self.pictures.len()];
        for sample in labelled.chunk_by(|a, b| key_of(a) == key_of(b)) {
            let plain: Vec<usize> = sample.iter().copied().filter(|i| is_plain(name(i))).collect();
            let meant = if plain.is_empty() { sample } else { &plain };
            if let [first, second, ..] = meant {
                return Err(two(name(first), name(second)));
            }
            sample.iter().filter(|i| !meant.contains(i)).for_each(|i| others[*i] = true);
        }
        let mut is_other = others.into_iter();
        let mut ignored = Vec::new();
        self.pictures.retain_mut(|(name, _)| {
            let other = is_other.next() == Some(true);
            if other {
                ignored.push((std::mem::take(name), "lies beside the picture of its sample"));
            }
            !other
        });
        self.ignored.append(&mut ignored);
        Ok(())
    }

    /// Tells the labels that no picture has: their sample was lost, or is of a kind not read here.
    pub fn tell_lone_labels(&mut self) {
        let keys: HashSet<&str> = self.pictures.iter().map(|(name, _)| key(name)).collect();
        let lone = self.labels.iter().filter(|(key, _)| !keys.contains(key.as_str()));
        let lone = lone.map(|(_, label)| (label.file.clone(), "is a label without a picture"));
        self.ignored.extend(lone);
    }
}

fn two(first: &str, second: &str) -> String {
    if first == second {
        return format!("{first} is there twice");
    }
    format!("the sample {} may be {first} or {second}", key(first))
}

/// `cat/000` of `cat/000.jpg`: up to the first point of the last piece.
pub(super) fn key(name: &str) -> &str {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    name[last..].find('.').map_or(name, |point| &name[..last + point])
}

/// `000.jpg`, not `000.seg.png`.
fn is_plain(name: &str) -> bool {
    !name[key(name).len()..].trim_start_matches('.').contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(labels: &[&str], pictures: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
        let mut listed = Contents::default();
        for key in labels {
            listed.label(&format!("{key}.cls"), b"cat".to_vec()).unwrap();
        }
        listed.pictures = pictures.iter().map(|name| (name.to_string(), (0, 1))).collect();
        listed.one_a_sample()?;
        listed.tell_lone_labels();
        let taken = listed.pictures.into_iter().map(|(name, _)| name).collect();
        Ok((taken, listed.ignored.into_iter().map(|(name, _)| name).collect()))
    }

    #[test]
    fn names_tell_keys() {
        assert_eq!(key("000.jpg"), "000");
        assert_eq!(key("a.b/c.d.jpg"), "a.b/c");
        assert!(is_plain("a.b/000.jpg") && !is_plain("a.b/000.seg.png"));
    }

    #[test]
    fn a_sample_has_one_picture() {
        let files = ["1.left.jpg", "1.right.jpg", "1.jpg", "2.image.png", "3.PNG", "3.seg.png"];
        let (taken, ignored) = settled(&["1", "2", "3"], &files).unwrap();
        assert_eq!(taken, ["1.jpg", "2.image.png", "3.PNG"]);
        assert_eq!(ignored, ["1.left.jpg", "1.right.jpg", "3.seg.png"]);
        let (taken, ignored) = settled(&["1", "a/1", "2.b"], &["1.jpg", "2.jpg"]).unwrap();
        assert_eq!((taken.len(), &ignored[..]), (2, &["a/1.cls".to_owned()][..]));
        // Where folders are the labels, names may have points.
        let files = ["cat/cat.0.jpg", "cat/cat.1.jpg", "dog/7.jpg", "dog/7.png"];
        assert_eq!(settled(&[], &files).unwrap().0, files);
    }

    #[test]
    fn which_of_two_is_not_guessed() {
        let wrong = |files: &[&str]| settled(&["a/7"], files).unwrap_err();
        assert_eq!(wrong(&["a/7.jpg", "a/7.png"]), "the sample a/7 may be a/7.jpg or a/7.png");
        let text = wrong(&["a/7.image.png", "a/7.mask.png"]);
        assert_eq!(text, "the sample a/7 may be a/7.image.png or a/7.mask.png");
        assert_eq!(wrong(&["a/7.jpg", "a/7.jpg"]), "a/7.jpg is there twice");
    }
}
