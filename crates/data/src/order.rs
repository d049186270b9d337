//! The order in which a pass visits its pictures: a function of the seed and the pass alone.

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

#[cfg(test)]
mod tests {
    use super::*;

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
