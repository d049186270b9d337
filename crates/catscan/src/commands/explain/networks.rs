//! `--weights`, once or several times: the networks that are asked, what each is called, and where
//! and for what each is looked into.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catscan_viz::cam::CamRow;
use tch::Device;

use super::Args;
use crate::names;
use crate::refusal::Refusal;
use crate::run_name::runs;
use crate::weights::Trained;

/// One network to ask.
pub struct Network {
    /// What tells it from the others: arm and seed, or a file's name.
    pub name: String,
    pub trained: Trained,
    /// Where maps are made; none for a method that looks at the picture itself.
    pub taps: Vec<String>,
    /// What was asked for; else each picture's own answer.
    pub class: Option<usize>,
}

/// All networks, in the order of the command line.
pub struct Networks {
    pub all: Vec<Network>,
    pub device: Device,
}

impl Networks {
    /// Opens all of them.
    ///
    /// # Errors
    /// Where there is nothing, weights do not fit, or a network has no such tap or class.
    pub fn open(args: &Args, method: &CamRow, device: Device) -> Result<Networks> {
        let mut found = Vec::new();
        for path in &args.weights {
            found.extend(named(path)?);
        }
        let one = found.len() == 1;
        let all = distinct(found).into_iter().map(|(name, path)| {
            let open = || {
                let trained = Trained::open(&path, &args.file, device)?;
                let taps = taps(args.at.as_deref(), method, &trained)?;
                let class = args.class.as_deref().map(|name| class(name, &trained.classes));
                Ok(Network { name: name.clone(), taps, class: class.transpose()?, trained })
            };
            // With one network it is plain whose slip it is.
            if one { open() } else { open().context(name.clone()) }
        });
        Ok(Networks { all: all.collect::<Result<_>>()?, device })
    }
}

/// What a path holds: the one network, or those of an experiment.
fn named(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    if path.is_dir() {
        return runs(path);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(vec![(name, path.to_owned())])
}

/// Names that several share give way to the paths, which tell more.
fn distinct(found: Vec<(String, PathBuf)>) -> Vec<(String, PathBuf)> {
    let shared = |name: &str| found.iter().filter(|(other, _)| other == name).count() > 1;
    let names: Vec<String> = found
        .iter()
        .map(|(name, path)| match shared(name) {
            true => path.display().to_string(),
            false => name.clone(),
        })
        .collect();
    names.into_iter().zip(found.into_iter().map(|(_, path)| path)).collect()
}

fn taps(at: Option<&str>, method: &CamRow, trained: &Trained) -> Result<Vec<String>> {
    let blocks = trained.model.block_names();
    if method.looks_at_input() {
        return match at {
            None | Some("all") => Ok(Vec::new()),
            Some(tap) => {
                let name = method.name;
                let message = format!("{name} looks at the picture, not at {tap}; leave out --at");
                Err(Refusal::usage(message).into())
            }
        };
    }
    Ok(match at {
        None => blocks[blocks.len() - 1..].to_vec(),
        Some("all") => blocks,
        Some(name) => {
            trained.model.taps(&[name])?;
            vec![name.to_owned()]
        }
    })
}

fn class(name: &str, classes: &[String]) -> Result<usize> {
    let known: Vec<&str> = classes.iter().map(String::as_str).collect();
    names::find("class", name, &known)?;
    Ok(known.iter().position(|class| *class == name).expect("just found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_their_paths() {
        let pair = |name: &str, path: &str| (name.to_owned(), PathBuf::from(path));
        let found = distinct(vec![
            pair("avg, seed-1", "a/avg/seed-1"),
            pair("avg, seed-1", "b/avg/seed-1"),
            pair("max, seed-1", "b/max/seed-1"),
        ]);
        let names: Vec<&str> = found.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a/avg/seed-1", "b/avg/seed-1", "max, seed-1"]);
    }
}
