//! Batches into any tch program: a few steps of a linear classifier on drawings.
//!
//!     cargo run --release -p catscan-data --example feed_a_tch_loop
//!     cargo run --release -p catscan-data --example feed_a_tch_loop -- folder:PATH
//!
//! Takes any source of `catscan_data::SOURCES`. Nothing but this crate and tch is used.

use catscan_data::{
    Augment, BadImages, DataConfig, DataError, Dataset, Filter, Part, Shear, SplitRule, order,
};
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Tensor, no_grad};

const BATCH: usize = 20;
const SEED: u64 = 1;

fn main() -> Result<(), DataError> {
    let config = DataConfig {
        source: std::env::args()
            .nth(1)
            .unwrap_or_else(|| "critters:500".into()),
        size_px: 32,
        filter: Filter::Bilinear,
        split: SplitRule {
            ratio: [17, 4, 4],
            seed: 0,
        },
        bad_images: BadImages::Skip,
        normalize: None,
    };
    let set = Dataset::open(&config, &catscan_data::default_cache_dir(), &())?;
    println!("{set:#?}");
    let shear = Shear::Degrees(0.2);
    let augment = Augment {
        rotation_deg: 10.0,
        shear,
        zoom: 0.1,
        horizontal_flip: true,
    };

    let vars = nn::VarStore::new(Device::Cpu);
    let inputs = i64::from(config.size_px).pow(2) * 3;
    let classes = set.classes.len() as i64;
    let net = nn::linear(vars.root(), inputs, classes, Default::default());
    let mut optimizer = nn::Sgd::default()
        .build(&vars, 0.01)
        .expect("a fresh optimiser");

    let train = set.split.part(Part::Train);
    for epoch in 0..3 {
        let mut last_loss = f64::NAN;
        for positions in order::shuffled(SEED, epoch, train.len()).chunks(BATCH) {
            let indices: Vec<u32> = positions.iter().map(|p| train[*p as usize]).collect();
            let draw = |i: &u32| augment.draw(SEED, epoch, u64::from(*i));
            let affines: Vec<_> = indices.iter().map(draw).collect();
            let x = Augment::apply(&set.batch(&indices, Device::Cpu), &affines);
            let loss = net
                .forward(&x.contiguous().flatten(1, -1))
                .cross_entropy_for_logits(&Tensor::from_slice(&set.labels(&indices)));
            optimizer.backward_step(&loss);
            last_loss = loss.double_value(&[]);
        }
        // Validation pictures are never augmented.
        let val = set.split.part(Part::Val);
        let logits =
            no_grad(|| net.forward(&set.batch(val, Device::Cpu).contiguous().flatten(1, -1)));
        let right = logits
            .argmax(-1, false)
            .eq_tensor(&Tensor::from_slice(&set.labels(val)));
        let accuracy = right
            .to_kind(Kind::Float)
            .mean(Kind::Float)
            .double_value(&[]);
        println!("epoch {epoch}: loss {last_loss:.3}, validation accuracy {accuracy:.3}");
    }
    Ok(())
}
