//! What distinguishes one DenseNet from another, in the paper's words and as plain data.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::bounds::{self, MOST_MAPS};
use crate::config::Sites;
use crate::error::ModelError;
use crate::layers::Stem;

/// The numbers of one DenseNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseNetConfig {
    /// `k`, the maps each layer adds.
    pub growth: i64,
    /// Layers of each dense block.
    pub blocks: Cow<'static, [i64]>,
    /// The B of BC: a layer's 1×1 convolution makes `bottleneck · k` maps. `null`: a layer has no
    /// 1×1 convolution.
    pub bottleneck: Option<i64>,
    /// The C of BC: `θ`, the share of maps a transition keeps. 1: all of them.
    pub compression: f64,
    /// What stands before the first block; without norm and ReLU where it is small, as the first
    /// layer begins with its own.
    #[serde(with = "StemName")]
    pub stem: Stem,
    /// `k0`, the maps of the stem.
    pub stem_features: i64,
    /// The share of values that training drops after every convolution but the first. The paper
    /// takes 0.2 where it trains without augmentation, and 0 otherwise (§4.2).
    pub dropout: f64,
}

/// Its names in a recipe.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Stem")]
enum StemName {
    #[serde(rename = "imagenet")]
    Large,
    #[serde(rename = "cifar")]
    Small,
}

/// The four networks that the paper compares at one depth and growth (its table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// DenseNet: neither bottlenecks nor compression.
    Basic,
    /// DenseNet-B: bottlenecks of 4k maps.
    B,
    /// DenseNet-C: compression by 0.5.
    C,
    /// DenseNet-BC: both, and twice as many maps in the stem as a layer adds.
    Bc,
}

/// More would shrink any picture to a pixel.
const MOST_BLOCKS: usize = 16;

impl DenseNetConfig {
    /// The network of depth `L` and growth `k` for pictures of 32 px: three blocks of
    /// `(L - 4) / 3` layers, of `(L - 4) / 6` with bottlenecks (§3, implementation details).
    ///
    /// # Errors
    /// A depth that is not of that form.
    pub fn cifar(depth: i64, growth: i64, variant: Variant) -> Result<DenseNetConfig, ModelError> {
        let with_bottlenecks = matches!(variant, Variant::B | Variant::Bc);
        let (convs, want) = match with_bottlenecks {
            false => (3, "3n + 4, such as 40 or 100: three blocks of n layers"),
            true => (6, "6n + 4, such as 40 or 100: three blocks of n layers of two convolutions"),
        };
        let layers = (depth - 4) / convs;
        if layers < 1 || convs * layers + 4 != depth {
            let model = format!("DenseNet {variant:?} with k = {growth}");
            return Err(ModelError::config(&model, "depth L", depth, want));
        }
        Ok(DenseNetConfig {
            growth,
            blocks: vec![layers; 3].into(),
            bottleneck: with_bottlenecks.then_some(4),
            compression: if matches!(variant, Variant::C | Variant::Bc) { 0.5 } else { 1.0 },
            stem: Stem::Small,
            stem_features: if variant == Variant::Bc { 2 * growth } else { 16 },
            dropout: 0.0,
        })
    }

    /// `L`, the layers with weights on the way through: the convolutions and the classifier.
    pub fn depth(&self) -> i64 {
        let convs = if self.bottleneck.is_some() { 2 } else { 1 };
        let layers: i64 = self.blocks.iter().sum();
        1 + convs * layers + (self.blocks.len() as i64 - 1) + 1
    }

    /// How many of `channels` maps a transition keeps: `⌊θ C⌋`.
    pub(super) fn kept(&self, channels: i64) -> i64 {
        (self.compression * channels as f64).floor() as i64
    }

    /// A pooling in the stem for large pictures, one in each transition, one in the head.
    pub fn sites(&self) -> Sites {
        let transitions = self.blocks.len().saturating_sub(1);
        Sites { stem: self.stem.pools(), transitions, head: true }
    }

    /// # Errors
    /// Numbers that no network can have, by name.
    pub(crate) fn check(&self, model: &str) -> Result<(), ModelError> {
        let wrong = |key, value: f64, want: &str| Err(ModelError::config(model, key, value, want));
        let counts = [
            ("growth", self.growth),
            ("bottleneck", self.bottleneck.unwrap_or(1)),
            ("stem_features", self.stem_features),
        ];
        for (key, count) in counts {
            bounds::check(model, key, count, 1..=MOST_MAPS)?;
        }
        bounds::check_layers(model, "blocks", &self.blocks, MOST_BLOCKS)?;
        if !(self.compression > 0.0 && self.compression <= 1.0) {
            return wrong("compression", self.compression, "more than 0, at most 1");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return wrong("dropout", self.dropout, "at least 0, less than 1");
        }
        let mut channels = self.stem_features;
        for layers in &self.blocks[..self.blocks.len() - 1] {
            let all = channels + layers * self.growth;
            channels = self.kept(all);
            if channels < 1 {
                let want = format!("a share that keeps at least one of {all} maps");
                return wrong("compression", self.compression, &want);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    #[test]
    fn rows_are_what_their_names_say() {
        for (row, depth, growth, variant) in [
            (DENSENET_40_12, 40, 12, Variant::Basic),
            (DENSENET_100_12, 100, 12, Variant::Basic),
            (DENSENET_100_24, 100, 24, Variant::Basic),
            (DENSENET_B_40_12, 40, 12, Variant::B),
            (DENSENET_B_100_12, 100, 12, Variant::B),
            (DENSENET_C_40_12, 40, 12, Variant::C),
            (DENSENET_C_100_12, 100, 12, Variant::C),
            (DENSENET_BC_40_12, 40, 12, Variant::Bc),
            (DENSENET_BC_100_12, 100, 12, Variant::Bc),
            (DENSENET_BC_250_24, 250, 24, Variant::Bc),
            (DENSENET_BC_190_40, 190, 40, Variant::Bc),
        ] {
            assert_eq!(row, DenseNetConfig::cifar(depth, growth, variant).unwrap());
            assert_eq!(row.depth(), depth);
        }
        for (row, depth) in [(DENSENET_121, 121), (DENSENET_161, 161), (DENSENET_169, 169)] {
            assert_eq!(row.depth(), depth);
        }
        // The paper's own count of its fourth column is one less than that of the others.
        assert_eq!((DENSENET_201.depth(), DENSENET_264.depth()), (201, 265));
    }

    #[test]
    fn its_stem_has_its_own_names_in_a_recipe() {
        for (row, stem) in [(DENSENET_121, "imagenet"), (DENSENET_40_12, "cifar")] {
            let text = serde_json::to_string(&row).unwrap();
            assert!(text.contains(&format!(r#""stem":"{stem}""#)), "{text}");
            assert_eq!(serde_json::from_str::<DenseNetConfig>(&text).unwrap(), row);
        }
    }

    #[test]
    fn a_depth_of_another_form_is_refused() {
        for (depth, variant) in
            [(41, Variant::Basic), (43, Variant::B), (4, Variant::C), (-2, Variant::Bc)]
        {
            let error = DenseNetConfig::cifar(depth, 12, variant).unwrap_err().to_string();
            assert!(error.contains(&format!("depth L is {depth}, want")), "{error}");
        }
    }

    #[test]
    fn impossible_numbers_are_refused_by_name_and_value() {
        let row = || DENSENET_BC_40_12;
        let refuse = |config: DenseNetConfig, message: &str| {
            let error = config.check("some").unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(message), "{error}");
        };
        row().check("some").unwrap();
        refuse(DenseNetConfig { growth: 0, ..row() }, "model some: growth is 0, want 1 to 65536");
        refuse(DenseNetConfig { bottleneck: Some(-4), ..row() }, "bottleneck is -4, want");
        refuse(DenseNetConfig { stem_features: 0, ..row() }, "stem_features is 0, want");
        refuse(
            DenseNetConfig { blocks: vec![].into(), ..row() },
            "blocks is [], want 1 to 16 numbers",
        );
        refuse(DenseNetConfig { blocks: vec![6, 0].into(), ..row() }, "blocks is [6, 0], want");
        for value in [0.0, -0.5, 1.5, f64::NAN] {
            let message = format!("compression is {value}, want more than 0, at most 1");
            refuse(DenseNetConfig { compression: value, ..row() }, &message);
        }
        refuse(DenseNetConfig { compression: 0.01, ..row() }, "at least one of 96 maps");
        for value in [-0.2, 1.0, f64::NAN] {
            let message = format!("dropout is {value}, want at least 0, less than 1");
            refuse(DenseNetConfig { dropout: value, ..row() }, &message);
        }
    }

    #[test]
    fn a_transition_keeps_the_floor_of_its_share() {
        assert_eq!(DenseNetConfig { compression: 0.5, ..DENSENET_121 }.kept(255), 127);
        assert_eq!(DenseNetConfig { compression: 1.0, ..DENSENET_121 }.kept(255), 255);
    }
}
