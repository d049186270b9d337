//! `mnist:PATH` and `fashion-mnist:PATH`: the four IDX files as they are published, gzip or not.
//!
//! MNIST is by LeCun, Cortes and Burges (1998); Fashion-MNIST by Xiao, Rasul and Vollgraf (2017,
//! <https://arxiv.org/abs/1708.07747>) has the same names, format and sizes, so only the row that
//! is asked for tells which it is. The published test files are the test part; validation is dealt
//! from the training files ([`crate::split`]).

use std::path::{Path, PathBuf};

use super::shelf::stamp;
use super::stacks::{Contents, Stack, Stacks};
use super::{Request, Source, idx};
use crate::colour::Colour;
use crate::config::Part;
use crate::error::{DataError, Rejected};

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

const CLOTHES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Part, and how the names of its two files begin and end.
const FILES: [(Part, [(&str, &str); 2]); 2] = [
    (Part::Train, [("train-images", "idx3-ubyte"), ("train-labels", "idx1-ubyte")]),
    (Part::Test, [("t10k-images", "idx3-ubyte"), ("t10k-labels", "idx1-ubyte")]),
];

pub(super) fn open_digits(request: &Request) -> Result<Box<dyn Source>, DataError> {
    open(request, &DIGITS)
}

pub(super) fn open_clothes(request: &Request) -> Result<Box<dyn Source>, DataError> {
    open(request, &CLOTHES)
}

fn open(request: &Request, classes: &'static [&'static str]) -> Result<Box<dyn Source>, DataError> {
    let root = request.folder("the folder that holds the four IDX files")?;
    let (mut pairs, mut missing, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
    for (part, files) in FILES {
        let found = files.map(|(stem, ending)| {
            let place = find(&root, stem, ending, &mut ignored);
            if place.is_none() {
                missing.push(format!("{stem}-{ending}"));
            }
            place
        });
        if let [Some(pictures), Some(labels)] = found {
            pairs.push((part, pictures, labels));
        }
    }
    if !missing.is_empty() {
        let looked_for = "each was looked for with - or . before idx, and with .gz after it";
        let missing = missing.join(", ");
        return Err(DataError::MissingFiles { path: root, missing, looked_for: looked_for.into() });
    }
    let files = pairs.iter().flat_map(|(_, pictures, labels)| [pictures, labels]);
    let stamps = files.map(|file| stamp(file)).collect::<Result<_, _>>()?;
    let read = move || {
        let stacks = pairs.iter().map(|(part, pictures, labels)| stack(*part, pictures, labels));
        let stacks = stacks.collect::<Result<_, _>>()?;
        Ok(Contents { stacks, ignored: ignored.clone(), notes: Vec::new() })
    };
    Ok(Box::new(Stacks::new(request.row.name, classes, stamps, read)))
}

/// The first of the names a file may have; others of them that are there as well are ignored.
fn find(root: &Path, stem: &str, ending: &str, ignored: &mut Vec<Rejected>) -> Option<PathBuf> {
    let names = ["-", "."].map(|mark| format!("{stem}{mark}{ending}"));
    let names = names.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]);
    let mut there = names.filter(|name| root.join(name).is_file());
    let first = there.next()?;
    for name in there {
        ignored.push(Rejected { name, reason: format!("lies beside {first}, which is read") });
    }
    Some(root.join(first))
}

fn stack(part: Part, pictures: &Path, labels: &Path) -> Result<Stack, DataError> {
    let read = idx::pictures(pictures)?;
    let tags = idx::labels(labels)?;
    if tags.len() != read.count() {
        let name = pictures.file_name().unwrap_or_default().to_string_lossy();
        let what = format!("holds {} labels, {name} {} pictures", tags.len(), read.count());
        return Err(DataError::refused(labels, what, "get both files again, from one place"));
    }
    let idx::Pictures { height, width, bytes: planes } = read;
    let (file, name) = (labels.to_path_buf(), part.name());
    Ok(Stack { file, name, part, height, width, colour: Colour::Grey, labels: tags, planes })
}
