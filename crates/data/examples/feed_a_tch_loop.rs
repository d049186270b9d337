//! Batches into any tch program: a small net begins to tell drawings apart.
//!
//!     cargo run --release -p catscan-data --example feed_a_tch_loop
//!     cargo run --release -p catscan-data --example feed_a_tch_loop -- folder:PATH
//!
//! Takes any source of `catscan_data::SOURCES`. Nothing but this crate and tch is used.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use catscan_data::augment::Draw;
use catscan_data::batch::to_augmented;
use catscan_data::{
    Augment, BadImage, BadImages, Colour, DataConfig, DataError, Dataset, Fill, Filter, Normalize,
    Part, Shear, SplitRule, order,
};
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Tensor, no_grad};

const BATCH: usize = 20;
const SEED: u64 = 1;
const DEVICE: Device = Device::Cpu;

fn main() -> Result<(), DataError> {
    let config = DataConfig {
        source: std::env::args().nth(1).unwrap_or_else(|| "critters:1000".into()),
        size_px: 32,
        filter: Filter::Bilinear,
        centre_crop_of_px: None,
        colour: Colour::Rgb,
        split: SplitRule { ratio: [17, 4, 4], seed: 0 },
        train_fraction: 1.0,
        bad_images: BadImages::Skip,
        normalize: Some(Normalize { mean: vec![0.5; 3], std: vec![0.25; 3] }),
        shuffle_window: None,
    };
    let set = Dataset::open(&config, &catscan_data::default_cache_dir(), &())?;
    println!("{set:#?}");
    let shear = Shear::Degrees(0.2);
    let augment = Augment {
        rotation_deg: 10.0,
        shear,
        zoom: 0.1,
        horizontal_flip: true,
        shift_px: 0,
        fill: Fill::Edge,
        ..Augment::none()
    };

    let vars = nn::VarStore::new(DEVICE);
    let net = small_net(&vars.root(), set.classes.len() as i64);
    let mut optimizer = nn::Adam::default().build(&vars, 2e-3).expect("a fresh optimiser");

    for epoch in 0..20 {
        let mut last_loss = f64::NAN;
        std::thread::scope(|scope| {
            for (indices, pixels) in gathered_ahead(scope, &set, epoch) {
                let draw = |i: &u32| augment.draw(SEED, epoch, u64::from(*i), set.size_px);
                let draws: Vec<Draw> = indices.iter().map(draw).collect();
                let (x, _) = to_augmented(&pixels?, set.config(), DEVICE, augment.fill, &draws);
                let loss = net
                    .forward(&x)
                    .cross_entropy_for_logits(&Tensor::from_slice(&set.labels(&indices)));
                optimizer.backward_step(&loss);
                last_loss = loss.double_value(&[]);
            }
            Ok::<(), DataError>(())
        })?;
        // Validation pictures are never augmented.
        let val = set.split.part(Part::Val);
        let x = set.batch(val, DEVICE)?;
        let logits = no_grad(|| net.forward(&x));
        let right = logits.argmax(-1, false).eq_tensor(&Tensor::from_slice(&set.labels(val)));
        let accuracy = right.to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
        println!("epoch {epoch}: loss {last_loss:.3}, validation accuracy {accuracy:.3}");
    }
    Ok(())
}

/// Samples and their `[N, H, W, C]` bytes.
type Gathered = (Vec<u32>, Result<Vec<u8>, BadImage>);

/// The batches of one pass, gathered by a thread while the network works on those before: bytes
/// cross threads, tensors are made by who uses them.
fn gathered_ahead<'scope>(
    scope: &'scope Scope<'scope, '_>,
    set: &'scope Dataset,
    epoch: u64,
) -> Receiver<Gathered> {
    let (sender, receiver) = sync_channel(2);
    scope.spawn(move || {
        let train = set.split.part(Part::Train);
        for positions in order::shuffled(SEED, epoch, train.len()).chunks(BATCH) {
            let indices: Vec<u32> = positions.iter().map(|p| train[*p as usize]).collect();
            let pixels = set.gather(&indices);
            // Who has had enough hangs up.
            if sender.send((indices, pixels)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Three convolutions of stride 2, from 32 pixels a side to 4, and one linear layer.
fn small_net(root: &nn::Path, classes: i64) -> nn::Sequential {
    let config = nn::ConvConfig { stride: 2, padding: 1, ..Default::default() };
    let mut net = nn::seq();
    for (i, (from, to)) in [(3, 16), (16, 32), (32, 64)].into_iter().enumerate() {
        net = net
            .add(nn::conv2d(root / format!("conv{i}"), from, to, 3, config))
            .add_fn(Tensor::relu);
    }
    net.add_fn(|x| x.flatten(1, -1)).add(nn::linear(
        root / "classifier",
        64 * 4 * 4,
        classes,
        Default::default(),
    ))
}
