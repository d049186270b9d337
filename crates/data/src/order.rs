//! The order in which a pass visits its pictures: a function of the seed and the pass alone. Where
//! several processes train together, each takes its rows of every batch.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::draw::{self, Stream};

/// The positions `0..n`, shuffled (Fisher–Yates) for pass number `pass`.
pub fn shuffled(seed: u64, pass: u64, n: usize) -> Vec<u32> {
    let mut positions: Vec<u32> = (0..n as u32).collect();
    shuffle(&mut positions, &mut draw::stream(seed, pass, n as u64, "order"));
    positions
}

/// The rows of a batch of `rows` that fall to `rank` of `world` processes. In the order of ranks
/// they are the batch again, and their numbers differ by one at most; so the pictures of a step,
/// and what is drawn for each, do not depend on how many processes share them.
///
/// ```
/// use catscan_data::order;
///
/// let batch = order::shuffled(1, 0, 10);
/// let shares = [0, 1, 2].map(|rank| &batch[order::share(10, rank, 3)]);
/// assert_eq!(shares.map(<[u32]>::len), [3, 3, 4]);
/// assert_eq!(shares.concat(), batch);
/// ```
///
/// # Panics
/// Where `rank` is not below `world`.
pub fn share(rows: usize, rank: usize, world: usize) -> Range<usize> {
    assert!(rank < world, "rank is {rank}, want below the {world} processes there are");
    let begins = |rank: usize| (rows as u128 * rank as u128 / world as u128) as usize;
    begins(rank)..begins(rank + 1)
}

/// The rows that [`share`] gives, behind the one before them (before the first: the last). Pictures
/// of a batch are mixed each with the one before it ([`crate::augment::Mix`]), so a process that
/// makes these rows and drops the first has its rows of the whole batch, whoever has the others.
///
/// ```
/// use catscan_data::order::share_with_partner;
///
/// assert_eq!(share_with_partner(6, 0, 2), [5, 0, 1, 2]);
/// assert_eq!(share_with_partner(6, 1, 2), [2, 3, 4, 5]);
/// ```
///
/// # Panics
/// As [`share`].
pub fn share_with_partner(rows: usize, rank: usize, world: usize) -> Vec<usize> {
    let share = share(rows, rank, world);
    let partner = (rows > 0).then(|| (share.start + rows - 1) % rows);
    partner.into_iter().chain(share).collect()
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

/// All that [`windowed`] knows of `shards`, in a word to compare: how many there are, and a digest
/// of which positions share one and of the shards' order. Where the word is the same, so is the
/// order of every pass.
///
/// ```
/// use catscan_data::order::packing;
///
/// assert_eq!(packing(&[0, 0, 1]), packing(&[5, 5, 9]));
/// assert_ne!(packing(&[0, 0, 1]), packing(&[0, 1, 1]));
/// ```
pub fn packing(shards: &[u64]) -> String {
    let mut numbers = shards.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    let mut hasher = blake3::Hasher::new();
    for shard in shards {
        let rank = numbers.partition_point(|number| number < shard) as u64;
        hasher.update(&rank.to_le_bytes());
    }
    format!("{} shards {}", numbers.len(), &hasher.finalize().to_hex()[..32])
}

fn shuffle<T>(values: &mut [T], stream: &mut Stream) {
    for i in (1..values.len()).rev() {
        values.swap(i, stream.below(i as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_packing_is_one_order_and_another_another(
            shards in prop::collection::vec(0..9u64, 2..60),
            gaps in prop::collection::vec(1..1000u64, 9),
            seed in any::<u64>(),
            window in 1..20usize,
        ) {
            // Other numbers in the same order: the same packing.
            let number = |shard: &u64| gaps[..=*shard as usize].iter().sum::<u64>();
            let renumbered: Vec<u64> = shards.iter().map(number).collect();
            prop_assert_eq!(packing(&shards), packing(&renumbered));
            for pass in 0..3 {
                let visits = |shards: &[u64]| windowed(seed, pass, shards, window);
                prop_assert_eq!(visits(&shards), visits(&renumbered));
            }
            let mut moved = shards.clone();
            moved[0] += 100;
            let alone = shards.iter().filter(|shard| **shard == shards[0]).count() == 1;
            let was_last = shards.iter().all(|shard| *shard <= shards[0]);
            prop_assert_eq!(packing(&shards) == packing(&moved), alone && was_last);
        }

        #[test]
        fn shares_are_the_batch_and_nearly_equal(rows in 0..500usize, world in 1..70usize) {
            let shares: Vec<_> = (0..world).map(|rank| share(rows, rank, world)).collect();
            prop_assert_eq!(shares.iter().cloned().flatten().collect::<Vec<_>>(),
                (0..rows).collect::<Vec<_>>());
            let (least, most) = (rows / world, rows.div_ceil(world));
            prop_assert!(shares.iter().all(|share| (least..=most).contains(&share.len())));
        }
    }

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
