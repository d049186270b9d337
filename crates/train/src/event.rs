//! What a training tells its watcher. A child process prints each event as one JSON line; the
//! queue that started it draws its bars from them. Watching never changes a result.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::EpochRecord;

/// Why a training was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGHUP: the terminal is gone.
    Hangup,
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 3] = [Signal::Hangup, Signal::Interrupt, Signal::Terminate];

    /// 128 + the signal's number, as shells report it.
    pub fn exit_code(self) -> u8 {
        match self {
            Signal::Hangup => 129,
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Hangup => "SIGHUP",
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        })
    }
}

/// One thing that happened, in the order it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The pictures that will be used: counts by part, how many were refused.
    Data {
        /// blake3 of classes and pictures, wherever they lie.
        digest: String,
        /// `[K]` names, in the order of the labels.
        classes: Vec<String>,
        /// Pictures of the training part.
        train: u64,
        /// Pictures of it that `train_fraction` leaves out, not counted in `train`.
        train_left_out: u64,
        /// Pictures of the validation part, also those that `validation_steps` leaves out.
        val: u64,
        /// Pictures of the test part.
        test: u64,
        /// Pictures that could not be used; `split.json` names them.
        rejected: u64,
        /// Drawn by the program, not photographed.
        drawings: bool,
    },
    /// Something that did not stop the run but must be known, such as a damaged checkpoint.
    Warning {
        /// A sentence for people.
        text: String,
    },
    /// The weights begin in a file.
    Loaded {
        /// As the recipe names it.
        path: String,
        /// How many were taken from it.
        tensors: u64,
        /// Names of those that keep their random start: a head that was replaced.
        random: Vec<String>,
    },
    /// The loop begins. `steps_target` is below `steps_total` when the run is bounded.
    Started {
        /// Numbers that are trained.
        parameters: u64,
        /// Parameters that are frozen: numbers too.
        frozen: u64,
        /// What the recipe asks for.
        steps_total: u64,
        /// Where this call stops.
        steps_target: u64,
        /// What the recipe asks for.
        epochs: u32,
        /// The checkpoint's step; `None` when the run begins.
        resumed_from: Option<u64>,
    },
    /// The training part lies on the device as bytes; batches are taken there. Without this event
    /// they are gathered where the data set keeps them.
    OnDevice {
        /// How many.
        pictures: u64,
        /// What they take there.
        bytes: u64,
    },
    /// A step was taken.
    Step {
        /// Counts from 1.
        epoch: u32,
        /// What the recipe asks for.
        epochs: u32,
        /// Steps taken since the run began, those before a stop included.
        step: u64,
        /// Where this call stops: `steps_target` of [`Event::Started`].
        steps_total: u64,
        /// Mean of the epoch until now of what is trained by ([`EpochRecord::train_loss`]), nats.
        loss: f64,
        /// Of the epoch until now, 0 to 1.
        accuracy: f64,
        /// Smoothed over about ten steps, without waiting for data.
        images_per_s: f64,
        /// Seconds to the end of the run, validations and test included.
        remaining_s: f64,
    },
    /// One more batch of a part was scored.
    Evaluating {
        /// `validation` or `test`.
        part: String,
        /// Pictures scored so far.
        done: u64,
        /// Pictures to score.
        total: u64,
    },
    /// An epoch was validated and its line written.
    Epoch(EpochRecord),
    /// Validation no longer gets better: the training is finished before its last epoch.
    StoppedEarly {
        /// The last that was closed; counts from 1.
        epoch: u32,
        /// The one with the lowest validation loss, kept as `checkpoints/best`.
        best: u32,
    },
    /// A checkpoint is complete on the disk.
    Saved {
        /// Steps taken when it was saved.
        step: u64,
        /// Its folder.
        path: String,
        /// Of weights, moments and state; the manifest is not counted.
        bytes: u64,
    },
    /// The test part was scored, once, after the last step.
    Tested {
        /// All of the test part.
        pictures: u64,
        /// Mean cross-entropy, nats.
        loss: f64,
        /// 0 to 1.
        accuracy: f64,
        /// Mean over classes, 0 to 1; all scores are in [`crate::TestRecord::scores`].
        macro_f1: f64,
        /// Expected calibration error, 0 to 1.
        calibration_error: f64,
        /// Waiting for data included.
        images_per_s: f64,
    },
    /// The last event of a run that was not interrupted.
    Finished {
        /// Taken since the run began, those before a stop included.
        steps: u64,
        /// [`Job::max_steps`](crate::Job::max_steps) ended it before the recipe's last step.
        bounded: bool,
        /// Wall-clock of this call alone.
        seconds: f64,
    },
    /// The last event of a run that was: its checkpoint is saved.
    Interrupted {
        /// What stopped it.
        signal: Signal,
        /// Steps taken, and the checkpoint's step.
        step: u64,
    },
}

/// Who follows a training. `()` follows in silence and never stops it.
pub trait Watch {
    /// Called from the trainer's thread, which waits until it returns.
    fn on_event(&mut self, event: &Event);

    /// Asked after every step and every scored batch; a signal ends the run with a checkpoint.
    fn should_stop(&mut self) -> Option<Signal> {
        None
    }
}

impl Watch for () {
    fn on_event(&mut self, _event: &Event) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_tagged_line() {
        let event = Event::Evaluating { part: "test".into(), done: 3, total: 4 };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(line, r#"{"event":"evaluating","part":"test","done":3,"total":4}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn signals_exit_as_shells_expect() {
        assert_eq!(Signal::ALL.map(Signal::exit_code), [129, 130, 143]);
    }
}
