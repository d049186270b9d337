//! Whether to pool before a transition's 1×1 convolution where that pools by the average: the two
//! commute, and pooling first leaves the convolution a quarter of the pixels. `docs/speed.md` says
//! what was found and why the networks do not do it.
//!
//!     cargo bench -p catscan-models --bench transitions
//!
//! The three transitions of DenseNet-121 on twenty pictures of 64 px, forward and backward.

use catscan_torch_ext::allocator;
use catscan_torch_ext::convolution::{Steps, conv2d};
use criterion::Criterion;
use tch::{Device, Kind, Tensor};

/// Channels, and height and width, of what enters each.
const TRANSITIONS: [(i64, i64); 3] = [(256, 16), (512, 8), (1024, 4)];

fn main() {
    allocator::tune();
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    for (label, kind) in [("fp32", Kind::Float), ("bf16", Kind::BFloat16)] {
        let maps = TRANSITIONS.map(|(channels, px)| transition(channels, px, kind));
        for (x, weight) in &maps {
            let apart = (after(x, weight) - before(x, weight)).abs().max().double_value(&[]);
            assert!(apart < 0.1, "the two are {apart} apart");
        }
        let mut group = criterion.benchmark_group(label);
        for (name, way) in [("conv, then pool", after as Way), ("pool, then conv", before)] {
            group.bench_function(name, |bencher| {
                bencher.iter(|| maps.each_ref().map(|(x, weight)| step(way, x, weight)));
            });
        }
    }
    criterion.final_summary();
}

type Way = fn(&Tensor, &Tensor) -> Tensor;

const ONE_BY_ONE: Steps = Steps { stride: 1, padding: 0 };

/// As the paper, torchvision and the networks here have it.
fn after(x: &Tensor, weight: &Tensor) -> Tensor {
    pool(&conv2d(x, weight, None, ONE_BY_ONE))
}

fn before(x: &Tensor, weight: &Tensor) -> Tensor {
    conv2d(&pool(x), weight, None, ONE_BY_ONE)
}

fn pool(x: &Tensor) -> Tensor {
    x.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)
}

/// A map in channels_last, as after its ReLU, and the weight that halves its channels.
fn transition(channels: i64, px: i64, kind: Kind) -> (Tensor, Tensor) {
    let cpu = (Kind::Float, Device::Cpu);
    let x = Tensor::rand([20, px, px, channels], cpu).permute([0, 3, 1, 2]);
    let weight = Tensor::randn([channels / 2, channels, 1, 1], cpu) / (channels as f64).sqrt();
    let leaf = |tensor: Tensor| tensor.to_kind(kind).set_requires_grad(true);
    (leaf(x), leaf(weight))
}

/// The gradients of both.
fn step(way: Way, x: &Tensor, weight: &Tensor) -> Vec<Tensor> {
    let y = way(x, weight).sum(Kind::Float);
    Tensor::run_backward(&[y], &[x, weight], false, false)
}
