//! The epochs of a run as one line under its bar: where validation went, and which epoch was best.

use catscan_train::EpochRecord;

/// As many of the last epochs are drawn.
const WIDTH: usize = 24;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What validation said of each epoch that was closed while somebody looked.
#[derive(Debug, Default)]
pub struct Trend {
    epochs: Vec<EpochRecord>,
}

impl Trend {
    /// One more.
    pub fn add(&mut self, epoch: &EpochRecord) {
        self.epochs.push(epoch.clone());
    }

    /// Two small curves with their last values; empty before the first epoch.
    pub fn text(&self) -> String {
        let by_loss = |a: &&EpochRecord, b: &&EpochRecord| a.val_loss.total_cmp(&b.val_loss);
        let Some((last, best)) = self.epochs.last().zip(self.epochs.iter().min_by(by_loss)) else {
            return String::new();
        };
        let curve = |value: fn(&EpochRecord) -> f64| {
            spark(&self.epochs.iter().map(value).collect::<Vec<f64>>())
        };
        format!(
            "validation loss {} {:.3}  accuracy {} {:.1} %  best epoch {}  rate {:.1e}",
            curve(|epoch| epoch.val_loss),
            last.val_loss,
            curve(|epoch| epoch.val_accuracy),
            last.val_accuracy * 100.0,
            best.epoch,
            last.lr,
        )
    }
}

/// The last values as blocks between their own lowest and highest.
fn spark(values: &[f64]) -> String {
    let shown = &values[values.len().saturating_sub(WIDTH)..];
    let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let level = |value: &f64| match high > low {
        true => ((value - low) / (high - low) * 7.0).round() as usize,
        false => 3,
    };
    shown.iter().map(|value| LEVELS[level(value).min(7)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: u32, val_loss: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            step: u64::from(epoch),
            lr: 1e-3,
            train_loss: 0.5,
            train_accuracy: 0.75,
            val_loss,
            val_accuracy: 1.0 - val_loss,
            images_per_s: 40.0,
            seconds: 1.0,
            seconds_waiting_for_data: 0.0,
            unix_s: 0.0,
        }
    }

    #[test]
    fn a_curve_goes_from_its_lowest_to_its_highest() {
        assert_eq!(spark(&[0.0, 1.0, 0.5]), "▁█▅");
        assert_eq!(spark(&[2.0, 2.0]), "▄▄");
        assert_eq!(spark(&[1.0; 99]).chars().count(), WIDTH);
    }

    #[test]
    fn the_line_names_the_best_epoch_and_the_last_values() {
        let mut trend = Trend::default();
        assert_eq!(trend.text(), "");
        [0.7, 0.2, 0.4].iter().zip(1..).for_each(|(loss, i)| trend.add(&epoch(i, *loss)));
        let want = "validation loss █▁▄ 0.400  accuracy ▁█▅ 60.0 %  best epoch 2  rate 1.0e-3";
        assert_eq!(trend.text(), want);
    }
}
