//! What a training tells its watcher. A child process prints each event as one JSON line; the
//! queue that started it draws its bars from them. Watching never changes a result.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::EpochRecord;

/// Why a training was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// 128 + the signal's number, as shells report it.
    pub fn exit_code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
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
        digest: String,
        classes: Vec<String>,
        train: u64,
        val: u64,
        test: u64,
        rejected: u64,
        drawings: bool,
    },
    /// Something that did not stop the run but must be known, such as a damaged checkpoint.
    Warning {
        text: String,
    },
    /// The loop begins. `steps_target` is below `steps_total` when the run is bounded.
    Started {
        parameters: u64,
        steps_total: u64,
        steps_target: u64,
        epochs: u32,
        resumed_from: Option<u64>,
    },
    /// A step was taken. `epoch` counts from 1, `step` is the number of steps taken so far of the
    /// `steps_total` this call will take; loss and accuracy are those of the epoch until now.
    /// `remaining_s` is for the whole run, validations and test included.
    Step {
        epoch: u32,
        epochs: u32,
        step: u64,
        steps_total: u64,
        loss: f64,
        accuracy: f64,
        images_per_s: f64,
        remaining_s: f64,
    },
    /// Pictures of a part (`validation` or `test`) were scored.
    Evaluating {
        part: String,
        done: u64,
        total: u64,
    },
    Epoch(EpochRecord),
    /// A checkpoint is complete on the disk.
    Saved {
        step: u64,
        path: String,
        bytes: u64,
    },
    /// The test part was scored, once, after the last step.
    Tested {
        pictures: u64,
        loss: f64,
        accuracy: f64,
        images_per_s: f64,
    },
    /// The last event of a run that was not interrupted.
    Finished {
        steps: u64,
        bounded: bool,
        seconds: f64,
    },
    /// The last event of a run that was: its checkpoint is saved.
    Interrupted {
        signal: Signal,
        step: u64,
    },
}

/// Who follows a training. `()` follows in silence and never stops it.
pub trait Watch {
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
        let event = Event::Evaluating {
            part: "test".into(),
            done: 3,
            total: 4,
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"event":"evaluating","part":"test","done":3,"total":4}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn signals_exit_as_shells_expect() {
        assert_eq!(
            (Signal::Interrupt.exit_code(), Signal::Terminate.exit_code()),
            (130, 143)
        );
    }
}
