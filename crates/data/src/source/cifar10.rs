//! `cifar10:PATH`: the binary version of CIFAR-10 (Krizhevsky 2009,
//! <https://www.cs.toronto.edu/~kriz/cifar.html>): `cifar-10-binary.tar.gz`, or a folder of its
//! batches, gzip or not. A record is a label and 32 x 32 values each of red, green and blue; a
//! batch is 10,000 of them.
//!
//! A part of it works as well, some batches or the first records of one; what is missing is said.
//! `test_batch` is the test part; validation is dealt from the training batches, and so is the test
//! part where `test_batch` is missing ([`crate::split`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::shelf::stamp;
use super::stacks::{Contents, Stack, Stacks};
use super::tarball;
use super::unpack::Unpack;
use super::{Request, Source};
use crate::colour::Colour;
use crate::config::Part;
use crate::error::{DataError, Rejected};

const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const BATCHES: [&str; 6] =
    ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", TEST];
const TEST: &str = "test_batch";

const SIDE_PX: u32 = 32;
const RECORD_BYTES: usize = 1 + 3 * (SIDE_PX * SIDE_PX) as usize;
/// In a whole batch.
const RECORDS: usize = 10_000;
const BATCH_BYTES: u64 = (RECORDS * RECORD_BYTES) as u64;

/// The folder within the archive, and its names.
const FOLDER: &str = "cifar-10-batches-bin";
const ARCHIVES: [&str; 2] = ["cifar-10-binary.tar.gz", "cifar-10-binary.tar"];

/// Where the batches are.
enum Place {
    /// By batch.
    Files(BTreeMap<&'static str, PathBuf>),
    Tarball(PathBuf),
}

pub(super) fn open(request: &Request) -> Result<Box<dyn Source>, DataError> {
    let root = request.path()?;
    let root = root.canonicalize().map_err(|error| DataError::read(&root, error))?;
    let mut ignored = Vec::new();
    let place = if root.is_dir() { within(&root, &mut ignored)? } else { Place::Tarball(root) };
    let stamps = match &place {
        Place::Files(files) => files.values().map(|file| stamp(file)).collect::<Result<_, _>>()?,
        Place::Tarball(path) => vec![stamp(path)?],
    };
    let read = move || {
        let mut stacks = Vec::new();
        match &place {
            Place::Files(files) => {
                for (name, path) in files {
                    stacks.push(stack(name, path.clone(), &read_batch(path)?)?);
                }
            }
            Place::Tarball(path) => {
                let wanted = BATCHES.map(|name| format!("{name}.bin"));
                for (number, bytes) in tarball::read(path, &wanted, BATCH_BYTES)? {
                    let within = PathBuf::from(format!("{}: {}", path.display(), wanted[number]));
                    stacks.push(stack(BATCHES[number], within, &bytes)?);
                }
            }
        }
        let place = match &place {
            Place::Files(files) => files.values().next().and_then(|file| file.parent()),
            Place::Tarball(path) => Some(path.as_path()),
        };
        let notes = notes(&stacks, place.unwrap_or(Path::new("")))?;
        Ok(Contents { stacks, ignored: ignored.clone(), notes })
    };
    Ok(Box::new(Stacks::new(request.row.name, &CLASSES, stamps, read)))
}

/// The batches in `root`, in the archive's folder below it, or in the archive itself.
fn within(root: &Path, ignored: &mut Vec<Rejected>) -> Result<Place, DataError> {
    for folder in [root.to_path_buf(), root.join(FOLDER)] {
        let mut files = BTreeMap::new();
        for batch in BATCHES {
            let names = [format!("{batch}.bin"), format!("{batch}.bin.gz")];
            for name in names.into_iter().filter(|name| folder.join(name).is_file()) {
                if files.contains_key(batch) {
                    let reason = format!("lies beside {batch}.bin, which is read");
                    ignored.push(Rejected { name, reason });
                } else {
                    files.insert(batch, folder.join(name));
                }
            }
        }
        if !files.is_empty() {
            return Ok(Place::Files(files));
        }
    }
    if let Some(archive) = ARCHIVES.iter().map(|name| root.join(name)).find(|path| path.is_file()) {
        return Ok(Place::Tarball(archive));
    }
    let python = ["", "cifar-10-batches-py"].map(|folder| root.join(folder).join(BATCHES[0]));
    let looked_for = match python.iter().find(|path| path.is_file()) {
        Some(pickle) => format!(
            "{} is of the Python version, whose pickles are never read: get the binary version, {}",
            pickle.display(),
            ARCHIVES[0]
        ),
        None => format!(
            "looked for data_batch_1.bin to data_batch_5.bin and {TEST}.bin, each also with .gz, \
             here and in {FOLDER}, and for {}",
            ARCHIVES.join(" or ")
        ),
    };
    Err(DataError::MissingFiles { path: root.into(), missing: "batch".into(), looked_for })
}

fn read_batch(path: &Path) -> Result<Vec<u8>, DataError> {
    // One byte more tells whether there is more.
    let taken = Unpack::open(path)?.take(BATCH_BYTES + 1)?;
    match taken.damage {
        None => Ok(taken.bytes),
        Some(damage) => {
            let (is, records) = (taken.bytes.len(), taken.bytes.len() / RECORD_BYTES);
            let what = format!("breaks off after {is} bytes, {records} pictures ({damage})");
            Err(DataError::refused(path, what, "get the file again"))
        }
    }
}

fn stack(name: &'static str, file: PathBuf, bytes: &[u8]) -> Result<Stack, DataError> {
    let is = bytes.len();
    if is as u64 > BATCH_BYTES || is == 0 || !is.is_multiple_of(RECORD_BYTES) {
        let is = if is as u64 > BATCH_BYTES { "more".into() } else { is.to_string() };
        let what = format!(
            "holds {is} bytes, want up to {BATCH_BYTES} in records of {RECORD_BYTES} (a label, \
             then 32 x 32 values of red, of green and of blue)"
        );
        let hint = "get the file again, from CIFAR-10's binary version";
        return Err(DataError::refused(&file, what, hint));
    }
    let records = || bytes.chunks_exact(RECORD_BYTES);
    Ok(Stack {
        file,
        name,
        part: if name == TEST { Part::Test } else { Part::Train },
        height: SIDE_PX,
        width: SIDE_PX,
        colour: Colour::Rgb,
        labels: records().map(|record| record[0]).collect(),
        planes: records().flat_map(|record| &record[1..]).copied().collect(),
    })
}

/// What is missing of the whole set, in a sentence; a set without training pictures is refused.
fn notes(stacks: &[Stack], place: &Path) -> Result<Vec<String>, DataError> {
    let count = |part| -> usize {
        stacks.iter().filter(|stack| stack.part == part).map(|stack| stack.labels.len()).sum()
    };
    let missing = BATCHES.iter().filter(|name| stacks.iter().all(|stack| stack.name != **name));
    let missing: Vec<String> = missing.map(|name| format!("{name}.bin")).collect();
    let (train, test) = (count(Part::Train), count(Part::Test));
    if train == 0 {
        let (path, missing) = (place.into(), missing.join(", "));
        let looked_for = "at least one training batch is needed".into();
        return Err(DataError::MissingFiles { path, missing, looked_for });
    }
    let (all_train, all_test) = (5 * RECORDS, RECORDS);
    if (train, test) == (all_train, all_test) {
        return Ok(Vec::new());
    }
    let mut note = format!(
        "A part of CIFAR-10: {train} of {all_train} training pictures, {test} of {all_test} test \
         pictures"
    );
    if !missing.is_empty() {
        note += &format!("; without {}", missing.join(", "));
    }
    if test == 0 {
        note += "; the test part is dealt from the training pictures";
    }
    Ok(vec![note + "."])
}
