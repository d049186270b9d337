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
//! | names on screen | [`shown`] | what would steer a terminal is written out |
//! | all together | [`dataset`] | [`Dataset::open`], what the other crates use |
//! | chance | [`draw`], [`order`] | every draw is a function of (seed, epoch, sample, purpose) |
//! | augmentation | [`augment`] | Keras' affine draws; applied to a whole batch at once |
//! | batches | `batch` | u8 gather to `[N, C, H, W]` tensors (feature `tch`) |
//!
//! Without the feature `tch` the crate lists, decodes, audits, splits and caches, and needs no
//! libtorch; without `fetch` it has no network code. Errors are typed ([`DataError`], [`BadImage`])
//! and say where, what, and what to do next.
//!
//! Pictures from a folder of folders, decoded once, in an order and with draws that depend on the
//! seed alone:
//!
//! ```
//! use catscan_data::{Augment, BadImages, Colour, DataConfig, Dataset, Filter, Part, SplitRule};
//! use catscan_data::order;
//!
//! # fn main() -> Result<(), catscan_data::DataError> {
//! let config = DataConfig {
//!     source: "critters:100".into(), // or folder:PATH, csv:PATH, shards:PATH, mnist:PATH ...
//!     size_px: 32,
//!     filter: Filter::Bilinear,
//!     centre_crop_of_px: None,
//!     colour: Colour::Rgb,
//!     split: SplitRule { ratio: [17, 4, 4], seed: 0 },
//!     train_fraction: 1.0,
//!     bad_images: BadImages::Fail,
//!     normalize: None,
//!     shuffle_window: None,
//! };
//! # let cache = tempfile::tempdir().unwrap();
//! # let cache_dir = cache.path();
//! let set = Dataset::open(&config, cache_dir, &())?; // `default_cache_dir()` is the user's
//! assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [68, 16, 16]);
//!
//! let (seed, epoch) = (1, 0);
//! let train = set.split.part(Part::Train);
//! for positions in order::shuffled(seed, epoch, train.len()).chunks(20) {
//!     let batch: Vec<u32> = positions.iter().map(|at| train[*at as usize]).collect();
//!     let (pixels, labels) = (set.gather(&batch)?, set.labels(&batch));
//!     assert_eq!((pixels.len(), labels.len()), (batch.len() * 32 * 32 * 3, batch.len()));
//!     let flips = Augment { horizontal_flip: true, ..Augment::none() };
//!     let affines = batch.iter().map(|i| flips.affine(seed, epoch, u64::from(*i)));
//!     assert_eq!(affines.count(), batch.len()); // what `batch` applies to tensors
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The example `feed_a_tch_loop` trains a network on it, `look_into_a_folder` audits one without
//! libtorch.

#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]

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
mod lock;
mod map;
mod natural;
pub mod order;
pub mod placement;
pub mod progress;
pub mod resize;
pub mod shown;
pub mod source;
pub mod split;
mod window;

pub use augment::{Affine, Augment, Fill, Shear};
#[cfg(feature = "tch")]
pub use batch::picture_tensor;
pub use cache::default_cache_dir;
pub use colour::{Colour, Raster};
pub use config::{BadImages, DataConfig, Filter, Normalize, Part, SplitRule};
pub use critters::Critter;
pub use dataset::{Dataset, Sample};
pub use decode::RgbImage;
pub use error::{BadImage, DataError, Fault, Rejected};
pub use placement::Placement;
pub use progress::Progress;
pub use source::{SOURCES, SourceRow};
pub use split::{Leak, Split, SplitRecord};
