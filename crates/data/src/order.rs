//! The order in which a pass visits its pictures: a function of the seed and the pass alone. Where
//! several processes train together, each takes its rows of every batch.

use std::ops::Range;

use crate::draw;

/// The positions `0..n`, shuffled (Fisher–Yates) for pass number `pass`.
pub fn shuffled(seed: u64, pass: u64, n: usize) -> Vec<u32> {
    let mut stream = draw::stream(seed, pass, n as u64, "order");
    let mut positions: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        positions.swap(i, stream.below(i as u64 + 1) as usize);
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_are_the_batch_and_nearly_equal(rows in 0..500usize, world in 1..70usize) {
            let shares: Vec<_> = (0..world).map(|rank| share(rows, rank, world)).collect();
            prop_assert_eq!(shares.iter().cloned().flatten().collect::<Vec<_>>(),
                (0..rows).collect::<Vec<_>>());
            let (least, most) = (rows / world, rows.div_ceil(world));
            prop_assert!(shares.iter().all(|share| (least..=most).contains(&share.len())));
        }
    }

    #[test]
    fn every_picture_once_and_another_order_each_pass() {
        let first = shuffled(1, 0, 1000);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_eq!(first, shuffled(1, 0, 1000));
        assert_ne!(first, shuffled(1, 1, 1000));
        assert_ne!(first, shuffled(2, 0, 1000));
        assert!(shuffled(1, 0, 0).is_empty());
    }

    #[test]
    fn first_places_are_dealt_evenly() {
        let mut counts = [0u32; 5];
        for pass in 0..5000 {
            counts[shuffled(3, pass, 5)[0] as usize] += 1;
        }
        // Expected 1000 each, standard deviation 28; five of them.
        assert!(counts.iter().all(|c| (860..1140).contains(c)), "{counts:?}");
    }
}
