//! Forward and backward of every pooling that pools windows, at the first transition of
//! DenseNet-121 on eight pictures of 224 px. The table of `docs/layers/README.md` is the example
//! `pool_costs`', which lets all take turns; this one shows what a change does to one of them.
//!
//!     cargo bench -p catscan-models --bench pools -- soft

use catscan_models::{Draws, Extent, Mode, POOLS, Site};
use criterion::Criterion;
use tch::{Device, Kind, Tensor};

/// Pictures, channels, height and width.
const SHAPE: [i64; 4] = [8, 128, 56, 56];

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let [n, c, h, w] = SHAPE;
    let samples: Vec<u32> = (0..n as u32).collect();
    let mode = Mode::Train(Draws { seed: 1, epoch: 0, samples: &samples });
    for (label, kind) in [("fp32", Kind::Float), ("bf16", Kind::BFloat16)] {
        let x = Tensor::randn([n, h, w, c], (kind, Device::Cpu)).permute([0, 3, 1, 2]);
        let x = x.set_requires_grad(true);
        let mut group = criterion.benchmark_group(label);
        for row in POOLS.iter().filter(|row| row.windows) {
            let site = Site { name: "pool", channels: c, extent: Extent::TRANSITION };
            let (layer, _) = row.pool.layer(site, Device::Cpu).expect("it pools windows");
            group.bench_function(row.name, |bencher| {
                bencher.iter(|| {
                    let y = layer.forward(&x, mode).sum(Kind::Float);
                    Tensor::run_backward(&[y], &[&x], false, false)
                });
            });
        }
    }
    criterion.final_summary();
}
