//! Charts as SVG, by plotters. A chart is transparent, takes its text colour from the page, and is
//! read in colour, in grey and aloud: a dash or a shape stands beside every colour, and each chart
//! carries its title for a screen reader. Panels are small (about 460 units wide) so that two stand
//! side by side on a screen and one fills a telephone.
//!
//! One file a chart; `frame` holds what they share.

mod confusion;
mod curves;
mod frame;
mod heat;
mod lines;
mod prediction_scatter;
mod seed_points;
mod split_bars;

pub use confusion::confusion;
pub use curves::{ArmCurves, CurvePanels, EpochPoint, curves};
pub use heat::{HeatAxes, HeatMap, heat_maps};
pub use lines::{Axes, Beside, Line, lines, lines_against};
pub use prediction_scatter::{Prediction, prediction_scatter};
pub use seed_points::{ArmScores, seed_differences, seed_points};
pub use split_bars::{PartCounts, split_bars};
