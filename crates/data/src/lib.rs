//! `catscan-data`: pictures in, batches out. The crate's flow, in reading order:
//!
//! | step | module | what it does |
//! |---|---|---|
//! | what to read | [`config`] | plain description of the data of a recipe |
//! | where from | [`source`] | SOURCES: drawings, folders, published sets; each lists its own |
//! | drawn pictures | [`critters`] | the embedded set: cats and dogs drawn from a seed |
//! | bytes to RGB | [`decode`] | strict: a picture is whole, or it is refused with a reason |
//! | RGB to grey | [`colour`] | three channels or one; Pillow's formula |
//! | RGB to a square | [`resize`] | Pillow's nearest to the letter, convolutions for the rest |
//! | decode once | [`cache`] | the memory-mapped u8 cache `[N, H, W, C]` |
//! | kept where | [`placement`] | map, memory or the source itself, by what is free |
//! | who trains on what | [`split`] | stratified, seeded train, validation and test parts |
//! | from the network | `fetch` | FETCHABLE: public sets, resumed and checked (feature `fetch`) |
//! | what is in it | [`audit`] | counts, doubles, leakage, what cannot be read, the oddest |
//! | all together | [`dataset`] | [`Dataset::open`], what the other crates use |
//! | chance | [`draw`], [`order`] | every draw is a function of (seed, epoch, sample, purpose) |
//! | augmentation | [`augment`] | Keras' affine draws; applied to a whole batch at once |
//! | batches | `batch` | u8 gather to `[N, C, H, W]` tensors (feature `tch`) |
//!
//! Without the feature `tch` the crate lists, decodes, splits and caches, and needs no libtorch.

pub mod audit;
pub mod augment;
#[cfg(feature = "tch")]
pub mod batch;
pub mod cache;
pub mod colour;
pub mod config;
pub mod critters;
pub mod dataset;
pub mod decode;
pub mod draw;
pub mod error;
#[cfg(feature = "fetch")]
pub mod fetch;
mod map;
mod natural;
pub mod order;
pub mod placement;
pub mod progress;
pub mod resize;
pub mod source;
pub mod split;

pub use augment::{Affine, Augment, Fill, Shear};
#[cfg(feature = "tch")]
pub use batch::picture_tensor;
pub use cache::default_cache_dir;
pub use colour::{Colour, Raster};
pub use config::{BadImages, DataConfig, Filter, Normalize, Part, SplitRule};
pub use critters::Critter;
pub use dataset::{Dataset, Sample};
pub use decode::RgbImage;
pub use error::{BadImage, DataError, Rejected};
pub use placement::Placement;
pub use progress::Progress;
pub use source::{SOURCES, SourceRow};
pub use split::{Split, SplitRecord};
