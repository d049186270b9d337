//! What a model is, as plain data: nothing here has a default, because everything here changes a
//! result. A recipe holds a [`ModelConfig`], and a run writes it down.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::convention::Convention;
use crate::error::ModelError;
use crate::mnist::MnistConfig;
use crate::mode::Mode;
use crate::model::Model;
use crate::pool::Pool;
use crate::table::{ModelRow, Shape};

/// Everything that decides what a model computes, apart from the values of its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A row of [`crate::MODELS`].
    pub name: String,
    /// `null`: the shape of that row. Another shape of its family otherwise, such as another
    /// growth, for which the row is only a name.
    pub shape: Option<Shape>,
    /// Its poolings, by site.
    pub pooling: Pooling,
    /// Initial weights and batch norms.
    pub convention: Convention,
    /// Channels of a picture: 3 for colour, 1 for grey.
    pub in_channels: i64,
    /// Logits a picture gets: 1 for two classes (binary cross-entropy), K otherwise.
    pub outputs: i64,
    /// The kind of number it computes in.
    pub precision: Precision,
    /// What training keeps for backward.
    pub memory: Memory,
}

/// Which pooling sits at each site of the network. What a network has no site for is `null` or
/// `[]`: see [`Sites`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pooling {
    /// After the first convolution.
    pub stem: Option<Pool>,
    /// Between two blocks.
    pub transition: Transitions,
    /// Over the whole last map.
    pub head: Option<Pool>,
}

/// The poolings between blocks: one for all of them, or one each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Transitions {
    /// The same in every transition: `"max"`.
    Every(Pool),
    /// In forward order: `["avg", "avg", "max"]`.
    Each(Vec<Pool>),
}

/// The pooling sites a network has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sites {
    /// Whether it pools after its first convolution.
    pub stem: bool,
    /// How many poolings stand between its blocks.
    pub transitions: usize,
    /// Whether it pools its last map to one number a channel.
    pub head: bool,
}

impl ModelConfig {
    /// Logits for so many classes: one tells two apart, else one a class.
    pub fn outputs_for(classes: usize) -> i64 {
        if classes == 2 { 1 } else { classes as i64 }
    }

    /// The same for a message: `1 for 2 classes (one logit tells two apart)`.
    pub fn outputs_in_words(classes: usize) -> String {
        let outputs = ModelConfig::outputs_for(classes);
        format!("{outputs} for {classes} classes (one logit tells two apart)")
    }

    /// Whether such a network can be built, and see one picture of `size_px` × `size_px`. Makes no
    /// weights.
    ///
    /// # Errors
    /// As [`Model::build`] and [`Model::check_input`].
    pub fn check(&self, size_px: i64) -> Result<(), ModelError> {
        let shape = [1, self.in_channels, size_px, size_px];
        Model::without_values(self)?.check_input(&shape, Mode::Eval)
    }

    /// The same for pictures of `size_px`. Only the MNIST notebooks' networks have a size, since
    /// their linear layer reads every pixel of the last map; all others take any.
    ///
    /// # Errors
    /// A name that is no row's.
    pub fn for_pictures(self, size_px: i64) -> Result<ModelConfig, ModelError> {
        let row = &ModelRow::find(&self.name)?.shape;
        match self.shape.as_ref().unwrap_or(row) {
            Shape::Mnist(mnist) if mnist.picture_px != size_px => {
                let shape = Shape::Mnist(MnistConfig { picture_px: size_px, net: mnist.net });
                Ok(ModelConfig { shape: (shape != *row).then_some(shape), ..self })
            }
            _ => Ok(self),
        }
    }
}

impl Pooling {
    /// The pooling of a network with transitions: max in the stem, as in the paper and in both
    /// arms of the study, `transitions` in every transition, `head` over the last map.
    pub fn densenet(transitions: Pool, head: Pool) -> Pooling {
        Pooling {
            stem: Some(Pool::Max),
            transition: Transitions::Every(transitions),
            head: Some(head),
        }
    }

    /// The pooling of any network: max in the stem, `transition` in every transition, `head` over
    /// the last map, each where `sites` has such a site.
    pub fn for_sites(sites: Sites, transition: Pool, head: Pool) -> Pooling {
        Pooling {
            stem: sites.stem.then_some(Pool::Max),
            transition: match sites.transitions {
                0 => Transitions::Each(Vec::new()),
                _ => Transitions::Every(transition),
            },
            head: sites.head.then_some(head),
        }
    }

    /// The poolings of the transitions, one each.
    ///
    /// # Errors
    /// A site that the network lacks, or one that got no pooling.
    pub(crate) fn resolve(&self, model: &str, sites: Sites) -> Result<Vec<Pool>, ModelError> {
        let wrong = |key, value: &str, want: &str| Err(ModelError::config(model, key, value, want));
        let ends = [
            ("pooling.stem", self.stem, sites.stem, "a pooling for its stem"),
            ("pooling.head", self.head, sites.head, "a pooling for its head"),
        ];
        for (key, pool, exists, want) in ends {
            match pool {
                Some(pool) if !exists => {
                    return wrong(key, pool.row().name, "null: it has no such site");
                }
                None if exists => return wrong(key, "null", want),
                _ => {}
            }
        }
        match (&self.transition, sites.transitions) {
            (Transitions::Every(pool), 0) => {
                wrong("pooling.transition", pool.row().name, "[]: it has no transitions")
            }
            (Transitions::Every(pool), count) => Ok(vec![*pool; count]),
            (Transitions::Each(pools), count) if pools.len() == count => Ok(pools.clone()),
            (Transitions::Each(pools), count) => wrong(
                "pooling.transition",
                &format!("{} poolings", pools.len()),
                &format!("{count}, one a transition"),
            ),
        }
    }
}

/// The kind of number the convolutions compute in. Weights, batch-norm statistics, head and logits
/// are 32-bit either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit throughout.
    Fp32,
    /// 16-bit with the exponent of 32-bit: half the memory, and fast where the CPU has AMX.
    Bf16,
}

impl Precision {
    /// The picture in the kind the convolutions compute in: each layer follows its input's.
    pub fn enter(self, x: &Tensor) -> Tensor {
        match self {
            Precision::Fp32 => x.shallow_clone(),
            Precision::Bf16 => x.to_kind(Kind::BFloat16),
        }
    }

    /// The last maps in the head's kind: they are small, and the logits must not be rounded.
    pub fn leave(self, x: &Tensor) -> Tensor {
        match self {
            Precision::Fp32 => x.shallow_clone(),
            Precision::Bf16 => x.to_kind(Kind::Float),
        }
    }
}

/// What a training forward keeps for backward. It changes no result: gradients and running
/// statistics are the same bits either way (tested).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// All that backward needs: the fastest.
    Keep,
    /// Of a dense network the convolutions' outputs only; concatenation, batch norm and ReLU are
    /// computed again in backward ([`crate::densenet`]). Other networks refuse it.
    Recompute,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_gets_a_pooling_that_resolves() {
        for transitions in [0, 1, 3] {
            for (stem, head) in [(true, true), (false, true), (false, false)] {
                let sites = Sites { stem, transitions, head };
                let pooling = Pooling::for_sites(sites, Pool::Avg, Pool::Max);
                assert_eq!(pooling.resolve("any", sites).unwrap(), vec![Pool::Avg; transitions]);
            }
        }
        let sites = Sites { stem: true, transitions: 3, head: true };
        let densenet = Pooling::densenet(Pool::Avg, Pool::Max);
        assert_eq!(Pooling::for_sites(sites, Pool::Avg, Pool::Max), densenet);
        let without = Sites { stem: false, transitions: 0, head: false };
        let message = densenet.resolve("any", without).unwrap_err().to_string();
        assert!(message.contains("pooling.stem is max, want null"), "{message}");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let config = ModelConfig {
            name: "densenet121".into(),
            shape: None,
            pooling: Pooling::densenet(Pool::Avg, Pool::Max),
            convention: Convention::Keras,
            in_channels: 3,
            outputs: 1,
            precision: Precision::Bf16,
            memory: Memory::Keep,
        };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ModelConfig>(&text).unwrap(), config);
        assert!(text.contains(r#""transition":"avg","head":"max""#), "{text}");
        let wrong = text.replace("outputs", "classes");
        let message = serde_json::from_str::<ModelConfig>(&wrong).unwrap_err().to_string();
        assert!(message.contains("classes"), "{message}");
    }
}
