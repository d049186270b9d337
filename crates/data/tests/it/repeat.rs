//! The same pictures, in the same order, with the same draws: whatever the number of threads, and
//! however a batch is shared out. (Workers and resumes are the trainer's, and tested there:
//! `batches/loader.rs` in `catscan-train`.)

use catscan_data::augment::{Draw, Mix, Step};
use catscan_data::batch::to_augmented;
use catscan_data::{Augment, Colour, DataConfig, Dataset, Fill, Shear, order};
use proptest::prelude::*;
use rayon::prelude::*;
use tch::Device;
use tempfile::{TempDir, tempdir};

use crate::help::{cases, config, encode, folder, picture, pool, put};

/// What a recipe does to its pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Everything,
    /// Most pictures are left as the affine made them.
    MovesAndErases,
    /// Half of the pictures are not moved at all.
    FlipsAndErases,
    /// In one walk from the bytes.
    Moves,
}

fn augment(mix: Mix, does: Does) -> Augment {
    if does == Does::FlipsAndErases {
        let all = augment(mix, Does::MovesAndErases);
        let (then, mix) = (all.then, all.mix);
        return Augment { horizontal_flip: true, then, mix, ..Augment::none() };
    }
    let erase = |probability| Step::Erase { probability, scale: [0.02, 0.33], ratio: [0.3, 3.3] };
    let then = vec![
        Step::ResizedCrop { scale: [0.3, 1.0], ratio: [0.75, 1.33] },
        Step::ColourJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
        Step::TrivialAugment,
        Step::RandAugment { ops: 2, magnitude: 9 },
        erase(0.5),
    ];
    Augment {
        rotation_deg: 30.0,
        shear: Shear::Degrees(5.0),
        zoom: 0.1,
        horizontal_flip: true,
        shift_px: 1,
        fill: Fill::Reflect,
        vertical_flip: true,
        width_shift_px: 1.5,
        then: match does {
            Does::Everything => then,
            Does::Moves => Vec::new(),
            Does::MovesAndErases | Does::FlipsAndErases => vec![erase(0.1)],
        },
        mix: Some(mix),
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
fn pass(set: &Dataset, augment: &Augment, seed: u64, epoch: u64) -> Vec<(u32, Draw)> {
    let train = &set.split.train;
    let positions = order::shuffled(seed, epoch, train.len());
    let one = |at: &u32| {
        let index = train[*at as usize];
        (index, augment.draw(seed, epoch, index.into(), set.size_px))
    };
    positions.par_iter().map(one).collect()
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn threads_and_shares_change_nothing(
        seed in any::<u64>(),
        epoch in 0..1000u64,
        cut_mix in any::<bool>(),
        does in prop::sample::select(vec![
            Does::Everything,
            Does::MovesAndErases,
            Does::FlipsAndErases,
            Does::Moves,
        ]),
        world in 1..5usize,
        grey in any::<bool>(),
    ) {
        let mix = if cut_mix { Mix::CutMix { alpha: 1.0 } } else { Mix::Mixup { alpha: 0.4 } };
        let augment = augment(mix, does);
        let root = set();
        let open = |threads| {
            let cache = tempdir().unwrap();
            let colour = if grey { Colour::Grey } else { Colour::Rgb };
            let config = DataConfig { colour, ..config(&folder(root.path())) };
            pool(threads).install(|| {
                let set = Dataset::open(&config, cache.path(), &()).unwrap();
                let pass = pass(&set, &augment, seed, epoch);
                (set, pass)
            })
        };
        let (set, whole) = open(1);
        let indices: Vec<u32> = whole.iter().map(|(index, _)| *index).collect();
        let pixels = set.gather(&indices).unwrap();
        for threads in [2, 8] {
            let (other, pass) = open(threads);
            prop_assert_eq!((&other.digest, &other.split), (&set.digest, &set.split));
            prop_assert_eq!(&other.gather(&indices).unwrap(), &pixels);
            prop_assert_eq!(&pass, &whole);
        }
        // Each rank's rows of a batch are the rows of the whole batch, mixed as they are there.
        let tensors = |rows: &[usize]| {
            let at: Vec<u32> = rows.iter().map(|row| indices[*row]).collect();
            let drawn: Vec<Draw> = rows.iter().map(|row| whole[*row].1.clone()).collect();
            let pixels = set.gather(&at).unwrap();
            let made = to_augmented(&pixels, set.config(), Device::Cpu, Fill::Reflect, &drawn);
            (made.0, made.1.expect("mixed pictures have shares"))
        };
        let n = whole.len();
        let together = tensors(&(0..n).collect::<Vec<_>>());
        for rank in 0..world {
            let (images, own) = tensors(&order::share_with_partner(n, rank, world));
            let rows = order::share(n, rank, world);
            let (from, count) = (rows.start as i64, rows.len() as i64);
            for (share, whole) in [(images, &together.0), (own, &together.1)] {
                let same = share.narrow(0, 1, count) == whole.narrow(0, from, count);
                prop_assert!(same, "rank {rank} of {world}");
            }
        }
    }
}
