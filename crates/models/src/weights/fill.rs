//! Filling a model's tensors from a file: names, shapes and kinds are compared first, and where one
//! differs nothing is filled.

use std::collections::{BTreeMap, HashSet};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use tch::{Kind, Tensor};

use crate::error::ModelError;
use crate::weights::file::WeightsFile;
use crate::weights::torchvision::module_path;
use crate::weights::{Weight, Weights};

/// How many differences a message lists.
const LISTED: usize = 10;

/// What to do where nothing but the kind of number differs.
const OTHER_KIND: &str = "only the kind of number differs; save them as 32-bit, with t.float() as \
                          in docs/weights.md";
/// What to ask oneself about differences of any kind.
const OTHER_MODEL: &str = "was it saved from another model?";
/// What to ask oneself where the whole file is wanted and one layer differs.
const ONE_LAYER: &str = "differs and nothing else; if it is the classifier, give the network the \
                         file's number of classes (outputs in the recipe, --outputs)";
/// What to do where nothing but the classifier differs, and may be left.
const OTHER_CLASSES: &str = "only the classifier differs; to put a fresh one in its place, as \
                             another number of classes needs, say head: replace in the recipe, or \
                             --replace-head";

/// A way in which a file is not what the model wants.
struct Difference {
    name: String,
    what: What,
    line: String,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Missing,
    Extra,
    Shape,
    Kind,
}

/// Fills every tensor of `weights`; see [`Weights::load`].
pub(super) fn whole(weights: &Weights, file: &WeightsFile) -> Result<(), ModelError> {
    let tensors = file.tensors()?;
    let names = names(&tensors);
    let differences = differences(weights, &tensors, &names);
    if !differences.is_empty() {
        let usual = match only_layer(&differences) {
            Some(layer) => &format!("{layer} {ONE_LAYER}"),
            None => OTHER_MODEL,
        };
        let hint = hint(&differences, usual);
        return Err(refusal(weights, file, &differences, hint));
    }
    copy(weights.iter(), &tensors, &names);
    Ok(())
}

/// Fills every tensor but those of the layer `head`, whatever the file says of that; or also those,
/// if `head_too`. Returns the names of the tensors that stayed as they were.
pub(crate) fn start(
    weights: &Weights,
    file: &WeightsFile,
    head: &str,
    head_too: bool,
) -> Result<Vec<String>, ModelError> {
    let of_head = |name: &str| name.strip_prefix(head).is_some_and(|rest| rest.starts_with('.'));
    let stays = |name: &str| !head_too && of_head(name);
    let tensors = file.tensors()?;
    let names = names(&tensors);
    let mut differences = differences(weights, &tensors, &names);
    differences.retain(|difference| !stays(&difference.name));
    if !differences.is_empty() {
        let head_alone = differences.iter().all(|difference| of_head(&difference.name));
        let hint = hint(&differences, if head_alone { OTHER_CLASSES } else { OTHER_MODEL });
        return Err(refusal(weights, file, &differences, hint));
    }
    copy(weights.iter().filter(|weight| !stays(&weight.name)), &tensors, &names);
    let left = weights.iter().map(|weight| &weight.name).filter(|name| stays(name));
    Ok(left.cloned().collect())
}

/// The file's own name of each tensor by ours. A name of torchvision's older files counts as ours
/// unless the file has ours as well.
fn names<'a>(tensors: &'a SafeTensors) -> BTreeMap<String, &'a str> {
    let written: HashSet<&str> = tensors.names().into_iter().collect();
    let ours = |name: &&'a str| match module_path(name) {
        Some(path) if !written.contains(path.as_str()) => path,
        _ => name.to_string(),
    };
    written.iter().map(|name| (ours(name), *name)).collect()
}

fn copy<'a>(
    weights: impl Iterator<Item = &'a Weight>,
    tensors: &SafeTensors,
    names: &BTreeMap<String, &str>,
) {
    tch::no_grad(|| {
        for weight in weights {
            let view = tensors.tensor(names[&weight.name]).expect("compared before");
            let values = Tensor::from_data_size(view.data(), &weight.tensor.size(), Kind::Float);
            weight.tensor.shallow_clone().copy_(&values);
        }
    });
}

/// In the model's order; then what the model lacks, by name.
fn differences(
    weights: &Weights,
    tensors: &SafeTensors,
    names: &BTreeMap<String, &str>,
) -> Vec<Difference> {
    let compare = |weight: &Weight| {
        let name = weight.name.clone();
        match names.get(&name).map(|name| tensors.tensor(name).expect("one of its names")) {
            Some(view) => {
                mismatch(weight, &view).map(|(what, line)| Difference { name, what, line })
            }
            None => {
                let line = format!("{name}: missing from the file");
                Some(Difference { name, what: What::Missing, line })
            }
        }
    };
    let mut found: Vec<Difference> = weights.iter().filter_map(compare).collect();
    let known: HashSet<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
    // PyTorch counts the batches each norm has seen; with a fixed momentum nothing reads it.
    let extra = names
        .keys()
        .filter(|name| !known.contains(name.as_str()) && !name.ends_with(".num_batches_tracked"));
    found.extend(extra.map(|name| {
        let line = format!("{name}: not in the model");
        Difference { name: name.clone(), what: What::Extra, line }
    }));
    found
}

fn mismatch(weight: &Weight, view: &TensorView) -> Option<(What, String)> {
    let wanted = weight.tensor.size();
    let same_shape = view.shape().iter().map(|&size| size as i64).eq(wanted.iter().copied());
    if same_shape && view.dtype() == Dtype::F32 {
        return None;
    }
    let (name, got, kind) = (&weight.name, view.shape(), view.dtype());
    let what = if same_shape { What::Kind } else { What::Shape };
    Some((what, format!("{name}: file has {got:?} {kind:?}, model wants {wanted:?} F32")))
}

/// What to do about them: `usual`, unless all have a simpler cause.
fn hint(differences: &[Difference], usual: &str) -> String {
    if differences.iter().all(|difference| difference.what == What::Kind) {
        return OTHER_KIND.into();
    }
    match prefix(differences) {
        Some(prefix) => format!(
            "its names begin with {prefix} and the model's do not; save them without, with \
             n.removeprefix('{prefix}')"
        ),
        None => usual.into(),
    }
}

/// The layer of which every differing tensor is.
fn only_layer(differences: &[Difference]) -> Option<&str> {
    let mut layers = differences.iter().map(|difference| difference.name.rsplit_once('.'));
    let (layer, _) = layers.next()??;
    layers.all(|other| other.is_some_and(|(other, _)| other == layer)).then_some(layer)
}

/// What stands before most of the missing names in the file, such as `module.`.
fn prefix(differences: &[Difference]) -> Option<&str> {
    let names = |what: What| {
        let such = differences.iter().filter(move |difference| difference.what == what);
        such.map(|difference| difference.name.as_str())
    };
    let missing: HashSet<&str> = names(What::Missing).collect();
    let before = |name: &'_ str| {
        let mut dots = name.match_indices('.').map(|(at, _)| at + 1);
        dots.find(|&at| missing.contains(&name[at..]))
    };
    let prefix = names(What::Extra).find_map(|name| Some(&name[..before(name)?]))?;
    let rest = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| missing.contains(rest));
    let found = names(What::Extra).filter(|name| rest(name)).count();
    (2 * found > missing.len()).then_some(prefix)
}

fn refusal(
    weights: &Weights,
    file: &WeightsFile,
    differences: &[Difference],
    hint: String,
) -> ModelError {
    let lines: Vec<&str> = differences.iter().map(|difference| difference.line.as_str()).collect();
    ModelError::Differs {
        path: file.path().into(),
        model: weights.model.clone(),
        count: lines.len(),
        listed: listed(&lines),
        hint,
    }
}

/// The first [`LISTED`] lines, and how many more there are.
fn listed(lines: &[&str]) -> String {
    let mut text: String = lines.iter().take(LISTED).map(|line| format!("  {line}\n")).collect();
    if lines.len() > LISTED {
        text.push_str(&format!("  and {} more\n", lines.len() - LISTED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ten_lines_are_listed() {
        let text = listed(&["a: missing"; 12]);
        assert_eq!(text.lines().count(), 11);
        assert!(text.ends_with("and 2 more\n"), "{text}");
    }
}
