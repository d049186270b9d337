//! What tch lacks, behind one safe interface. The only crate of the workspace with `unsafe`.
//!
//! In the order in which a program uses it:
//!
//! - [`allocator`]: memory that is kept and backed by huge pages, set up before the first tensor;
//! - [`cuda`]: libtorch's CUDA half, loaded while the program runs, if it is there;
//! - [`device`]: `auto | cpu | cuda[:n]` on a command line, resolved to a device that works;
//! - [`libtorch`]: which libtorch this process runs on, and from where;
//! - [`cpu`]: the processor's name, its vector and matrix units, its cores and threads;
//! - [`determinism`]: the same bits from the same numbers, or a refusal;
//! - [`plugin`]: CUDA's streams and memory figures, by a second library loaded after libtorch's;
//! - [`graphs`]: a step recorded once as a CUDA graph, or taken eagerly with the reason told;
//! - [`nccl`]: sums over several CUDA devices;
//! - [`convolution`]: 1×1 convolutions as matrix products, those of evaluation with the weight in
//!   oneDNN's own order; [`stamp`]: whether a weight is still what it was;
//! - [`gradient`]: a layer whose backward is ours, in libtorch's graph;
//! - [`norm_relu`]: batch norm and ReLU in one walk through memory, forward and backward;
//! - [`panics`]: what a panic said, as which tch hands on libtorch's errors;
//! - [`pieces`]: many tensors gathered into one, or moved by gradient descent, in one walk;
//! - [`recompute`]: a segment of a network that is run again in backward instead of remembered;
//! - [`written`]: a tensor written in place, without a copy.

#![allow(unsafe_code, reason = "this crate is where the workspace keeps it")]

pub mod allocator;
pub mod convolution;
pub mod cpu;
pub mod cuda;
pub mod determinism;
pub mod device;
pub mod gradient;
pub mod graphs;
pub mod libtorch;
pub mod nccl;
pub mod norm_relu;
pub mod panics;
pub mod pieces;
pub mod plugin;
pub mod recompute;
mod shim;
pub mod stamp;
pub mod written;

pub use cuda::CudaStatus;
pub use device::{DeviceError, DeviceSpec};
