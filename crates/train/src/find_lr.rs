//! The learning-rate range test (Smith 2017, *Cyclical Learning Rates for Training Neural
//! Networks*, arXiv:1506.01186, section 3.3): a training whose rate rises from step to step, by the
//! same factor each time, until the loss flies off. Where it falls fastest is a good peak for a
//! schedule.
//!
//! It takes the steps of the recipe (its batches, augmentation, loss, clipping and so on) from its
//! first weights, at the test's own rate; schedule and warm-up have no say. Nothing is written and
//! no run is touched: validation and test pictures are not looked at.
//!
//! The curve is smoothed (`s ← 0.9·s + 0.1·loss`, without the bias towards its first value), and
//! the test ends where that is four times its lowest, as fast.ai's does.

use std::thread;

use catscan_data::Dataset;
use serde::Serialize;
use tch::Device;

use crate::batches::Loader;
use crate::error::TrainError;
use crate::recipe::{MOST_LR, Recipe, RecipeError};
use crate::setup::Setup;

/// How much of the smoothed loss stays at a step.
const KEEP: f64 = 0.9;
/// The test ends where the smoothed loss is so many times its lowest.
const TOO_MUCH: f64 = 4.0;
/// Its first points are all beginning: no rate is read from them.
const SETTLING: usize = 5;

/// A fall of the smoothed loss by a smaller part than this is its noise.
const LEAST_FALL: f64 = 0.03;

/// Which rates are tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RangeTest {
    /// Of the first step, above 0.
    pub from: f64,
    /// Of the last, above `from`.
    pub to: f64,
    /// How many, 10 or more.
    pub steps: u32,
}

/// One step of the test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatePoint {
    /// The rate it was taken at.
    pub lr: f64,
    /// Of its batch, before the step, nats.
    pub loss: f64,
    /// Smoothed over the steps until then.
    pub smoothed: f64,
}

/// What the test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateSearch {
    /// In the order of their rates.
    pub points: Vec<RatePoint>,
    /// It ended before the last rate, because the loss had flown off.
    pub flew_off: bool,
    /// Where the smoothed loss falls fastest by the logarithm of the rate, on its way to the
    /// lowest: a peak to begin with. `None` where it falls by less than its noise.
    pub steepest: Option<f64>,
    /// A tenth of the rate with the lowest smoothed loss: the other usual choice. `None` likewise.
    pub tenth_of_lowest: Option<f64>,
}

impl RangeTest {
    /// The rate of step `step`, counted from 0.
    pub fn lr(&self, step: u32) -> f64 {
        let done = f64::from(step) / f64::from(self.steps.saturating_sub(1).max(1));
        self.from * (self.to / self.from).powf(done)
    }

    fn validate(&self) -> Result<(), RecipeError> {
        let wrong = |key: &str, value: String, allowed: &str| {
            Err(RecipeError::Value { key: key.into(), value, allowed: allowed.into() })
        };
        if !(self.from > 0.0 && self.from.is_finite()) {
            return wrong("from", self.from.to_string(), "a finite number above 0");
        }
        if !(self.to > self.from && self.to <= MOST_LR) {
            let allowed =
                format!("a finite number above {}, the first rate, at most 1e24", self.from);
            return wrong("to", self.to.to_string(), &allowed);
        }
        if self.steps < 10 {
            return wrong("steps", self.steps.to_string(), "10 or more");
        }
        Ok(())
    }
}

/// Makes the test on the training part. `on_step` hears of each step and says whether to go on;
/// what was found is then of the steps until there.
///
/// # Errors
/// An impossible recipe or range, pictures that cannot be read.
pub fn find_lr(
    recipe: &Recipe,
    dataset: &Dataset,
    device: Device,
    range: RangeTest,
    on_step: &mut dyn FnMut(&RatePoint) -> bool,
) -> Result<RateSearch, TrainError> {
    range.validate()?;
    let setup = Setup::of(recipe, dataset, device)?;
    let (mut learner, _) = setup.learner()?;
    let mut points: Vec<RatePoint> = Vec::new();
    let mut flew_off = false;
    thread::scope(|scope| -> Result<(), TrainError> {
        let steps = 0..u64::from(range.steps);
        let mut batches = Loader::start(scope, dataset, device, 1, setup.plan.steps(steps));
        while let Some(batch) = batches.next_batch()? {
            let computed = learner.compute(&batch);
            let (loss, lr) = (computed.loss.double_value(&[]), range.lr(points.len() as u32));
            let length = computed.gradient.row().norm().double_value(&[]);
            flew_off = !loss.is_finite() || !length.is_finite();
            if flew_off {
                break;
            }
            let point = RatePoint { lr, loss, smoothed: smoothed(&points, loss) };
            points.push(point);
            let lowest = points.iter().map(|point| point.smoothed).fold(f64::INFINITY, f64::min);
            flew_off = points.len() > SETTLING && point.smoothed > TOO_MUCH * lowest;
            if !on_step(&point) || flew_off {
                break;
            }
            learner.step(computed.gradient, lr);
        }
        Ok(())
    })?;
    Ok(RateSearch::of(points, flew_off))
}

/// The mean of all losses until now, of which each counts 0.9 times as much as the one after it.
fn smoothed(before: &[RatePoint], loss: f64) -> f64 {
    let losses = before.iter().map(|point| point.loss).chain([loss]);
    let (sum, weight) =
        losses.fold((0.0, 0.0), |(sum, weight), loss| (KEEP * sum + loss, KEEP * weight + 1.0));
    sum / weight
}

impl RateSearch {
    fn of(points: Vec<RatePoint>, flew_off: bool) -> RateSearch {
        let settled = points.get(SETTLING..).unwrap_or_default();
        let by_loss = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
        let losses = settled.iter().map(|point| point.smoothed).enumerate();
        let lowest = losses.min_by(by_loss).map(|(at, loss)| (at, loss / settled[0].smoothed));
        // Behind the lowest point the loss flies off, and what falls there falls back.
        let falling = match lowest {
            Some((at, left)) if left < 1.0 - LEAST_FALL => &settled[..=at],
            _ => &[],
        };
        // Over three points, so that one lucky batch is no slope.
        let slope = |three: &[RatePoint]| {
            let rise = three[2].smoothed - three[0].smoothed;
            (three[1].lr, rise / (three[2].lr / three[0].lr).ln())
        };
        let steepest = falling.windows(3).map(slope).min_by(|a, b| a.1.total_cmp(&b.1));
        RateSearch {
            flew_off,
            steepest: steepest.filter(|(_, slope)| *slope < 0.0).map(|(lr, _)| lr),
            tenth_of_lowest: falling.last().map(|point| point.lr / 10.0),
            points,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::Plan;
    use crate::learner::Learner;
    use crate::record::PartCounts;
    use crate::testing::recipe;

    const RANGE: RangeTest = RangeTest { from: 1e-6, to: 1.0, steps: 61 };

    #[test]
    fn rates_rise_by_one_factor_from_the_first_to_the_last() {
        assert_eq!((RANGE.lr(0), RANGE.lr(60)), (1e-6, 1.0));
        assert!((RANGE.lr(30) - 1e-3).abs() < 1e-12);
        let factor = RANGE.lr(1) / RANGE.lr(0);
        assert!((1..60).all(|step| (RANGE.lr(step + 1) / RANGE.lr(step) - factor).abs() < 1e-9));
    }

    #[test]
    fn the_steepest_fall_and_the_lowest_point_are_found() {
        // Flat, a fall that is fastest at 1e-3, lowest at 1e-2, then up.
        let loss = |lr: f64| {
            let x = lr.log10();
            if x < -2.0 { 0.5 - 0.4 * (2.0 * (x + 3.0)).tanh() } else { 0.12 + 0.5 * (x + 2.0) }
        };
        let point = |step: u32| {
            let lr = RANGE.lr(step);
            RatePoint { lr, loss: loss(lr), smoothed: loss(lr) }
        };
        let found = RateSearch::of((0..61).map(point).collect(), false);
        let near = |found: Option<f64>, want: f64| (found.unwrap() / want).log10().abs() < 0.11;
        assert!(near(found.steepest, 1e-3), "{:?}", found.steepest);
        assert!(near(found.tenth_of_lowest, 1e-3), "{:?}", found.tenth_of_lowest);
        let rising = (0..61).map(|step| RatePoint { smoothed: f64::from(step), ..point(step) });
        assert_eq!(RateSearch::of(rising.collect(), true).steepest, None);
        // Down by a hundredth, up, and down from there: no rate to begin with.
        let flown = |step: u32| RatePoint {
            smoothed: match step {
                0..30 => 0.7 - 0.007 * f64::from(step) / 30.0,
                30..50 => 0.7 + 0.1 * f64::from(step - 29),
                _ => 2.7 - 0.15 * f64::from(step - 49),
            },
            ..point(step)
        };
        let found = RateSearch::of((0..61).map(flown).collect(), true);
        assert_eq!((found.steepest, found.tenth_of_lowest), (None, None));
    }

    #[test]
    fn its_first_batch_is_the_runs_in_windows_too() {
        let cache = tempfile::tempdir().unwrap();
        let losses = [None, Some(20)].map(|window| {
            let mut recipe = recipe();
            recipe.data.shuffle_window = window;
            let dataset = Dataset::open(&recipe.data, cache.path(), &()).unwrap();
            let range = RangeTest { steps: 10, ..RANGE };
            let mut at_once = |_: &RatePoint| true;
            let found = find_lr(&recipe, &dataset, Device::Cpu, range, &mut at_once).unwrap();
            let counts = PartCounts::of(&dataset).train;
            let (learner, _) = Learner::build(&recipe, &counts, Device::Cpu).unwrap();
            let plan = Plan::of_training(&recipe, &dataset).unwrap().steps(0..1);
            let want = thread::scope(|scope| {
                let mut batches = Loader::start(scope, &dataset, Device::Cpu, 1, plan);
                let batch = batches.next_batch().unwrap().unwrap();
                learner.compute(&batch).loss.double_value(&[])
            });
            assert!((found.points[0].loss - want).abs() < 1e-6, "{window:?}, want {want}");
            want
        });
        assert!((losses[0] - losses[1]).abs() > 1e-4, "the window changes nothing: {losses:?}");
    }

    #[test]
    fn what_is_ended_early_keeps_its_steps() {
        let (cache, recipe) = (tempfile::tempdir().unwrap(), recipe());
        let dataset = Dataset::open(&recipe.data, cache.path(), &()).unwrap();
        let mut heard = 0;
        let mut three = |_: &RatePoint| {
            heard += 1;
            heard < 3
        };
        let found = find_lr(&recipe, &dataset, Device::Cpu, RANGE, &mut three).unwrap();
        assert_eq!((found.points.len(), found.flew_off), (3, false));
    }

    #[test]
    fn smoothing_has_no_bias_towards_its_first_value() {
        assert_eq!(smoothed(&[], 3.0), 3.0);
        let before = RatePoint { lr: 1.0, loss: 1.0, smoothed: 1.0 };
        assert!((smoothed(&[before], 2.0) - (0.9 + 2.0) / 1.9).abs() < 1e-12);
    }

    #[test]
    fn impossible_ranges_are_refused() {
        for (range, says) in [
            (RangeTest { from: 0.0, ..RANGE }, "from is 0, want"),
            (
                RangeTest { to: 1e-7, ..RANGE },
                "to is 0.0000001, want a finite number above 0.000001",
            ),
            (RangeTest { to: 1e30, ..RANGE }, "the first rate, at most 1e24"),
            (RangeTest { steps: 9, ..RANGE }, "steps is 9, want 10 or more"),
        ] {
            let error = range.validate().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
