//! The order in which a pass visits its pictures: a function of the seed and the pass alone.

use std::collections::BTreeMap;

use crate::draw::{self, Stream};

/// The positions `0..n`, shuffled (Fisher–Yates) for pass number `pass`.
pub fn shuffled(seed: u64, pass: u64, n: usize) -> Vec<u32> {
    let mut positions: Vec<u32> = (0..n as u32).collect();
    shuffle(&mut positions, &mut draw::stream(seed, pass, n as u64, "order"));
    positions
}

/// The positions `0..shards.len()` for a set that is read from where it lies, `shards[i]` being the
/// file (or stretch of a folder) that position `i` is in.
///
/// Shards come in a shuffled order; as soon as the next ones hold `window` pictures or more, these
/// are shuffled among each other. So a pass reads each shard in one stretch, and `window` pictures
/// mix the classes of as many shards. Like [`shuffled`], every position comes once, and it is
/// another order in each pass.
pub fn windowed(seed: u64, pass: u64, shards: &[u64], window: usize) -> Vec<u32> {
    let mut by_shard: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for (position, shard) in (0..).zip(shards) {
        by_shard.entry(*shard).or_default().push(position);
    }
    let mut groups: Vec<Vec<u32>> = by_shard.into_values().collect();
    let count = groups.len() as u64;
    shuffle(&mut groups, &mut draw::stream(seed, pass, count, "order of shards"));
    let mut positions = Vec::with_capacity(shards.len());
    let (mut start, mut number) = (0, 0);
    let mut close = |positions: &mut [u32]| {
        shuffle(positions, &mut draw::stream(seed, pass, number, "order in a window"));
        number += 1;
    };
    for group in groups {
        positions.extend(group);
        if positions.len() - start >= window {
            close(&mut positions[start..]);
            start = positions.len();
        }
    }
    close(&mut positions[start..]);
    positions
}

fn shuffle<T>(values: &mut [T], stream: &mut Stream) {
    for i in (1..values.len()).rev() {
        values.swap(i, stream.below(i as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut positions: Vec<u32>) -> Vec<u32> {
        positions.sort_unstable();
        positions
    }

    #[test]
    fn every_picture_once_and_another_order_each_pass() {
        let first = shuffled(1, 0, 1000);
        assert_eq!(sorted(first.clone()), (0..1000).collect::<Vec<u32>>());
        assert_eq!(first, shuffled(1, 0, 1000));
        assert_ne!(first, shuffled(1, 1, 1000));
        assert_ne!(first, shuffled(2, 0, 1000));
        assert!(shuffled(1, 0, 0).is_empty());
    }

    #[test]
    fn a_window_is_a_few_whole_shards_mixed() {
        // Ten shards of ten; three to a window of 25, the tenth alone.
        let shards: Vec<u64> = (0..100).map(|i| i / 10).collect();
        let first = windowed(1, 0, &shards, 25);
        assert_eq!(sorted(first.clone()), (0..100).collect::<Vec<u32>>());
        let mut met: Vec<u64> = Vec::new();
        for window in first.chunks(30) {
            let mut within: Vec<u64> = window.iter().map(|i| shards[*i as usize]).collect();
            assert!(window.len() == 10 || within.windows(2).any(|two| two[0] > two[1]), "mixed");
            within.sort_unstable();
            within.dedup();
            assert_eq!(within.len(), window.len() / 10, "whole shards");
            met.extend(within);
        }
        met.sort_unstable();
        assert_eq!(met, (0..10).collect::<Vec<u64>>(), "each shard in one window");
        assert_eq!(first, windowed(1, 0, &shards, 25));
        assert_ne!(first, windowed(1, 1, &shards, 25));
        assert_ne!(first, windowed(2, 0, &shards, 25));
        assert!(windowed(1, 0, &[], 25).is_empty());
    }

    #[test]
    fn first_places_are_dealt_evenly() {
        let check = |first: &dyn Fn(u64) -> u32| {
            let mut counts = [0u32; 5];
            (0..5000).for_each(|pass| counts[first(pass) as usize] += 1);
            // Expected 1000 each, standard deviation 28; five of them.
            assert!(counts.iter().all(|c| (860..1140).contains(c)), "{counts:?}");
        };
        check(&|pass| shuffled(3, pass, 5)[0]);
        check(&|pass| windowed(3, pass, &[0, 0, 1, 1, 2], 100)[0]);
    }
}
