//! What `explain` says it did: as a table or as JSON.

use serde::Serialize;

use super::masks::{self, OnMask};
use crate::table::Table;

/// What was drawn for one picture and network.
#[derive(Serialize)]
pub struct ScanRecord {
    pub picture: String,
    /// Arm and seed, or a file's name.
    pub network: String,
    /// What the maps speak for.
    pub class: String,
    pub probability: f32,
    /// What the network says is on it.
    pub predicted: String,
    pub predicted_probability: f32,
    pub method: &'static str,
    /// Files that all networks of this picture share.
    pub activation_maps: String,
    pub feature_maps: String,
    /// With `--channels`: all channels of one tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<String>,
    pub taps: Vec<String>,
    /// Taps at which nothing speaks for the class.
    pub empty_taps: Vec<String>,
    /// With `--masks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_mask: Option<OnMask>,
}

impl ScanRecord {
    /// The picture and, where there are several networks, whose answer it is.
    pub fn name(&self, several: bool) -> String {
        match several {
            true => format!("{}, {}", self.picture, self.network),
            false => self.picture.clone(),
        }
    }

    /// The taps at which there is nothing to see, in words.
    pub fn nothing_there(&self, several: bool) -> String {
        let (class, taps) = (&self.class, self.empty_taps.join(", "));
        format!("{}: nothing speaks for {class} at {taps}", self.name(several))
    }
}

/// Whether more than one network was asked.
pub fn several(drawn: &[ScanRecord]) -> bool {
    drawn.iter().any(|one| one.network != drawn[0].network)
}

/// What was said, where the drawings lie, and the taps at which there is nothing to see.
pub fn in_a_table(drawn: &[ScanRecord]) -> String {
    let several = several(drawn);
    let mut head = vec!["picture", "predicted", "#probability", "maps for", "#its probability"];
    head.extend(["activation maps", "feature maps"]);
    if several {
        head.insert(1, "network");
    }
    let mut table = Table::new(&head);
    for drawn in drawn {
        let mut row = vec![
            drawn.picture.clone(),
            drawn.predicted.clone(),
            format!("{:.4}", drawn.predicted_probability),
            drawn.class.clone(),
            format!("{:.4}", drawn.probability),
            drawn.activation_maps.clone(),
            drawn.feature_maps.clone(),
        ];
        if several {
            row.insert(1, drawn.network.clone());
        }
        table.row(row);
    }
    let mut text = table.to_string();
    for drawn in drawn.iter().filter(|drawn| !drawn.empty_taps.is_empty()) {
        text += &(drawn.nothing_there(several) + "\n");
    }
    if let Some(table) = on_masks(drawn) {
        text += &format!("\n{table}\n{}\n", masks::UNDER);
    }
    text
}

/// How much of the maps lies on the masks, where there are masks: each network's means.
pub fn on_masks(drawn: &[ScanRecord]) -> Option<Table> {
    let mut networks: Vec<(&str, Vec<&OnMask>)> = Vec::new();
    for one in drawn {
        let on_mask = one.on_mask.as_ref()?;
        match networks.iter_mut().find(|(name, _)| *name == one.network) {
            Some((_, all)) => all.push(on_mask),
            None => networks.push((&one.network, vec![on_mask])),
        }
    }
    (!networks.is_empty()).then(|| masks::summary(&networks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(network: &str, class: &str, probability: f32) -> ScanRecord {
        ScanRecord {
            picture: "a.jpg".into(),
            network: network.into(),
            class: class.into(),
            probability,
            predicted: "cat".into(),
            predicted_probability: 0.875,
            method: "grad-cam",
            activation_maps: "m.png".into(),
            feature_maps: "f.png".into(),
            channels: None,
            taps: vec!["t".into()],
            empty_taps: vec!["t".into()],
            on_mask: None,
        }
    }

    /// Whoever asks for dog must still see that the network says cat, and how surely.
    #[test]
    fn the_answer_stands_beside_what_was_asked_for() {
        let text = in_a_table(&[drawn("avg", "dog", 0.125)]);
        let row: Vec<&str> = text.lines().nth(2).unwrap().split_whitespace().collect();
        assert_eq!(row, ["a.jpg", "cat", "0.8750", "dog", "0.1250", "m.png", "f.png"]);
        assert!(text.contains("a.jpg: nothing speaks for dog at t"), "{text}");
        assert!(!text.contains("avg"), "one network needs no name: {text}");
        let text = in_a_table(&[drawn("avg", "cat", 0.875), drawn("max", "cat", 0.875)]);
        assert!(text.contains("network") && text.contains("a.jpg, max: nothing"), "{text}");
    }
}
