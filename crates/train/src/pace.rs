//! How fast it goes and how long it will take: smoothed, for the eye. No result depends on it.

/// Halves its memory about every seven batches, so that a bar neither jumps nor lags.
const KEEP: f64 = 0.9;

/// Smoothed speeds of a run.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    pictures: f64,
    step_s: f64,
    wait_s: f64,
    /// Pictures a second of the last validation.
    scoring: Option<f64>,
}

/// What a run has still to do.
#[derive(Debug, Clone, Copy)]
pub struct Ahead {
    pub training_pictures: u64,
    /// Of all validations to come and of the test.
    pub scored_pictures: u64,
}

impl Pace {
    /// A step of `pictures` took `step_s` after waiting `wait_s` for its data.
    pub fn step(&mut self, pictures: u64, step_s: f64, wait_s: f64) {
        // Sums decay together, so their ratio is right from the first step on.
        self.pictures = KEEP * self.pictures + pictures as f64;
        self.step_s = KEEP * self.step_s + step_s;
        self.wait_s = KEEP * self.wait_s + wait_s;
    }

    pub fn scored(&mut self, images_per_s: f64) {
        self.scoring = Some(images_per_s);
    }

    /// Training pictures a second, without waiting for data and without validation.
    pub fn images_per_s(&self) -> f64 {
        if self.step_s > 0.0 { self.pictures / self.step_s } else { 0.0 }
    }

    /// Seconds until the run is finished, waiting, validations and test included. Until the first
    /// validation, scoring is taken to be three times as fast as training.
    pub fn remaining_s(&self, ahead: Ahead) -> f64 {
        let training = self.pictures / (self.step_s + self.wait_s).max(1e-9);
        let scoring = self.scoring.unwrap_or(3.0 * self.images_per_s());
        ahead.training_pictures as f64 / training.max(1e-9)
            + ahead.scored_pictures as f64 / scoring.max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_leaves_waiting_out_and_time_left_counts_it() {
        let mut pace = Pace::default();
        pace.step(20, 2.0, 2.0);
        pace.step(20, 2.0, 2.0);
        assert!((pace.images_per_s() - 10.0).abs() < 1e-9);
        let ahead = Ahead { training_pictures: 100, scored_pictures: 300 };
        assert!((pace.remaining_s(ahead) - (20.0 + 10.0)).abs() < 1e-9);
        pace.scored(100.0);
        assert!((pace.remaining_s(ahead) - (20.0 + 3.0)).abs() < 1e-9);
    }

    #[test]
    fn a_change_of_speed_shows_after_a_while() {
        let mut pace = Pace::default();
        pace.step(20, 20.0, 0.0);
        (0..40).for_each(|_| pace.step(20, 2.0, 0.0));
        assert!((9.0..10.0).contains(&pace.images_per_s()), "{}", pace.images_per_s());
    }
}
