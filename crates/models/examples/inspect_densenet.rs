//! Builds a DenseNet, shows it one random picture and prints what each layer makes of it.
//!
//! ```text
//! cargo run --release -p catscan-models --example inspect_densenet -- densenet121 max 224
//! ```

use std::error::Error;

use catscan_models::{
    Convention, MODELS, Memory, Mode, Model, ModelConfig, POOLS, Pool, Pooling, Precision, Taps,
};
use rand::{Rng, SeedableRng};
use tch::{Device, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_string());
    let (name, pool) = (next("densenet-mini"), next("avg").parse::<Pool>()?);
    let size_px: i64 = next("64").parse()?;

    println!("models:");
    for row in MODELS {
        println!("  {:14} {}", row.name, row.about);
    }
    println!("poolings:");
    for row in POOLS {
        println!("  {:14} {}", row.name, row.about);
    }

    let config = ModelConfig {
        name,
        shape: None,
        pooling: Pooling::densenet(pool, pool),
        convention: Convention::Torchvision,
        in_channels: 3,
        outputs: 1,
        precision: Precision::Fp32,
        memory: Memory::Keep,
    };
    let model = Model::build(&config, 0, Device::Cpu)?;
    model.check_input(&[1, 3, size_px, size_px], Mode::Eval)?;

    let mut taps = Taps::all();
    let picture = random_picture(size_px);
    let logits = tch::no_grad(|| model.forward(&picture, Mode::Eval, &mut taps));

    println!("\n{} with {pool:?} pooling, taps of one {size_px}×{size_px} picture:", config.name);
    for (tap, activation) in taps.iter() {
        println!("  {tap:44} {:?}", activation.size());
    }
    println!("\nparameters:");
    for weight in model.weights().parameters() {
        println!("  {:44} {:?}", weight.name, weight.tensor.size());
    }
    let (trained, all) = (model.weights().count_parameters(), model.weights().count_all());
    println!("{trained} trained numbers, {all} with running statistics");
    println!(
        "logit {:.6}, smallest picture {} px",
        logits.double_value(&[0, 0]),
        model.smallest_px()
    );
    Ok(())
}

/// `[1, 3, size, size]` of numbers in [0, 1), the same every time.
fn random_picture(size_px: i64) -> Tensor {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let numbers: Vec<f32> = (0..3 * size_px * size_px).map(|_| rng.random()).collect();
    Tensor::from_slice(&numbers).view([1, 3, size_px, size_px])
}
