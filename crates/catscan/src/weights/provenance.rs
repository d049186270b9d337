//! What a weights file of ours says of the network it was saved from, beside what others say of it.

use std::path::Path;

use anyhow::Result;
use catscan_models::weights::file::read_header;
use catscan_models::{ModelConfig, ModelRow, Pooling, Transitions};
use serde_json::{Map, Value};

use crate::output::say;
use crate::refusal::Refusal;

/// What decides what a network computes, in the order in which it is compared. Precision and
/// memory are the user's to choose.
const KEYS: [&str; 6] = ["name", "shape", "pooling", "convention", "in_channels", "outputs"];

/// A key on which two configurations differ, and both values.
type Disagreement = (&'static str, Value, Value);

/// Refuses a network `asked` for by `who` that is not the `file`'s `own`.
///
/// # Errors
/// Where they differ, with both values; exit code 2.
pub fn agree(file: &Path, own: &ModelConfig, asked: &ModelConfig, who: &str) -> Result<()> {
    let Some((key, own, asked)) = differences(own, asked)?.into_iter().next() else {
        return Ok(());
    };
    let file = file.display();
    let message = format!(
        "{file}: its {key} is {own}, as the file says, and {who} says {asked}; leave that to the \
         file, or name another file"
    );
    Err(Refusal::usage(message).into())
}

/// Warns of weights that `who` starts with from a network that computed something else with them:
/// other poolings, or batch norms of another convention. What has another shape cannot be loaded.
pub fn warn(file: &Path, who: &str, model: &ModelConfig) {
    let Some(own) = read_header(file).ok().and_then(|header| header.config) else { return };
    for (key, own, ours) in differences(&own, model).unwrap_or_default() {
        if ["pooling", "convention"].contains(&key) {
            let file = file.display();
            say(format_args!(
                "warning: {file}: its {key} was {own}, that of {who} is {ours}; its weights are \
                 taken all the same"
            ));
        }
    }
}

fn differences(one: &ModelConfig, other: &ModelConfig) -> Result<Vec<Disagreement>> {
    let (mut one, mut other) = (plain(one)?, plain(other)?);
    let both = KEYS.into_iter().map(|key| {
        let take = |of: &mut Map<String, Value>| of.remove(key).unwrap_or_default();
        (key, take(&mut one), take(&mut other))
    });
    Ok(both.filter(|(_, one, other)| one != other).collect())
}

/// With nothing left to the row, and one pooling for all transitions where they have one.
fn plain(config: &ModelConfig) -> Result<Map<String, Value>> {
    let row = ModelRow::find(&config.name)?;
    let transition = match &config.pooling.transition {
        Transitions::Each(pools) if pools.windows(2).all(|two| two[0] == two[1]) => {
            pools.first().map(|pool| Transitions::Every(*pool))
        }
        _ => None,
    };
    let transition = transition.unwrap_or_else(|| config.pooling.transition.clone());
    let config = ModelConfig {
        shape: Some(config.shape.clone().unwrap_or_else(|| row.shape.clone())),
        pooling: Pooling { transition, ..config.pooling.clone() },
        ..config.clone()
    };
    match serde_json::to_value(config)? {
        Value::Object(map) => Ok(map),
        _ => unreachable!("a configuration is an object"),
    }
}
