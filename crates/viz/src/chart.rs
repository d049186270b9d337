//! Charts as SVG, by plotters. Every chart is transparent, takes its text colour from the page and
//! is read in colour, in grey and aloud (shape or dash beside every colour; a title for a screen
//! reader). Each chart has a file of its own; this one holds what they are made from.

mod confusion;
mod curves;
mod prediction_scatter;
mod seed_points;
mod split_bars;

pub use confusion::confusion;
pub use curves::{ArmCurves, EpochPoint, curves};
pub use prediction_scatter::{ArmPredictions, Prediction, prediction_scatter};
pub use seed_points::{ArmScores, seed_points};
pub use split_bars::{PartCounts, split_bars};
