//! Looks into a trained network and writes down what it saw: charts, feature maps, class activation
//! maps, and the one self-contained HTML page that holds them. Nothing here trains.
//!
//! In reading order:
//! 1. [`chart`]: numbers of runs → [`Svg`] (curves, seed points, confusion, split, predictions);
//! 2. [`feature_maps`]: one forward pass → the grid of every convolution's output;
//! 3. [`cam`]: one forward and one backward pass → class activation maps at all wanted taps;
//! 4. [`evidence`]: how much of a map falls on what really tells the classes apart; [`belief`]: is
//!    a map to be believed at all;
//!    [`corrupt`]: pictures made worse, to see what an arm stands;
//! 5. [`overlay`], [`strip`] and [`layer`]: maps laid over their pictures, stem to head, arms on
//!    one scale;
//! 6. [`report`]: a [`report::Page`] of blocks → one HTML file that loads nothing.
//!
//! Below them: [`colormap`], [`palette`], [`raster`] (small pictures with text), [`svg`],
//! `chance` (draws that are the same everywhere), [`batch_size`] (pictures in one pass).

pub mod batch_size;
pub mod belief;
pub mod cam;
mod chance;
pub mod chart;
pub mod colormap;
pub mod corrupt;
mod error;
pub mod evidence;
pub mod feature_maps;
pub mod layer;
pub mod overlay;
pub mod palette;
pub mod raster;
pub mod report;
pub mod strip;
pub mod svg;

pub use error::VizError;
pub use overlay::thumbnail;
pub use svg::Svg;
