//! Every row of POOLS at every site it serves: parity with torch, timm and the papers' formulas
//! (`scripts/golden/pools.py`), layouts and kinds, padding, and gradients that stay finite.

use catscan_models::{Draws, Extent, Mode, POOLS, Pool, PoolLayer, PoolRow, Site, Weight};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::support::{channels_last, closed_form, is_channels_last, training};

/// The largest error allowed in 64-bit, against the largest entry of its tensor. The golden has
/// eight digits; our own rounding, and what is added under roots and logarithms, stay below that.
const TOLERANCE: f64 = 1e-7;

const SITES: [(&str, Extent); 3] =
    [("stem", Extent::STEM), ("transition", Extent::TRANSITION), ("global", Extent::Global)];

/// The extents that a row serves, by site.
fn sites(row: &PoolRow) -> impl Iterator<Item = (&'static str, Extent)> {
    let serves = [row.windows, row.windows, row.global];
    SITES.into_iter().zip(serves).filter_map(|(site, serves)| serves.then_some(site))
}

fn layer(pool: Pool, extent: Extent, channels: i64) -> (Box<dyn PoolLayer>, Vec<Weight>) {
    pool.layer(Site { name: "pool", channels, extent }, Device::Cpu).unwrap()
}

/// Numbers in [-2, 2) that 32 bits hold exactly, in 64-bit, as `values` in the script.
fn values(name: &str, shape: &[i64]) -> Tensor {
    let numbers = closed_form(name, shape.iter().product::<i64>() as usize);
    let numbers: Vec<f32> = numbers.into_iter().map(|v| (v * 2.0) as f32).collect();
    Tensor::from_slice(&numbers).view(shape).to_kind(Kind::Double)
}

#[test]
fn every_row_equals_its_reference_at_every_site() {
    let golden: Value = serde_json::from_str(include_str!("../golden/pools.json")).unwrap();
    let shape: Vec<i64> = serde_json::from_value(golden["input"].clone()).unwrap();
    let mut left: Vec<&Value> = golden["poolings"].as_array().unwrap().iter().collect();
    for row in POOLS {
        for (site, extent) in sites(row) {
            let found =
                left.iter().position(|want| want["pool"] == row.name && want["site"] == site);
            let want = left.swap_remove(found.unwrap_or_else(|| panic!("{} {site}", row.name)));
            compare(row.pool, extent, &shape, want);
        }
    }
    assert!(left.is_empty(), "goldens of no row: {left:?}");
}

fn compare(pool: Pool, extent: Extent, shape: &[i64], want: &Value) {
    let label = format!("{} {}", want["pool"], want["site"]);
    let (layer, learned) = layer(pool, extent, shape[1]);
    for weight in &learned {
        let key = weight.name.strip_prefix("pool.").unwrap();
        let start = if key == "p" { 3.0 } else { 0.0 };
        weight.tensor.shallow_clone().set_data(&(values(key, &weight.tensor.size()) + start));
    }
    let x = values("map", shape).set_requires_grad(true);
    let y = layer.forward(&x, Mode::Eval);
    assert_eq!(serde_json::to_value(y.size()).unwrap(), want["shape"], "{label}");
    assert_eq!(y.size()[1], layer.out_channels(shape[1]), "{label}");
    (&y * values("gradient", &y.size())).sum(Kind::Double).backward();
    assert_near(&label, &y, &want["output"]);
    assert_near(&format!("{label}: gradient"), &x.grad(), &want["gradient"]);
    let gradients = want["learned"].as_object().unwrap();
    assert_eq!(learned.len(), gradients.len(), "{label}: {learned:?}");
    for weight in &learned {
        let key = weight.name.strip_prefix("pool.").unwrap();
        assert_near(&format!("{label}: {key}"), &weight.tensor.grad(), &gradients[key]);
    }
}

fn assert_near(label: &str, got: &Tensor, want: &Value) {
    let want: Vec<f64> = serde_json::from_value(want.clone()).unwrap();
    let got = Vec::<f64>::try_from(got.flatten(0, -1)).unwrap();
    assert_eq!(got.len(), want.len(), "{label}");
    let scale = want.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!((got - want).abs() < TOLERANCE * scale, "{label} [{i}]: got {got}, want {want}");
    }
}

#[test]
fn kind_and_layout_are_the_maps_own() {
    let shape = [3, 4, 9, 6];
    for row in POOLS {
        for (site, extent) in sites(row) {
            let (layer, _) = layer(row.pool, extent, shape[1]);
            for mode in [Mode::Eval, training(3)] {
                let label = format!("{} {site} {mode:?}", row.name);
                // Values that bf16 holds exactly, so that both kinds draw the same.
                let half = values("map", &shape).to_kind(Kind::BFloat16);
                let (full, last) = (half.to_kind(Kind::Float), channels_last(&half));
                let [y, y_half, y_last] = [&full, &half, &last].map(|x| layer.forward(x, mode));
                assert_eq!((y.kind(), y_half.kind()), (Kind::Float, Kind::BFloat16), "{label}");
                assert!(y.is_contiguous() && y_half.is_contiguous(), "{label}");
                assert!(extent == Extent::Global || is_channels_last(&y_last), "{label}");
                // bf16 keeps 8 bits, 4e-3; a blur rounds three times.
                let error = |half: &Tensor| (half.to_kind(Kind::Float) - &y).abs().max();
                for error in [error(&y_half), error(&y_last)] {
                    let most = y.abs().max().double_value(&[]);
                    assert!(error.double_value(&[]) < 0.012 * most, "{label}: {error:?}");
                }
            }
        }
    }
}

#[test]
fn padding_counts_as_its_card_says() {
    let ones = Tensor::ones([1, 1, 6, 6], (Kind::Double, Device::Cpu));
    for row in POOLS.iter().filter(|row| row.windows) {
        // Four of the nine values of the first window are real.
        let zeros: f64 = 4.0 / 9.0;
        let want = match row.pool {
            Pool::Avg => zeros,
            Pool::Lp => zeros.sqrt(),
            Pool::Gem => zeros.cbrt(),
            Pool::Mixed | Pool::Gated | Pool::AvgMax => (1.0 + zeros) / 2.0,
            _ => 1.0, // padding is never chosen and weighs nothing
        };
        for mode in [Mode::Eval, training(1)] {
            let y = layer(row.pool, Extent::STEM, 1).0.forward(&ones, mode);
            let (corner, middle) = (y.double_value(&[0, 0, 0, 0]), y.double_value(&[0, 0, 1, 1]));
            assert!((corner - want).abs() < 1e-6, "{} {mode:?}: {corner}, want {want}", row.name);
            assert!((middle - 1.0).abs() < 1e-6, "{} {mode:?}: {middle}", row.name);
        }
    }
}

#[test]
fn nothing_overflows_and_every_gradient_is_finite() {
    let map = values("map", &[2, 2, 6, 6]).to_kind(Kind::Float);
    let even = map.ones_like();
    for row in POOLS {
        for (site, extent) in sites(row) {
            for factor in [0.0, 1e-42, 1e-20, 1.0, 1e4, 1e20] {
                for base in [&map, &even, &-&even] {
                    let x = base * factor;
                    let finite = is_finite(row.pool, extent, &x)
                        && is_finite(row.pool, extent, &x.to_kind(Kind::BFloat16));
                    assert!(finite, "{} {site} × {factor}: {x}", row.name);
                }
            }
        }
    }
}

/// Whether output and gradients are finite, in evaluation and in training. The gradient of gated
/// pooling's mask is left out where it is beyond 32 bits: it is truly of the order of x².
fn is_finite(pool: Pool, extent: Extent, x: &Tensor) -> bool {
    let squares_fit = x.abs().max().double_value(&[]) < 1e18;
    [Mode::Eval, training(2)].into_iter().all(|mode| {
        let (layer, learned) = layer(pool, extent, 2);
        let x = x.detach().set_requires_grad(true);
        let y = layer.forward(&x, mode);
        y.sum(Kind::Float).backward();
        let learned = learned.iter().filter(|_| squares_fit).map(|weight| weight.tensor.grad());
        let mut tensors = learned.chain([x.grad(), y]);
        tensors.all(|tensor| tensor.isfinite().all().int64_value(&[]) == 1)
    })
}

#[test]
fn only_the_layers_that_draw_ask_for_draws() {
    let x = values("map", &[2, 1, 4, 4]);
    let samples = [5, 6];
    for row in POOLS {
        for (site, extent) in sites(row) {
            let (layer, _) = layer(row.pool, extent, 1);
            let train = |seed, epoch| {
                layer.forward(&x, Mode::Train(Draws { seed, epoch, samples: &samples }))
            };
            assert_eq!(train(1, 1), train(1, 1), "{} {site}", row.name);
            let draws = (2..20).any(|seed| train(seed, 1) != train(1, 1))
                && (2..20).any(|epoch| train(1, epoch) != train(1, 1));
            let want = [Pool::Stochastic, Pool::S3].contains(&row.pool);
            assert_eq!(draws, want, "{} {site}", row.name);
        }
    }
}

#[test]
fn a_pooling_is_refused_where_it_has_no_meaning() {
    for (pool, extent, want) in [
        (Pool::Gated, Extent::Global, "pooling is gated at head, want a pooling of whole maps"),
        (Pool::CatAvgMax, Extent::STEM, "pooling is catavgmax at head, want a pooling of windows"),
    ] {
        let site = Site { name: "head", channels: 1, extent };
        let message = pool.layer(site, Device::Cpu).unwrap_err().to_string();
        assert!(message.contains(want), "{message}");
    }
}
