//! The crate from outside: layouts, bad input, the cache, and what Python's libraries do.

#[path = "it/audit.rs"]
mod audit;
#[path = "it/bad_pictures.rs"]
mod bad_pictures;
#[cfg(target_os = "linux")]
#[path = "it/bombs.rs"]
mod bombs;
#[path = "it/cache.rs"]
mod cache;
#[path = "it/cats_vs_dogs.rs"]
mod cats_vs_dogs;
#[path = "it/cifar10.rs"]
mod cifar10;
#[path = "it/corpus.rs"]
mod corpus;
#[path = "it/csv.rs"]
mod csv;
#[cfg(feature = "fetch")]
#[path = "it/fetch.rs"]
mod fetch;
#[cfg(feature = "fetch")]
#[path = "it/fetch_sets.rs"]
mod fetch_sets;
#[path = "it/folders.rs"]
mod folders;
#[path = "it/grey.rs"]
mod grey;
#[path = "it/help.rs"]
mod help;
#[path = "it/hostile.rs"]
mod hostile;
#[cfg(feature = "tch")]
#[path = "it/keras_augment.rs"]
mod keras_augment;
#[path = "it/leaks.rs"]
mod leaks;
#[path = "it/mnist.rs"]
mod mnist;
#[path = "it/pillow.rs"]
mod pillow;
#[cfg(unix)]
#[path = "it/pipes.rs"]
mod pipes;
#[path = "it/placement.rs"]
mod placement;
#[path = "it/real.rs"]
mod real;
#[cfg(feature = "tch")]
#[path = "it/repeat.rs"]
mod repeat;
#[path = "it/shards.rs"]
mod shards;
#[cfg(feature = "tch")]
#[path = "it/transforms.rs"]
mod transforms;
#[path = "it/webdataset.rs"]
mod webdataset;
