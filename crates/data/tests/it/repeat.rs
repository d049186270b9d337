//! The same pictures, in the same order, with the same draws: whatever the number of threads, after
//! a resume, and however a batch is shared out.

use catscan_data::augment::{Drawn, Mix, Step};
use catscan_data::batch::to_augmented;
use catscan_data::{Augment, Dataset, Fill, Shear, order};
use proptest::prelude::*;
use rayon::prelude::*;
use tch::Device;
use tempfile::{TempDir, tempdir};

use crate::help::{cases, config, encode, folder, picture, pool, put};

fn everything() -> Augment {
    Augment {
        rotation_deg: 30.0,
        shear: Shear::Degrees(5.0),
        zoom: 0.1,
        horizontal_flip: true,
        shift_px: 1,
        fill: Fill::Reflect,
        vertical_flip: true,
        width_shift_px: 1.5,
        then: vec![
            Step::ResizedCrop { scale: [0.3, 1.0], ratio: [0.75, 1.33] },
            Step::ColourJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
            Step::TrivialAugment,
            Step::RandAugment { ops: 2, magnitude: 9 },
            Step::Erase { probability: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3] },
        ],
        mix: Some(Mix::Mixup { alpha: 0.4 }),
        ..Augment::none()
    }
}

fn set() -> TempDir {
    let root = tempdir().unwrap();
    for class in ["a", "b"] {
        for i in 0..9 {
            let png = encode(&picture(i + u32::from(class == "b") * 50), image::ImageFormat::Png);
            put(&root.path().join(format!("{class}/{i}.png")), &png);
        }
    }
    root
}

/// One pass: indices in order, and what is drawn for each.
fn pass(set: &Dataset, seed: u64, epoch: u64) -> Vec<(u32, Drawn)> {
    let augment = everything();
    let train = &set.split.train;
    let positions = order::shuffled(seed, epoch, train.len());
    let one = |at: &u32| {
        let index = train[*at as usize];
        (index, augment.drawn(seed, epoch, index.into(), set.size_px))
    };
    positions.par_iter().map(one).collect()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn threads_resumes_and_shares_change_nothing(
        seed in any::<u64>(),
        epoch in 0..1000u64,
        cut in 0..12usize,
        world in 1..5usize,
    ) {
        let root = set();
        let open = |threads| {
            let cache = tempdir().unwrap();
            let config = config(&folder(root.path()));
            pool(threads).install(|| {
                let set = Dataset::open(&config, cache.path(), &()).unwrap();
                let pass = pass(&set, seed, epoch);
                (set, pass)
            })
        };
        let (set, whole) = open(1);
        let indices: Vec<u32> = whole.iter().map(|(index, _)| *index).collect();
        let pixels = set.gather(&indices);
        for threads in [2, 8] {
            let (other, pass) = open(threads);
            prop_assert_eq!((&other.digest, &other.split), (&set.digest, &set.split));
            prop_assert_eq!(&other.gather(&indices), &pixels);
            prop_assert_eq!(&pass, &whole);
        }
        // A resume draws the rest of a pass without having drawn its beginning.
        let rest = &pass(&set, seed, epoch)[cut..];
        prop_assert_eq!(rest, &whole[cut..]);
        // Each rank's rows of a batch are the rows of the whole batch.
        let unmixed = |(_, drawn): &(u32, Drawn)| Drawn { mixed: None, ..drawn.clone() };
        let drawn: Vec<Drawn> = whole.iter().map(unmixed).collect();
        let tensor = |pixels: &[u8], drawn: &[Drawn]| {
            to_augmented(pixels, set.config(), Device::Cpu, Fill::Reflect, drawn).0
        };
        let together = tensor(&pixels, &drawn);
        let (n, bytes) = (drawn.len(), pixels.len() / drawn.len());
        for rank in 0..world {
            let (from, to) = (n * rank / world, n * (rank + 1) / world);
            let share = tensor(&pixels[from * bytes..to * bytes], &drawn[from..to]);
            let rows = together.narrow(0, from as i64, (to - from) as i64);
            let gap = (share - rows).abs().max().double_value(&[]);
            // Means over a picture may be added up in another order, and equalize rounds them.
            prop_assert!(gap < 1e-5, "rank {rank} of {world}: off by {gap}");
        }
    }
}
