//! Pictures of a batch mixed with each other: mixup (Zhang et al. 2018, arXiv:1710.09412) and
//! CutMix (Yun et al. 2019, arXiv:1905.04899), with torchvision 0.26's formulas.
//!
//! Picture i of a batch is mixed with picture i − 1 (the first with the last), as torchvision's
//! `roll(1, 0)`. Every picture draws its own share λ from Beta(α, α), where torchvision draws one
//! for the whole batch: so a draw belongs to a picture and not to the batch it happens to be in.
//! The loss is λ · loss(own label) + (1 − λ) · loss(the other's label).

use serde::{Deserialize, Serialize};

use super::step::Rectangle;
use crate::draw::Stream;
use crate::error::DataError;

/// How pictures of a batch are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Mix {
    /// λ · own + (1 − λ) · other, λ ~ Beta(α, α).
    Mixup {
        /// 0.2 is customary.
        alpha: f64,
    },
    /// A rectangle of 1 − λ of the area is the other's; λ is then corrected to what was cut.
    CutMix {
        /// 1 is customary: λ uniform.
        alpha: f64,
    },
}

/// How one picture is mixed with another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mixed {
    /// Its own share λ.
    Blend(f64),
    /// What of it is the other's.
    Patch(Rectangle),
}

impl Mixed {
    /// λ, what remains of the picture itself, of `size_px` a side.
    pub fn own_share(&self, size_px: u32) -> f64 {
        match self {
            Mixed::Blend(share) => *share,
            Mixed::Patch(patch) => {
                let area = f64::from(patch.width) * f64::from(patch.height);
                1.0 - area / (f64::from(size_px) * f64::from(size_px))
            }
        }
    }
}

impl Mix {
    pub(super) fn validate(&self) -> Result<(), DataError> {
        let (Mix::Mixup { alpha } | Mix::CutMix { alpha }) = *self;
        if alpha > 0.0 && alpha <= 100.0 {
            return Ok(());
        }
        let (key, want) = ("augment.mix.alpha".into(), "above 0, at most 100".into());
        Err(DataError::Config { key, value: alpha.to_string(), want })
    }

    pub(super) fn draw(&self, stream: &mut Stream, size_px: u32) -> Mixed {
        match *self {
            Mix::Mixup { alpha } => Mixed::Blend(beta(stream, alpha)),
            Mix::CutMix { alpha } => {
                let half = 0.5 * (1.0 - beta(stream, alpha)).sqrt();
                let reach = (half * f64::from(size_px)) as i64;
                let mut side = || {
                    let centre = stream.below(size_px.into()) as i64;
                    let low = (centre - reach).max(0);
                    let high = (centre + reach).min(size_px.into());
                    (low as u32, (high - low) as u32)
                };
                let ((left, width), (top, height)) = (side(), side());
                Mixed::Patch(Rectangle { top, left, height, width })
            }
        }
    }
}

/// Beta(α, α) as a ratio of two gammas.
fn beta(stream: &mut Stream, alpha: f64) -> f64 {
    let (a, b) = (gamma(stream, alpha), gamma(stream, alpha));
    // Both underflow only for a tiny α, whose Beta is a coin.
    if a + b > 0.0 { a / (a + b) } else { f64::from(u8::from(stream.coin())) }
}

/// Gamma(α, 1) by Marsaglia and Tsang (2000); below 1 by their remark, Γ(α) = Γ(α + 1) · U^(1/α).
fn gamma(stream: &mut Stream, alpha: f64) -> f64 {
    if alpha < 1.0 {
        let power = stream.unit().powf(1.0 / alpha);
        return gamma(stream, alpha + 1.0) * power;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(stream);
        let v = (1.0 + c * x).powi(3);
        let u = stream.unit();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// Box and Muller's, one of the two.
fn normal(stream: &mut Stream) -> f64 {
    let radius = (-2.0 * (1.0 - stream.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * stream.unit()).cos()
}

#[cfg(feature = "tch")]
impl Mixed {
    /// `[N, C, H, W]` mixed each with the one before it, and `[N]` own shares λ, f32.
    ///
    /// # Panics
    /// Where there is not one draw a picture, all of one kind.
    pub fn apply(x: &tch::Tensor, mixed: &[Mixed]) -> (tch::Tensor, tch::Tensor) {
        use crate::batch::sent;
        use tch::{Kind, Tensor};

        let (n, _, h, w) = x.size4().expect("a batch is [N, C, H, W]");
        assert_eq!(n as usize, mixed.len(), "mix: {n} pictures, {} draws", mixed.len());
        let column = |values: Vec<f32>| {
            sent(Tensor::from_slice(&values).view([n, 1, 1, 1]).to_kind(x.kind()), x.device())
        };
        let shares: Vec<f32> = mixed.iter().map(|m| m.own_share(h as u32) as f32).collect();
        // Where the picture is its own: everywhere λ, or 1 and in the patch 0.
        let own = match mixed.first() {
            Some(Mixed::Patch(_)) => {
                let patches: Vec<Rectangle> = mixed
                    .iter()
                    .map(|m| match m {
                        Mixed::Patch(patch) => *patch,
                        Mixed::Blend(_) => unreachable!("one Mix draws one kind"),
                    })
                    .collect();
                super::op::outside(&patches, h, w, x.device()).to_kind(x.kind())
            }
            _ => column(shares.clone()),
        };
        let other = x.roll([1], [0]);
        let mixed = x * &own + other * (1f64 - &own);
        (mixed, sent(Tensor::from_slice(&shares).to_kind(Kind::Float), x.device()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw;

    fn shares(mix: Mix) -> Vec<f64> {
        let draw = |i| mix.draw(&mut draw::stream(1, 0, i, "mix"), 64).own_share(64);
        (0..4000).map(draw).collect()
    }

    #[test]
    fn shares_have_betas_mean_and_variance() {
        for alpha in [0.2, 1.0, 3.0] {
            let shares = shares(Mix::Mixup { alpha });
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            let mean = shares.iter().sum::<f64>() / 4000.0;
            let variance = shares.iter().map(|s| (s - 0.5).powi(2)).sum::<f64>() / 4000.0;
            let want = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            // Five standard errors of the mean; the variance within a tenth.
            assert!((mean - 0.5).abs() < 5.0 * (want / 4000.0).sqrt(), "{alpha}: mean {mean}");
            assert!((variance / want - 1.0).abs() < 0.1, "{alpha}: {variance}, want {want}");
        }
    }

    #[test]
    fn patches_lie_within_and_share_is_what_remains() {
        let mix = Mix::CutMix { alpha: 1.0 };
        for i in 0..500 {
            let Mixed::Patch(patch) = mix.draw(&mut draw::stream(2, 0, i, "mix"), 32) else {
                panic!("a patch");
            };
            assert!(patch.left + patch.width <= 32 && patch.top + patch.height <= 32);
        }
        let all = Mixed::Patch(Rectangle { top: 0, left: 0, height: 32, width: 32 });
        assert_eq!(all.own_share(32), 0.0);
        assert!(Mix::Mixup { alpha: 0.0 }.validate().is_err());
    }
}
