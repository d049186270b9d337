//! One forward of a batch, and all that comes of it: what the network says, class activation maps
//! at every tap, feature maps. Who asks several things of a picture pays one pass, not one a thing.

use super::passes::Asked;
use super::score::{class_scores, classifier_rows, probabilities, signs};
use super::{CamRow, Cams, GradientOf, How, INPUT, Map, Seen, TapMaps, values};
use crate::VizError;
use catscan_models::{Mode, Model, Taps};
use tch::{Kind, Tensor};

/// A batch that went through a network in Eval mode, and what the network showed on the way.
pub struct Look<'a> {
    model: &'a Model,
    /// `[N, C, H, W]`.
    batch: &'a Tensor,
    kept: Taps,
    /// `[N, K]`.
    logits: Tensor,
}

impl<'a> Look<'a> {
    /// Runs `batch` `[N, C, H, W]` through `model` and keeps what it shows at `taps`; the gradient
    /// of nothing can be had.
    ///
    /// # Errors
    /// An unknown tap, or a picture the model refuses.
    pub fn forward(
        model: &'a Model,
        batch: &'a Tensor,
        taps: &[String],
    ) -> Result<Look<'a>, VizError> {
        let mut kept = checked(model, batch, taps)?;
        let logits = tch::no_grad(|| model.forward(batch, Mode::Eval, &mut kept));
        Ok(Look { model, batch, kept, logits })
    }

    /// The same, and keeps the way back, which [`Look::for_classes`] goes once.
    ///
    /// # Errors
    /// As [`Look::forward`].
    pub fn with_gradients(
        model: &'a Model,
        batch: &'a Tensor,
        taps: &[String],
    ) -> Result<Look<'a>, VizError> {
        let mut kept = checked(model, batch, taps)?;
        // A leaf that wants a gradient, so that every tap has one even if the weights are frozen.
        let x = batch.detach().set_requires_grad(true);
        let logits = tch::with_grad(|| model.forward(&x, Mode::Eval, &mut kept));
        Ok(Look { model, batch, kept, logits })
    }

    /// For each picture one probability a class; one logit means two classes.
    pub fn probabilities(&self) -> Vec<Vec<f32>> {
        probabilities(&self.logits)
    }

    /// The network that looked.
    pub(crate) fn model(&self) -> &Model {
        self.model
    }

    /// What the network showed at a tap that was asked for, of whatever shape and kind.
    pub(crate) fn kept(&self, tap: &str) -> Option<Tensor> {
        Some(self.kept.get(tap)?.detach())
    }

    /// A tap's activation in f32, `[N, C, h, w]`, or that it is none.
    pub(crate) fn activation(&self, tap: &str) -> Result<Tensor, VizError> {
        let activation = self.kept(tap).expect("a tap that was asked for");
        match activation.dim() {
            4 => Ok(activation.to_kind(Kind::Float)),
            _ => Err(VizError::Shape {
                place: format!("tap {tap}"),
                got: format!("{:?}", activation.size()),
                want: "[N, C, H, W]".to_owned(),
                next: "choose a tap before the head",
            }),
        }
    }

    /// Asks for several choices of classes, one class a picture each, such as each picture's answer
    /// and its other class; at `taps` (of those kept) the gradient of each class's score (or
    /// probability) is found. A network with one logit needs one backward for all of them. To be
    /// called once.
    ///
    /// # Errors
    /// A choice that is not a class a picture, or an unknown class.
    pub fn for_classes(
        &self,
        of: GradientOf,
        choices: &[Vec<i64>],
        taps: &[String],
    ) -> Result<Vec<ForClasses<'_>>, VizError> {
        let pictures = self.batch.size()[0];
        if let Some(classes) = choices.iter().find(|some| pictures != some.len() as i64) {
            return Err(VizError::Shape {
                place: "class activation maps".to_owned(),
                got: format!("{} classes", classes.len()),
                want: format!("{pictures}, one for each picture"),
                next: "name a class for each picture of the batch",
            });
        }
        let gradients = self.backward(of, choices, taps)?;
        let of_choice = |(classes, gradients): (&Vec<i64>, Vec<Tensor>)| ForClasses {
            look: self,
            classes: classes.clone(),
            gradients: taps.iter().cloned().zip(gradients).collect(),
        };
        Ok(choices.iter().zip(gradients).map(of_choice).collect())
    }

    /// For each choice of classes the gradient of its score, or probability, at every tap. It is of
    /// the sum over the batch: pictures do not meet in Eval mode, so each gets its own.
    fn backward(
        &self,
        of: GradientOf,
        choices: &[Vec<i64>],
        taps: &[String],
    ) -> Result<Vec<Vec<Tensor>>, VizError> {
        let activation = |name: &String| self.kept.get(name).expect("a kept tap").shallow_clone();
        let activations: Vec<Tensor> = taps.iter().map(activation).collect();
        let run = |score: Tensor, keep: bool| match activations.is_empty() {
            true => Ok(Vec::new()),
            false => Tensor::f_run_backward(&[score], &activations, keep, false)
                .map_err(|source| VizError::Torch { place: "backward pass", source }),
        };
        // The probabilities of two classes are each one less the other, as their scores are
        // negatives.
        let several = self.logits.size()[1] > 1;
        let told = tch::with_grad(|| match of {
            GradientOf::Score => self.logits.shallow_clone(),
            GradientOf::Probability if several => self.logits.softmax(1, Kind::Float),
            GradientOf::Probability => self.logits.to_kind(Kind::Float).sigmoid(),
        });
        // Checked for all choices first: an unknown class is told before anything is computed.
        let scores: Vec<Tensor> = choices
            .iter()
            .map(|classes| tch::with_grad(|| class_scores(&told, classes)))
            .collect::<Result<_, _>>()?;
        if !several {
            let of_logit = run(tch::with_grad(|| told.sum(Kind::Float)), false)?;
            let signed = |classes: &Vec<i64>| {
                let signs = signs(classes, self.logits.device());
                of_logit
                    .iter()
                    .map(|gradient| {
                        let mut shape = vec![1; gradient.dim()];
                        shape[0] = -1;
                        gradient * signs.view(shape.as_slice())
                    })
                    .collect()
            };
            return Ok(choices.iter().map(signed).collect());
        }
        let last = choices.len();
        let one = |(i, score): (usize, Tensor)| {
            run(tch::with_grad(|| score.sum(Kind::Float)), i + 1 < last)
        };
        scores.into_iter().enumerate().map(one).collect()
    }
}

fn checked(model: &Model, batch: &Tensor, taps: &[String]) -> Result<Taps, VizError> {
    let kept = model.taps(taps)?;
    model.check_input(&batch.size(), Mode::Eval)?;
    // Where nothing is to be kept, the network may take its faster way.
    Ok(if taps.is_empty() { Taps::off() } else { kept })
}

/// A batch with a class asked of each picture.
pub struct ForClasses<'a> {
    look: &'a Look<'a>,
    /// One a picture.
    classes: Vec<i64>,
    /// By tap, of each picture's score or probability for its class, `[N, C, h, w]`.
    gradients: Vec<(String, Tensor)>,
}

impl ForClasses<'_> {
    pub(crate) fn look(&self) -> &Look<'_> {
        self.look
    }

    /// The gradient at a tap that was asked for, in f32.
    pub(crate) fn gradient(&self, tap: &str) -> Tensor {
        let found = self.gradients.iter().find(|(of, _)| of == tap);
        found.expect("a tap whose gradient was asked for").1.to_kind(Kind::Float)
    }

    /// The maps that `row` makes at `taps`, all of them kept and, for a method of one pass, with
    /// their gradients. A method that looks at the picture itself makes one map, whatever the taps.
    ///
    /// # Errors
    /// A tap that is not a map, or not one for this method; NaN in a map.
    pub fn maps(&self, row: &CamRow, taps: &[String]) -> Result<Cams, VizError> {
        let Look { model, batch, logits, .. } = self.look;
        let logits = logits.detach();
        let asked = || Asked::new(model, batch, &self.classes, &logits);
        let taps = match row.how {
            How::Tap(combine) | How::Probability(combine) => {
                let classifier = classifier_rows(model, &self.classes)?;
                let probability = self.probability();
                let last = model.block_names().pop();
                let of_tap = |tap: &String| {
                    let seen = Seen {
                        tap,
                        is_last: last.as_ref() == Some(tap),
                        activation: &self.look.activation(tap)?,
                        gradient: &self.gradient(tap),
                        classifier: &classifier,
                        probability: &probability,
                    };
                    finite(row, tap, &tch::no_grad(|| combine(&seen))?)
                };
                taps.iter().map(of_tap).collect::<Result<_, _>>()?
            }
            How::Passes(map) => {
                let asked = asked()?;
                let of_tap = |tap: &String| {
                    let activation = self.look.activation(tap)?;
                    finite(row, tap, &tch::no_grad(|| map(&asked, tap, &activation))?)
                };
                taps.iter().map(of_tap).collect::<Result<_, _>>()?
            }
            How::Input(map) => vec![finite(row, INPUT, &map(&asked()?)?)?],
        };
        Ok(Cams { method: row.name, taps, probabilities: self.look.probabilities() })
    }

    /// Of each picture's class, `[N]`.
    fn probability(&self) -> Tensor {
        let shares = self.look.probabilities();
        let share = |(n, class): (usize, &i64)| shares[n][*class as usize];
        let probability: Vec<f32> = self.classes.iter().enumerate().map(share).collect();
        Tensor::from_slice(&probability).to_device(self.look.batch.device())
    }
}

/// The maps `[N, H, W]` of a tap, each looked through for NaN.
fn finite(row: &CamRow, tap: &str, map: &Tensor) -> Result<TapMaps, VizError> {
    let size = map.size();
    let (height, width) = (size[1] as u32, size[2] as u32);
    let one = |n: i64| {
        let signed = values(&map.get(n));
        let bad = signed.iter().filter(|v| !v.is_finite()).count();
        if bad > 0 {
            let place = format!("{} of picture {n} at {tap}", row.name);
            return Err(VizError::NotFinite { place, count: bad, total: signed.len() });
        }
        Ok(Map { height, width, signed })
    };
    Ok(TapMaps { tap: tap.to_owned(), maps: (0..size[0]).map(one).collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::testing;
    use crate::colormap::Colormap;
    use crate::feature_maps::{self, ChannelLayout, ChannelScale, GridLayout, Order};
    use image::RgbImage;

    /// What one pass of three pictures gives is what each alone gets by passes of its own.
    #[test]
    fn one_pass_of_a_batch_is_each_picture_alone() {
        let (model, x) = (testing::network(), testing::pictures(3));
        let (blocks, tap) = (model.block_names(), "features.denseblock2".to_owned());
        let layout = ChannelLayout {
            columns: 4,
            tile_px: 24,
            order: Order::Weight { class: 1 },
            scale: ChannelScale::Own,
            colormap: Colormap::Grey,
            most: 5,
        };
        let mut taps = [blocks.clone(), model.conv_names()].concat();
        taps.push(tap.clone());
        let look = Look::with_gradients(&model, &x, &taps).unwrap();
        let at = [blocks.clone(), vec![tap.clone()]].concat();
        let asked = look.for_classes(GradientOf::Score, &[vec![1; 3]], &at).unwrap().remove(0);
        let row = CamRow::find("grad-cam").unwrap();
        let together = asked.maps(row, &blocks).unwrap();
        let picture = RgbImage::new(32, 32);
        for n in 0..3 {
            let one = x.narrow(0, n as i64, 1);
            let alone = super::super::explain(row, &model, &one, &[1], &blocks).unwrap();
            for (a, b) in together.of_picture(n).iter().zip(alone.of_picture(0)) {
                let largest = b.signed.iter().fold(1e-6f32, |most, v| most.max(v.abs()));
                let off = a.signed.iter().zip(&b.signed).map(|(a, b)| (a - b).abs());
                assert!(off.fold(0.0, f32::max) < 1e-3 * largest);
            }
            let grid = feature_maps::grid_of(&look, n, &picture, &GridLayout::study()).unwrap();
            let own = feature_maps::grid(&model, &one, &picture, &GridLayout::study()).unwrap();
            assert_eq!(grid.tiles.len(), own.tiles.len());
            assert!(
                grid.tiles
                    .iter()
                    .zip(&own.tiles)
                    .all(|(a, b)| a.tap == b.tap
                        && (a.max - b.max).abs() < 1e-3 * (1.0 + b.max.abs()))
            );
            let drawn = feature_maps::channels_of(&asked, n, &picture, &tap, &layout).unwrap();
            let own = feature_maps::channels(&model, &one, &picture, &tap, &layout).unwrap();
            let channels = |of: &feature_maps::FeatureGrid| -> Vec<i64> {
                of.tiles.iter().map(|tile| tile.channel).collect()
            };
            assert_eq!(channels(&drawn), channels(&own));
        }
        assert_eq!(together.probabilities, look.probabilities());
    }
}
