//! Where the evidence of a test picture is known to be: on masks of one's own, else, for drawings,
//! where the program drew it. What looks for evidence asks here.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::Result;
use catscan_data::{BadImage, Dataset};

use super::pick::evenly;
use crate::masks::{Masks, opened, prepared};
use crate::refusal::Refusal;

/// The masks of a data set's test pictures.
pub struct EvidenceMasks<'a> {
    dataset: &'a Dataset,
    own: Option<Own>,
}

/// Masks that were given.
struct Own {
    /// By sample, `[H, W]` of 0 and 255.
    masks: BTreeMap<u32, Vec<u8>>,
    /// Files that are of no test picture.
    others: usize,
}

impl<'a> EvidenceMasks<'a> {
    /// Reads the masks of `folder`, if one is given.
    ///
    /// # Errors
    /// Where none is, one cannot be read, or one could be two pictures'.
    pub fn new(dataset: &'a Dataset, folder: Option<&Path>) -> Result<EvidenceMasks<'a>> {
        let own = folder.map(|folder| read(dataset, folder)).transpose()?;
        Ok(EvidenceMasks { dataset, own })
    }

    /// `[H, W]`, 255 on the evidence; none where nobody has drawn it.
    ///
    /// # Errors
    /// As [`Dataset::evidence`].
    pub fn of(&self, index: u32) -> Result<Option<Cow<'_, [u8]>>, BadImage> {
        match &self.own {
            Some(own) => Ok(own.masks.get(&index).map(|mask| Cow::from(mask.as_slice()))),
            None => self.dataset.evidence(index),
        }
    }

    /// Whether there is one.
    pub fn knows(&self, index: u32) -> bool {
        match &self.own {
            Some(own) => own.masks.contains_key(&index),
            None => self.dataset.drawings,
        }
    }

    /// Whether the masks were given, not drawn with the pictures.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// How many masks were given, and how many files were of no use.
    pub fn in_words(&self) -> Option<String> {
        let own = self.own.as_ref()?;
        let others = match own.others {
            0 => String::new(),
            n => format!("; {n} other files have no test picture's name"),
        };
        let test = self.dataset.split.test.len();
        Some(format!("masks of {} of {test} test pictures{others}", own.masks.len()))
    }

    /// As many test pictures, evenly from the test part; those with a mask of one's own first.
    pub fn evenly(&self, count: usize) -> Vec<u32> {
        let test = &self.dataset.split.test;
        let own = |index: &u32| match &self.own {
            Some(own) => own.masks.contains_key(index),
            None => false,
        };
        let (with, without): (Vec<u32>, Vec<u32>) = test.iter().partition(|index| own(index));
        let mut picked = evenly(&with, count);
        picked.extend(evenly(&without, count - picked.len()));
        picked.sort_unstable();
        picked
    }

    /// At most as many test pictures whose evidence is known.
    pub fn with_evidence(&self, most: usize) -> Vec<u32> {
        let mut picked = self.evenly(most);
        picked.retain(|index| self.knows(*index));
        picked
    }
}

fn read(dataset: &Dataset, folder: &Path) -> Result<Own> {
    let masks = Masks::list(folder)?;
    let (mut own, mut whose) = (BTreeMap::new(), HashMap::new());
    for index in &dataset.split.test {
        let name = dataset.samples[*index as usize].name.as_str();
        let Some(file) = masks.of(Path::new(name)) else { continue };
        if let Some(other) = whose.insert(file.to_owned(), name) {
            let message = format!(
                "{}: could be the mask of {other} and of {name}; put masks into folders as the \
                 pictures are",
                file.display()
            );
            return Err(Refusal::usage(message).into());
        }
        own.insert(*index, prepared(opened(file)?, file, dataset.config())?);
    }
    if own.is_empty() {
        let example = dataset.split.test.first();
        let example = example.map_or("cat.7", |index| &dataset.samples[*index as usize].name);
        let message = format!(
            "--masks {}: none of {} files has a test picture's name, such as {example}; split.json \
             in a run's folder lists them",
            folder.display(),
            masks.count()
        );
        return Err(Refusal::usage(message).into());
    }
    Ok(Own { others: masks.count() - own.len(), masks: own })
}
