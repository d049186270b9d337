//! Measures what each pooling costs, relative to average pooling, at the first transition of
//! DenseNet-121 on pictures of 224 px, on one thread.
//!
//!     cargo run --release -p catscan-models --example pool_costs
//!
//! Prints the table of `docs/layers/README.md`. A time is a forward and a backward in training; in
//! each round all rows take their turn, and a ratio is the median over rounds of a row's time
//! against average pooling's in the same round, so that a machine that drifts does not favour one.

use std::time::Instant;

use catscan_models::{Draws, Extent, Mode, POOLS, PoolRow, Site};
use tch::{Device, Kind, Tensor};

/// Pictures, channels, height and width.
const SHAPE: [i64; 4] = [8, 128, 56, 56];
const ROUNDS: usize = 15;

fn main() {
    tch::set_num_threads(1);
    let rows: Vec<&PoolRow> = POOLS.iter().filter(|row| row.windows).collect();
    let columns = [Kind::Float, Kind::BFloat16].map(|kind| measure(&rows, kind));
    println!("| pooling | learned | fp32 ms | × avg | bf16 ms | × avg |");
    println!("|---|---|---|---|---|---|");
    for (i, row) in rows.iter().enumerate() {
        let learned: usize = learned(row);
        let cells = columns.each_ref().map(|times| {
            let ratios = times[i].iter().zip(&times[0]).map(|(time, average)| time / average);
            format!("{:.1} | {:.1}", median(times[i].clone()), median(ratios.collect()))
        });
        println!("| `{}` | {learned} | {} |", row.name, cells.join(" | "));
    }
}

fn site() -> Site<'static> {
    Site { name: "pool", channels: SHAPE[1], extent: Extent::TRANSITION }
}

/// Numbers it learns at a transition.
fn learned(row: &PoolRow) -> usize {
    let (_, weights) = row.pool.layer(site(), Device::Cpu).expect("it pools windows");
    weights.iter().map(|weight| weight.tensor.numel()).sum()
}

/// The times of each row in milliseconds, by round. The map is channels_last, as in training.
fn measure(rows: &[&PoolRow], kind: Kind) -> Vec<Vec<f64>> {
    let [n, c, h, w] = SHAPE;
    let x = Tensor::randn([n, h, w, c], (kind, Device::Cpu)).permute([0, 3, 1, 2]);
    let mut x = x.set_requires_grad(true);
    let samples: Vec<u32> = (0..n as u32).collect();
    let mode = Mode::Train(Draws { seed: 1, epoch: 0, samples: &samples });
    let above = Tensor::ones([n, h / 2, w / 2, c], (kind, Device::Cpu)).permute([0, 3, 1, 2]);
    let mut times = vec![Vec::new(); rows.len()];
    for round in 0..=ROUNDS {
        for (row, times) in rows.iter().zip(&mut times) {
            let (layer, _) = row.pool.layer(site(), Device::Cpu).expect("it pools windows");
            let start = Instant::now();
            (layer.forward(&x, mode) * &above).sum(kind).backward();
            let time_ms = start.elapsed().as_secs_f64() * 1e3;
            x.zero_grad();
            // The first round warms up.
            if round > 0 {
                times.push(time_ms);
            }
        }
    }
    times
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
