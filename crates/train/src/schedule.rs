//! The learning rate as a pure function of the step: nothing to save, nothing to get out of step.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate moves below its peak, the optimiser's `lr`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The peak at every step.
    Constant,
    /// A straight rise over `warmup_steps`, then half a cosine down to `end_fraction` of the peak
    /// (Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5 without restarts; the rise is that
    /// of Goyal et al. 2017, arXiv:1706.02677, section 2.2).
    Cosine {
        /// 0: begins at the peak.
        warmup_steps: u64,
        /// Of the peak, 0 to 1; one step after the last would have it.
        end_fraction: f64,
    },
    /// Up from `peak / start_divisor` over `rise_fraction` of the run, then down to
    /// `peak / start_divisor / end_divisor` (Smith & Topin 2018, arXiv:1708.07120). The numbers
    /// are those of `torch.optim.lr_scheduler.OneCycleLR` with two phases.
    OneCycle {
        /// Between 0 and 1; PyTorch's `pct_start`.
        rise_fraction: f64,
        /// 1 or more; PyTorch's `div_factor`.
        start_divisor: f64,
        /// 1 or more; PyTorch's `final_div_factor`.
        end_divisor: f64,
        /// Of both the rise and the fall.
        anneal: Anneal,
    },
    /// The peak, multiplied by `factor` at each milestone: divided by 10 at 50 % and 75 %, say (He
    /// et al. 2016, arXiv:1512.03385, §4.2; Huang et al. 2017, arXiv:1608.06993, §4.2). The
    /// numbers are those of `torch.optim.lr_scheduler.MultiStepLR`.
    Step {
        /// Of the run, between 0 and 1, rising; each to the nearest step.
        milestones: Vec<f64>,
        /// Above 0, at most 1; PyTorch's `gamma`.
        factor: f64,
        /// The first so many steps take `warmup_factor` of that; 0: none do.
        warmup_steps: u64,
        /// Above 0, at most 1.
        warmup_factor: f64,
    },
}

/// A straight rise at the beginning, for any schedule: the rate is multiplied by
/// `start_fraction` at the first step and by 1 from step `steps` on (Goyal et al. 2017,
/// arXiv:1706.02677, section 2.2). The factors are those of `torch.optim.lr_scheduler.LinearLR`.
/// Chained to a schedule that multiplies the rate before (constant, step, cosine to 0) PyTorch's
/// rates are these too; its one-cycle sets rates of its own over a warm-up, ours is multiplied. Not
/// beside a schedule that has `warmup_steps` itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warmup {
    /// 1 or more; PyTorch's `total_iters`.
    pub steps: u64,
    /// Above 0, at most 1; PyTorch's `start_factor`.
    pub start_fraction: f64,
}

impl Warmup {
    /// What the rate of step `step`, counted from 0, is multiplied by.
    pub fn factor(self, step: u64) -> f64 {
        if step >= self.steps {
            return 1.0;
        }
        self.start_fraction + (1.0 - self.start_fraction) * step as f64 / self.steps as f64
    }
}

/// The shape of a one-cycle's two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anneal {
    /// A straight line.
    Linear,
    /// Half a cosine: flat at both ends.
    Cosine,
}

impl Schedule {
    /// How many steps it warms up for by itself.
    pub fn warmup_steps(&self) -> u64 {
        match *self {
            Schedule::Cosine { warmup_steps, .. } | Schedule::Step { warmup_steps, .. } => {
                warmup_steps
            }
            Schedule::Constant | Schedule::OneCycle { .. } => 0,
        }
    }

    /// The learning rate of step `step` (counted from 0) of a run of `steps_total`.
    pub fn lr(&self, peak: f64, step: u64, steps_total: u64) -> f64 {
        match *self {
            Schedule::Constant => peak,
            Schedule::Step { ref milestones, factor, warmup_steps, warmup_factor } => {
                let at = |share: &f64| (share * steps_total as f64).round() as u64;
                let passed = milestones.iter().filter(|share| step >= at(share)).count();
                let warmup = if step < warmup_steps { warmup_factor } else { 1.0 };
                peak * warmup * factor.powi(passed as i32)
            }
            Schedule::Cosine { warmup_steps, end_fraction } => {
                if step < warmup_steps {
                    return peak * (step + 1) as f64 / warmup_steps as f64;
                }
                let span = steps_total.saturating_sub(warmup_steps).max(1);
                let done = (step - warmup_steps) as f64 / span as f64;
                Anneal::Cosine.between(peak, peak * end_fraction, done.min(1.0))
            }
            Schedule::OneCycle { rise_fraction, start_divisor, end_divisor, anneal } => {
                let start = peak / start_divisor;
                let last = steps_total.saturating_sub(1) as f64;
                // The step at which the peak is reached; PyTorch counts it from the total too. Of a
                // run too short to rise it lies before the first step, which is then on the way
                // down. Where it is the first step, PyTorch divides by zero and ours is the peak.
                let top = rise_fraction * steps_total as f64 - 1.0;
                let step = (step as f64).min(last);
                if step <= top && top > 0.0 {
                    anneal.between(start, peak, step / top)
                } else {
                    let done = (step - top) / (last - top);
                    anneal.between(peak, start / end_divisor, done)
                }
            }
        }
    }
}

impl Anneal {
    /// From `start` to `end` as `done` goes from 0 to 1.
    fn between(self, start: f64, end: f64, done: f64) -> f64 {
        match self {
            Anneal::Linear => start + (end - start) * done,
            Anneal::Cosine => end + (start - end) / 2.0 * (1.0 + (PI * done).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_rises_peaks_and_falls() {
        let schedule = Schedule::Cosine { warmup_steps: 4, end_fraction: 0.0 };
        let lr: Vec<f64> = (0..12).map(|step| schedule.lr(0.8, step, 12)).collect();
        assert_eq!(&lr[..4], &[0.2, 0.4, 0.6000000000000001, 0.8]);
        assert_eq!(lr[4], 0.8);
        assert!((lr[8] - 0.4).abs() < 1e-12, "half way down: {}", lr[8]);
        assert!(lr[11] > 0.0 && lr[11] < 0.04, "the last step still learns: {}", lr[11]);
        assert!(schedule.lr(0.8, 40, 12).abs() < 1e-12, "stays down after the end");
    }

    #[test]
    fn cosine_ends_where_it_was_told_to() {
        let schedule = Schedule::Cosine { warmup_steps: 0, end_fraction: 0.1 };
        assert_eq!(schedule.lr(1.0, 0, 10), 1.0);
        assert!((schedule.lr(1.0, 10, 10) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn one_cycle_starts_peaks_and_ends_at_its_divisors() {
        for anneal in [Anneal::Linear, Anneal::Cosine] {
            let schedule = Schedule::OneCycle {
                rise_fraction: 0.3,
                start_divisor: 25.0,
                end_divisor: 1e4,
                anneal,
            };
            assert!((schedule.lr(1.0, 0, 100) - 0.04).abs() < 1e-12);
            assert!((schedule.lr(1.0, 29, 100) - 1.0).abs() < 1e-12);
            assert!((schedule.lr(1.0, 99, 100) - 4e-6).abs() < 1e-12);
            assert!(schedule.lr(1.0, 28, 100) < 1.0 && schedule.lr(1.0, 30, 100) < 1.0);
            let of_four = Schedule::OneCycle {
                rise_fraction: 0.25,
                start_divisor: 25.0,
                end_divisor: 1e4,
                anneal,
            };
            assert_eq!(of_four.lr(1.0, 0, 4), 1.0, "where PyTorch divides by zero");
        }
    }

    /// Divided by 10 after half and three quarters.
    fn falling(warmup_steps: u64) -> Schedule {
        let (milestones, factor, warmup_factor) = (vec![0.5, 0.75], 0.1, 0.1);
        Schedule::Step { milestones, factor, warmup_steps, warmup_factor }
    }

    #[test]
    fn steps_fall_where_the_papers_have_them() {
        let schedule = falling(0);
        let lr = |step| schedule.lr(0.1, step, 64_000);
        assert_eq!((lr(0), lr(31_999)), (0.1, 0.1));
        assert!((lr(32_000) - 0.01).abs() < 1e-12 && (lr(47_999) - 0.01).abs() < 1e-12);
        assert!((lr(48_000) - 0.001).abs() < 1e-12 && (lr(63_999) - 0.001).abs() < 1e-12);
        let warmed_up = |step| falling(400).lr(0.1, step, 64_000);
        assert!((warmed_up(399) - 0.01).abs() < 1e-12);
        assert!((400..64_000).all(|step| warmed_up(step) == lr(step)));
    }

    #[test]
    fn no_schedule_fails_on_the_shortest_run() {
        let one_cycle = Schedule::OneCycle {
            rise_fraction: 0.3,
            start_divisor: 25.0,
            end_divisor: 1e4,
            anneal: Anneal::Cosine,
        };
        let cosine = Schedule::Cosine { warmup_steps: 10, end_fraction: 0.0 };
        let step = falling(400);
        for schedule in [Schedule::Constant, cosine, one_cycle, step] {
            let lr = schedule.lr(0.1, 0, 1);
            assert!(lr.is_finite() && lr > 0.0 && lr <= 0.1, "{schedule:?}: {lr}");
        }
    }
}
