//! Forward and training step of a few networks, ours alone, to see what a change of the code does.
//! Against PyTorch, in turn on the same cores: `cargo xtask bench models`.
//!
//!     cargo bench -p catscan-models --bench networks
//!     cargo bench -p catscan-models --bench networks -- resnet50/step
//!
//! One, twenty and sixty-four pictures of 64 px in bf16 and fp32, or thirty-two of 28 px for the
//! MNIST networks. A step is forward, loss and backward; the optimiser is `catscan-train`'s.

use catscan_models::{
    Convention, Memory, Mode, Model, ModelConfig, ModelRow, Pool, Pooling, Precision, Shape, Taps,
};
use catscan_torch_ext::allocator;
use criterion::Criterion;
use tch::{Device, Kind, Tensor, no_grad};

const NETWORKS: [&str; 5] =
    ["densenet121", "resnet50", "resnet101", "mnist-resnet", "mnist-densenet"];

fn main() {
    allocator::tune();
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for name in NETWORKS {
        for (label, precision) in [("bf16", Precision::Bf16), ("fp32", Precision::Fp32)] {
            let (model, batches) = ready(name, precision);
            let mut group = criterion.benchmark_group(name);
            for x in &batches {
                let how = format!("{label} batch {}", x.size()[0]);
                group.bench_function(format!("forward {how}"), |bencher| {
                    bencher.iter(|| no_grad(|| model.forward(x, Mode::Eval, &mut Taps::off())));
                });
                group.bench_function(format!("step {how}"), |bencher| {
                    bencher.iter(|| step(&model, x));
                });
            }
        }
    }
    criterion.final_summary();
}

/// A network and batches for it.
fn ready(name: &str, precision: Precision) -> (Model, Vec<Tensor>) {
    let row = ModelRow::find(name).expect("a row of MODELS");
    let (convention, sizes, [c, px], outputs) = match row.shape {
        Shape::Mnist(_) => (Convention::KerasLayers, &[32][..], [1, 28], 10),
        _ => (Convention::Torchvision, &[1, 20, 64][..], [3, 64], 2),
    };
    let config = ModelConfig {
        name: name.into(),
        shape: None,
        pooling: Pooling::for_sites(row.sites(), Pool::Max, Pool::Avg),
        convention,
        in_channels: c,
        outputs,
        precision,
        memory: Memory::Keep,
    };
    let model = Model::build(&config, 1, Device::Cpu).expect("its own configuration");
    let float = (Kind::Float, Device::Cpu);
    let batch = |n: &i64| Tensor::rand([*n, px, px, c], float).permute([0, 3, 1, 2]);
    (model, sizes.iter().map(batch).collect())
}

/// Every parameter's gradient.
fn step(model: &Model, x: &Tensor) -> Vec<Tensor> {
    let logits = model.forward(x, Mode::TRAIN, &mut Taps::off());
    let (n, outputs) = logits.size2().expect("[N, K]");
    let labels = Tensor::arange(n, (Kind::Int64, Device::Cpu)).remainder(outputs);
    let loss = logits.cross_entropy_for_logits(&labels);
    let parameters: Vec<&Tensor> = model.weights().parameters().map(|w| &w.tensor).collect();
    Tensor::run_backward(&[&loss], &parameters, false, false)
}
