//! Early stopping: a training whose validation loss no longer falls is finished (Prechelt 1998,
//! *Early Stopping – But When?*). As `keras.callbacks.EarlyStopping` counts.
//!
//! Whether a run stops is a function of its closed epochs alone, so a run that was cut goes on, or
//! not, as one that never was. Its weights are those of its last step; the best stay apart as
//! `checkpoints/best`.

use serde::{Deserialize, Serialize};

use crate::record::EpochRecord;

/// When to give up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStop {
    /// So many epochs in a row without a lower validation loss end the run; 1 or more.
    pub patience: u32,
    /// 0 or more: by how much a loss must be lower than the best to count as such, nats.
    pub min_delta: f64,
}

impl EarlyStop {
    /// Whether a run with these `epochs`, all closed, is at its end.
    pub fn is_due(self, epochs: &[EpochRecord]) -> bool {
        let (mut best, mut waited) = (f64::INFINITY, 0);
        for epoch in epochs {
            if epoch.val_loss < best - self.min_delta {
                (best, waited) = (epoch.val_loss, 0);
            } else {
                waited += 1;
            }
            if waited >= self.patience {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    fn due(patience: u32, min_delta: f64, losses: &[f64]) -> bool {
        let epochs: Vec<EpochRecord> =
            losses.iter().map(|&val_loss| EpochRecord { val_loss, ..epoch(1) }).collect();
        EarlyStop { patience, min_delta }.is_due(&epochs)
    }

    #[test]
    fn patience_counts_epochs_in_a_row_without_a_new_best() {
        assert!(!due(2, 0.0, &[]));
        assert!(!due(2, 0.0, &[0.9, 0.8, 0.85, 0.7, 0.75]));
        assert!(due(2, 0.0, &[0.9, 0.8, 0.85, 0.8]), "as low as the best is not lower");
        assert!(due(1, 0.0, &[0.5, 0.6]));
    }

    #[test]
    fn a_hair_lower_is_not_lower() {
        let losses = [0.9, 0.895, 0.89];
        assert!(!due(2, 0.0, &losses));
        assert!(due(2, 0.02, &losses));
    }
}
