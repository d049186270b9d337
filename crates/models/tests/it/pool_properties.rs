//! What is true of the poolings on any map: bounds and limits, translations, fixed points, and what
//! the drawn ones draw.

use catscan_models::pool::gem::GemPool;
use catscan_models::pool::lp::LpPool;
use catscan_models::pool::lse::LsePool;
use catscan_models::pool::s3::S3Pool;
use catscan_models::{Draws, Extent, Mode, POOLS, Pool, PoolLayer, Site};
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

/// Rounding in 64-bit, and what is added under roots.
const ROUNDING: f64 = 1e-9;

const WHOLE: [Extent; 2] = [Extent::TRANSITION, Extent::Global];

/// A map `[1, 1, H, W]` of numbers in `range`, of random size.
fn maps(range: std::ops::Range<f64>) -> impl Strategy<Value = Tensor> {
    (2usize..9, 2usize..9).prop_flat_map(move |(height, width)| {
        prop::collection::vec(range.clone(), height * width)
            .prop_map(move |v| Tensor::from_slice(&v).view([1, 1, height as i64, width as i64]))
    })
}

fn layer(pool: Pool, extent: Extent) -> Box<dyn PoolLayer> {
    pool.layer(Site { name: "pool", channels: 1, extent }, Device::Cpu).unwrap().0
}

fn eval(pool: Pool, extent: Extent, x: &Tensor) -> Tensor {
    tch::no_grad(|| layer(pool, extent).forward(x, Mode::Eval))
}

/// Whether no entry of `a` is above its entry of `b`.
fn below(a: &Tensor, b: &Tensor) -> bool {
    a.size() == b.size() && (a - b).max().double_value(&[]) < ROUNDING
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

/// Values of the largest window: what a mean over it divides by.
fn values_in_window(extent: Extent, x: &Tensor) -> f64 {
    match extent {
        Extent::Window { size, .. } => (size * size) as f64,
        Extent::Global => (x.size()[2] * x.size()[3]) as f64,
    }
}

/// Whether `value` stands in the cell of 2×2 of `x` that begins at `2i`, `2j`.
fn in_cell(x: &Tensor, i: i64, j: i64, value: f64) -> bool {
    let cell = |start: i64, size: i64| start..(start + 2).min(size);
    cell(2 * i, x.size()[2]).any(|row| {
        cell(2 * j, x.size()[3]).any(|column| x.double_value(&[0, 0, row, column]) == value)
    })
}

fn gem(extent: Extent, p: f64, x: &Tensor) -> Tensor {
    GemPool { extent, p: Tensor::from_slice(&[p]) }.forward(x, Mode::Eval)
}

fn lp(extent: Extent, p: f64, x: &Tensor) -> Tensor {
    LpPool { extent, p }.forward(x, Mode::Eval)
}

fn lse(extent: Extent, r: f64, x: &Tensor) -> Tensor {
    LsePool { extent, r }.forward(x, Mode::Eval)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn on_maps_that_are_not_negative_all_lie_between_mean_and_maximum(x in maps(0.001..1.0)) {
        for extent in [Extent::STEM, Extent::TRANSITION, Extent::Global] {
            let (mean, most) = (eval(Pool::Avg, extent, &x), eval(Pool::Max, extent, &x));
            prop_assert!(below(&mean, &most));
            for pool in ["lp", "gem", "soft", "lse", "stochastic", "mixed", "avgmax"] {
                let y = eval(pool.parse().unwrap(), extent, &x);
                prop_assert!(below(&mean, &y) && below(&y, &most), "{pool} {extent:?} {x}");
            }
        }
    }

    #[test]
    fn without_padding_so_do_these_on_signed_maps(x in maps(-3.0..3.0)) {
        for extent in WHOLE {
            let (mean, most) = (eval(Pool::Avg, extent, &x), eval(Pool::Max, extent, &x));
            for pool in [Pool::Soft, Pool::Lse, Pool::Stochastic, Pool::Mixed, Pool::AvgMax] {
                let y = eval(pool, extent, &x);
                prop_assert!(below(&mean, &y) && below(&y, &most), "{pool:?} {extent:?} {x}");
            }
        }
    }

    #[test]
    fn lp_and_gem_go_from_mean_to_maximum(x in maps(0.05..1.0)) {
        for extent in WHOLE {
            let (mean, most) = (eval(Pool::Avg, extent, &x), eval(Pool::Max, extent, &x));
            let root = |p: f64| values_in_window(extent, &x).powf(-1.0 / p);
            for norm in [lp, gem] {
                prop_assert!(distance(&norm(extent, 1.0, &x), &mean) < ROUNDING);
                let [two, four, sixteen] = [2.0, 4.0, 16.0].map(|p| norm(extent, p, &x));
                prop_assert!(below(&mean, &two) && below(&two, &four) && below(&four, &sixteen));
                prop_assert!(below(&sixteen, &most));
                prop_assert!(below(&(&most * root(16.0)), &sixteen));
            }
            let far = gem(extent, 5000.0, &x);
            prop_assert!(below(&far, &most) && below(&(&most * root(5000.0)), &far));
        }
    }

    #[test]
    fn lse_goes_from_mean_to_maximum(x in maps(-3.0..3.0)) {
        for extent in WHOLE {
            let (mean, most) = (eval(Pool::Avg, extent, &x), eval(Pool::Max, extent, &x));
            // log mean exp(r x) / r = mean + r variance / 2 + …, and the variance is below 9.
            prop_assert!(distance(&lse(extent, 1e-6, &x), &mean) < 1e-5);
            let [one, five, far] = [1.0, 5.0, 1000.0].map(|r| lse(extent, r, &x));
            prop_assert!(below(&mean, &one) && below(&one, &five) && below(&five, &far));
            let gap = values_in_window(extent, &x).ln() / 1000.0;
            prop_assert!(below(&far, &most) && below(&(&most - gap), &far));
        }
    }

    #[test]
    fn even_maps_are_fixed_points(value in -3.0..3.0f64, height in 2i64..9, width in 2i64..9) {
        let x = Tensor::full([2, 1, height, width], value, (Kind::Double, Device::Cpu));
        let train = Mode::Train(Draws { seed: 3, epoch: 0, samples: &[1, 2] });
        for row in POOLS {
            let want = match row.pool {
                Pool::Lp => value.abs(),
                Pool::Gem => value.max(1e-6),
                _ => value,
            };
            for (extent, able) in WHOLE.into_iter().zip([row.windows, row.global]) {
                for mode in [Mode::Eval, train] {
                    if able {
                        let y = layer(row.pool, extent).forward(&x, mode) - want;
                        let error = y.abs().max().double_value(&[]);
                        prop_assert!(error < ROUNDING, "{} {extent:?}: off by {error}", row.name);
                    }
                }
            }
        }
    }

    #[test]
    fn moving_the_map_by_a_stride_moves_the_result_by_one(
        centre in prop::collection::vec(-3.0..3.0f64, 36), down in 0i64..3, right in 0i64..3,
    ) {
        let zeros = Tensor::zeros([1, 1, 20, 20], (Kind::Double, Device::Cpu));
        let place = |top: i64, left: i64| {
            let x = zeros.copy();
            x.narrow(2, top, 6).narrow(3, left, 6).copy_(&Tensor::from_slice(&centre).view([6, 6]));
            x
        };
        let (x, moved) = (place(7, 7), place(7 + 2 * (down - 1), 7 + 2 * (right - 1)));
        for row in POOLS.iter().filter(|row| row.windows) {
            for extent in [Extent::STEM, Extent::TRANSITION] {
                let y = eval(row.pool, extent, &x).roll([down - 1, right - 1], [2, 3]);
                let y_moved = eval(row.pool, extent, &moved);
                // The border, where padding is, does not move.
                let inner = |y: &Tensor| y.narrow(2, 2, 6).narrow(3, 2, 6);
                prop_assert!(distance(&inner(&y), &inner(&y_moved)) < ROUNDING, "{}", row.name);
            }
        }
    }

    #[test]
    fn moving_an_edge_by_a_pixel_disturbs_a_blur_less_than_a_maximum(
        low in -2.0..0.0f64, high in 0.5..2.0f64, edge in 4i64..12, upright: bool,
    ) {
        let line = |edge: i64| {
            let ramp = Tensor::arange(16, (Kind::Double, Device::Cpu)).ge(edge as f64);
            let line = ramp.to_kind(Kind::Double) * (high - low) + low;
            let x = line.view([1, 1, 1, 16]).repeat([1, 1, 16, 1]);
            if upright { x } else { x.transpose(2, 3) }
        };
        for extent in [Extent::STEM, Extent::TRANSITION] {
            // Half-way between two positions a stride apart, the result should be half-way too.
            let error = |pool| {
                let pooled = |pixels| eval(pool, extent, &line(edge + pixels));
                let [before, between, after] = [0, 1, 2].map(pooled);
                (between - (before + after) * 0.5).abs().max().double_value(&[]) / (high - low)
            };
            let (blur, most) = (error(Pool::Blur), error(Pool::Max));
            prop_assert!((most - 0.5).abs() < ROUNDING, "max pooling jumps: {most}");
            prop_assert!(blur < 0.3, "{extent:?}: {blur} against {most}");
        }
    }

    #[test]
    fn draws_are_values_of_their_windows(x in maps(-3.0..3.0), seed: u64) {
        let train = Mode::Train(Draws { seed, epoch: 4, samples: &[7] });
        let y = layer(Pool::Stochastic, Extent::TRANSITION).forward(&x, train);
        let most = eval(Pool::Max, Extent::TRANSITION, &x);
        let dense = x.max_pool2d([2, 2], [1, 1], [0, 0], [1, 1], false);
        let rows = layer(Pool::S3, Extent::TRANSITION).forward(&x, train);
        prop_assert_eq!(y.size(), rows.size());
        for i in 0..y.size()[2] {
            for j in 0..y.size()[3] {
                let drawn = y.double_value(&[0, 0, i, j]);
                prop_assert!(in_cell(&x, i, j, drawn), "{drawn} at {i} {j} of {x}");
                prop_assert!(drawn > 0.0 || most.double_value(&[0, 0, i, j]) <= 0.0);
                let kept = rows.double_value(&[0, 0, i, j]);
                prop_assert!(in_cell(&dense, i, j, kept), "{kept} at {i} {j} of {dense}");
            }
        }
    }
}

/// The mean over many pictures' draws is the evaluation, within five standard errors: it is a
/// fixed draw of 8,000, and one that was wrong by more would be found, as the last lines show.
#[test]
fn the_expectation_of_a_draw_is_the_evaluation() {
    let pictures = 8000;
    let samples: Vec<u32> = (0..pictures as u32).collect();
    let train = Mode::Train(Draws { seed: 5, epoch: 0, samples: &samples });
    let one = [1.0, 3.0, -1.0, -2.0, 0.5, -4.0, -3.0, -0.5, 0.0, 0.1, 2.0, 2.0, 0.2, 1.5, 2.0, 9.0];
    let one = Tensor::from_slice(&one).view([1, 1, 4, 4]);
    let many = one.repeat([pictures, 1, 1, 1]);
    for (pool, extent) in [
        (Pool::Stochastic, Extent::STEM),
        (Pool::Stochastic, Extent::TRANSITION),
        (Pool::Stochastic, Extent::Global),
        (Pool::S3, Extent::STEM),
        (Pool::S3, Extent::TRANSITION),
    ] {
        let layer = layer(pool, extent);
        let drawn = layer.forward(&many, train);
        let error = drawn.std_dim([0].as_slice(), true, false) / (pictures as f64).sqrt();
        let mean = drawn.mean_dim([0].as_slice(), false, None::<Kind>);
        let want = layer.forward(&one, Mode::Eval).squeeze_dim(0);
        let errors = (&mean - &want).abs() / (&error + 1e-12);
        let worst = errors.max().double_value(&[]);
        assert!(worst < 5.0, "{pool:?} {extent:?}: {worst} standard errors from {want}");
        let other = eval(Pool::Avg, extent, &one).squeeze_dim(0);
        let far = ((mean - other).abs() / (error + 1e-12)).max().double_value(&[]);
        assert!(far > 20.0, "{pool:?} {extent:?}: the mean is {far} standard errors away");
    }
}

/// The paper's grids span several strides: rows come from the strip, in order and once each.
#[test]
fn a_larger_grid_keeps_order_and_never_repeats() {
    let rows = Tensor::arange(11, (Kind::Double, Device::Cpu)).view([1, 1, 11, 1]);
    let x = rows.repeat([40, 1, 1, 11]);
    let samples: Vec<u32> = (0..40).collect();
    let train = Mode::Train(Draws { seed: 5, epoch: 0, samples: &samples });
    let name = String::from("pool");
    let layer = S3Pool { name, size: 2, stride: 2, padding: 0, grid: 4 };
    let y = layer.forward(&x, train).select(3, 0).squeeze_dim(1); // [40, 5]
    let mut seen = [false; 10];
    for picture in Vec::<Vec<f64>>::try_from(&y).unwrap() {
        // The dense map's rows are 1 to 10, in strips of 4, 4 and 2.
        let row: Vec<usize> = picture.iter().map(|value| *value as usize - 1).collect();
        assert!(row.windows(2).all(|pair| pair[0] < pair[1]), "{row:?}");
        assert!(row.iter().zip([0, 0, 1, 1, 2]).all(|(row, strip)| row / 4 == strip), "{row:?}");
        row.iter().for_each(|row| seen[*row] = true);
    }
    assert_eq!(seen, [true; 10]);
}
