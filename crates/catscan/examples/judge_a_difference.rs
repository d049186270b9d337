//! Judges two arms from their right answers alone, without training anything.
//!
//! Run: `cargo run --release -p catscan --example judge_a_difference`

use catscan::stats::{ArmResult, SeedResult, compare};

fn main() {
    // Three seeds each, 400 test pictures; the numbers say how many were right.
    let avg = arm("avg", [340, 342, 338]);
    let max = arm("max", [356, 358, 355]);
    let comparison = compare(&avg, &max).expect("both arms have seeds in common");
    println!("{}", comparison.words);
    for test in &comparison.mcnemar {
        println!("seed {}: McNemar's p = {:.4}", test.seed, test.p);
    }
}

fn arm(name: &str, right: [usize; 3]) -> ArmResult {
    let seed = |(seed, right): (u64, usize)| SeedResult {
        seed,
        right: (0..400).map(|picture| picture < right).collect(),
        loss: 0.3,
    };
    ArmResult { arm: name.into(), seeds: (1..).zip(right).map(seed).collect() }
}
