//! The split: who trains, who validates, who is kept for the one final test.
//!
//! Stratified: each class is dealt out by itself, in the ratio of the rule, so 25,000 pictures of
//! two classes at 17:4:4 give exactly 17,000 / 4,000 / 4,000 with equal halves. The order of a
//! class before dealing is the natural order of its names, so a split depends on names and seed,
//! never on how a file system lists a folder.
//!
//! A folder that brings its own parts keeps them. Parts it lacks are carved out of its train
//! part: with `train` and `test` given, a class's train pictures are dealt in the ratio
//! train : val, so that 17:4:4 keeps 17/21 of them for training. The test files of MNIST and
//! CIFAR-10 are such a part.
//!
//! With a `train_fraction` below 1, each class keeps that share of its training pictures, the first
//! ones in the order in which they were dealt. So 10 % are a part of the 20 %, and what validation
//! and test hold does not depend on it.

pub(crate) mod leak;
mod record;

pub use leak::Leak;
pub use record::{Digests, SplitRecord};

use crate::config::{DataConfig, Part};
use crate::dataset::Sample;
use crate::draw;

/// Sample indices by part, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Fitted to.
    pub train: Vec<u32>,
    /// Watched.
    pub val: Vec<u32>,
    /// Kept for the end.
    pub test: Vec<u32>,
    /// How many pictures of the training part `train_fraction` leaves out, of no part now.
    pub train_left_out: usize,
}

impl Split {
    /// The samples of one part.
    pub fn part(&self, part: Part) -> &[u32] {
        match part {
            Part::Train => &self.train,
            Part::Val => &self.val,
            Part::Test => &self.test,
        }
    }

    fn part_mut(&mut self, part: Part) -> &mut Vec<u32> {
        match part {
            Part::Train => &mut self.train,
            Part::Val => &mut self.val,
            Part::Test => &mut self.test,
        }
    }

    /// Deals `samples` out. `fixed[i]` is the part its folder already gives sample `i`; sources
    /// without parts give `None` for all. `samples` are in their final (natural) order.
    pub fn deal(
        samples: &[Sample],
        fixed: &[Option<Part>],
        classes: &[String],
        config: &DataConfig,
    ) -> Split {
        let rule = &config.split;
        let mut split = Split::default();
        let brings = |part| fixed.contains(&Some(part));
        // The train part shares with whatever parts are not there already.
        let mut ratio = rule.ratio.map(u64::from);
        for (share, part) in ratio.iter_mut().zip(Part::ALL) {
            if part != Part::Train && brings(part) {
                *share = 0;
            }
        }
        let mut pools = vec![Vec::new(); classes.len()];
        for ((i, sample), fixed) in (0..).zip(samples).zip(fixed) {
            let Some(pool) = pools.get_mut(sample.label as usize) else { continue };
            match fixed {
                None | Some(Part::Train) => pool.push(i),
                Some(part) => split.part_mut(*part).push(i),
            }
        }
        for (class, mut pool) in classes.iter().zip(pools) {
            shuffle(&mut pool, rule.seed, class);
            let counts = shares(pool.len(), ratio);
            for (part, count) in Part::ALL.into_iter().zip(counts) {
                let mut dealt: Vec<u32> = pool.drain(..count).collect();
                if part == Part::Train {
                    dealt.truncate(kept(count, config.train_fraction));
                    split.train_left_out += count - dealt.len();
                }
                split.part_mut(part).append(&mut dealt);
            }
        }
        for part in Part::ALL {
            split.part_mut(part).sort_unstable();
        }
        split
    }
}

/// The class's name keys its stream: a class more or less leaves the others' split alone.
fn shuffle(pool: &mut [u32], seed: u64, class: &str) {
    let mut stream = draw::stream(seed, 0, 0, &format!("split {class}"));
    for i in (1..pool.len()).rev() {
        pool.swap(i, stream.below(i as u64 + 1) as usize);
    }
}

/// How many of `n` go to each part: rounded shares, the rest to train, but at least one picture to
/// each part with a share as long as the class has enough of them.
fn shares(n: usize, ratio: [u64; 3]) -> [usize; 3] {
    let total: u64 = ratio.iter().sum();
    let mut counts = [0; 3];
    for part in [1, 2] {
        let rounded = (2 * n as u64 * ratio[part] + total) / (2 * total);
        counts[part] = if ratio[part] > 0 { (rounded as usize).max(1) } else { 0 };
    }
    // A class of one or two pictures: train first, then val.
    counts[1] = counts[1].min(n.saturating_sub(1));
    counts[2] = counts[2].min(n.saturating_sub(1 + counts[1]));
    counts[0] = n - counts[1] - counts[2];
    counts
}

/// How many of a class's `n` training pictures are trained on; never none of a class that has some.
fn kept(n: usize, fraction: f64) -> usize {
    ((n as f64 * fraction).round() as usize).clamp(n.min(1), n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::SplitRule;

    use crate::config::tests::config;

    fn samples(per_class: &[usize]) -> (Vec<Sample>, Vec<String>) {
        let mut all = Vec::new();
        for (label, n) in per_class.iter().enumerate() {
            let sample = |i| Sample { name: format!("{label}/{i}.jpg"), label: label as u32 };
            all.extend((0..*n).map(sample));
        }
        (all, (0..per_class.len()).map(|label| format!("class {label}")).collect())
    }

    fn rule(seed: u64) -> DataConfig {
        DataConfig { split: SplitRule { ratio: [17, 4, 4], seed }, ..config() }
    }

    #[test]
    fn the_studys_split_is_exact_and_balanced() {
        let (all, classes) = samples(&[12_500, 12_500]);
        let split = Split::deal(&all, &vec![None; all.len()], &classes, &rule(0));
        assert_eq!([split.train.len(), split.val.len(), split.test.len()], [17_000, 4_000, 4_000]);
        for part in Part::ALL {
            let dogs = split.part(part).iter().filter(|i| all[**i as usize].label == 1).count();
            assert_eq!(dogs * 2, split.part(part).len());
        }
        let mut seen: Vec<u32> = Part::ALL.iter().flat_map(|p| split.part(*p).to_vec()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..25_000).collect::<Vec<u32>>(), "each picture is in one part");
    }

    #[test]
    fn the_seed_deals_and_classes_do_not_disturb_each_other() {
        let (two, classes) = samples(&[50, 50]);
        let (three, more) = samples(&[50, 50, 30]);
        let deal = |all: &[Sample], classes: &[String], seed| {
            Split::deal(all, &vec![None; all.len()], classes, &rule(seed))
        };
        let first = deal(&two, &classes, 1);
        assert_eq!(first, deal(&two, &classes, 1));
        assert_ne!(first, deal(&two, &classes, 2));
        let kept: Vec<u32> = deal(&three, &more, 1).val.into_iter().filter(|i| *i < 100).collect();
        assert_eq!(first.val, kept);
    }

    #[test]
    fn parts_that_are_given_stay_and_the_rest_is_carved_from_train() {
        let (all, classes) = samples(&[42, 42]);
        let fixed: Vec<Option<Part>> =
            (0..84).map(|i| Some(if i % 2 == 0 { Part::Train } else { Part::Test })).collect();
        let split = Split::deal(&all, &fixed, &classes, &rule(0));
        assert_eq!([split.train.len(), split.val.len(), split.test.len()], [34, 8, 42]);
        assert!(split.test.iter().all(|i| i % 2 == 1));
        let fixed: Vec<Option<Part>> = (0..84).map(|i| Some(Part::ALL[i % 3])).collect();
        let split = Split::deal(&all, &fixed, &classes, &rule(0));
        assert_eq!([split.train.len(), split.val.len(), split.test.len()], [28, 28, 28]);
    }

    #[test]
    fn a_tenth_of_the_training_part_is_a_tenth_of_each_class() {
        let (all, classes) = samples(&[12_500, 12_500]);
        let deal = |train_fraction| {
            let config = DataConfig { train_fraction, ..rule(0) };
            Split::deal(&all, &vec![None; all.len()], &classes, &config)
        };
        let (whole, tenth) = (deal(1.0), deal(0.1));
        assert_eq!((whole.train.len(), whole.train_left_out), (17_000, 0));
        assert_eq!((tenth.train.len(), tenth.train_left_out), (1_700, 15_300));
        assert_eq!(tenth.train.iter().filter(|i| all[**i as usize].label == 1).count(), 850);
        assert_eq!((&tenth.val, &tenth.test), (&whole.val, &whole.test));
        let least = deal(1e-9);
        assert_eq!((least.train.len(), least.train_left_out), (2, 16_998));
    }

    /// What a seed means: were this to change, no run of before could be repeated.
    #[test]
    fn a_seed_deals_what_it_always_dealt() {
        let (all, classes) = samples(&[12, 11]);
        let config = DataConfig { train_fraction: 0.5, ..rule(7) };
        let split = Split::deal(&all, &vec![None; all.len()], &classes, &config);
        let name = |i: &u32| all[*i as usize].name.as_str();
        let names = |part: &[u32]| part.iter().map(name).collect::<Vec<&str>>();
        let train = [
            "0/0.jpg", "0/7.jpg", "0/8.jpg", "0/11.jpg", "1/1.jpg", "1/6.jpg", "1/7.jpg",
            "1/10.jpg",
        ];
        assert_eq!(names(&split.train), train);
        assert_eq!(names(&split.val), ["0/1.jpg", "0/10.jpg", "1/2.jpg", "1/3.jpg"]);
        assert_eq!(names(&split.test), ["0/2.jpg", "0/9.jpg", "1/4.jpg", "1/5.jpg"]);
        assert_eq!(split.train_left_out, 7);
    }

    /// Pictures of six classes in any order; of some the folder gives the part, if of any.
    #[derive(Debug)]
    struct Pictures {
        labels: Vec<u32>,
        fixed: Vec<Option<Part>>,
    }

    impl Pictures {
        fn any() -> impl Strategy<Value = Pictures> {
            let picture = (0..6u32, prop::sample::select(vec![Part::Train, Part::Test]));
            (prop::collection::vec(picture, 1..300), any::<bool>()).prop_map(|(pictures, given)| {
                let (labels, parts): (_, Vec<Part>) = pictures.into_iter().unzip();
                Pictures { labels, fixed: parts.into_iter().map(|p| given.then_some(p)).collect() }
            })
        }

        /// As they are dealt when they stand in this order.
        fn deal(&self, order: &[usize], config: &DataConfig) -> Split {
            let sample = |i: &usize| Sample { name: format!("{i}.jpg"), label: self.labels[*i] };
            let all: Vec<Sample> = order.iter().map(sample).collect();
            let fixed: Vec<Option<Part>> = order.iter().map(|i| self.fixed[*i]).collect();
            let classes: Vec<String> = (0..6).map(|label| format!("class {label}")).collect();
            Split::deal(&all, &fixed, &classes, config)
        }
    }

    proptest! {
        #[test]
        fn each_picture_is_in_one_part_and_each_part_has_its_share_of_each_class(
            pictures in Pictures::any(),
            seed in 0..1000u64,
        ) {
            let n = pictures.labels.len();
            let split = pictures.deal(&Vec::from_iter(0..n), &rule(seed));
            let mut dealt: Vec<u32> =
                Part::ALL.iter().flat_map(|part| split.part(*part).to_vec()).collect();
            dealt.sort_unstable();
            prop_assert_eq!(dealt, Vec::from_iter(0..n as u32));
            let is_given = |i: &u32| pictures.fixed[*i as usize] == Some(Part::Test);
            let brings_test = pictures.fixed.contains(&Some(Part::Test));
            for class in 0..6 {
                let own = |i: &&u32| pictures.labels[**i as usize] == class && !is_given(i);
                let count = |part| split.part(part).iter().filter(own).count() as f64;
                let pool: f64 = Part::ALL.map(count).iter().sum();
                let (val, test) = if brings_test { (4.0 / 21.0, 0.0) } else { (0.16, 0.16) };
                prop_assert!((count(Part::Val) - pool * val).abs() < 1.0);
                prop_assert!((count(Part::Test) - pool * test).abs() < 1.0);
            }
            let given = (0..n as u32).filter(is_given);
            prop_assert!(given.into_iter().all(|i| split.test.contains(&i)), "stay where they are");
        }

        #[test]
        fn what_lies_between_the_pictures_of_a_class_has_no_say_in_their_parts(
            pictures in Pictures::any(),
            seed in 0..1000u64,
            train_fraction in 0.01..=1.0f64,
        ) {
            let config = DataConfig { train_fraction, ..rule(seed) };
            let mut order = Vec::from_iter(0..pictures.labels.len());
            let mixed = pictures.deal(&order, &config);
            order.sort_by_key(|i| pictures.labels[*i]);
            let sorted = pictures.deal(&order, &config);
            for part in Part::ALL {
                let same = sorted.part(part).iter().map(|i| order[*i as usize] as u32);
                let mut same = Vec::from_iter(same);
                same.sort_unstable();
                prop_assert_eq!(mixed.part(part), same);
            }
        }

        #[test]
        fn a_smaller_share_of_the_training_part_is_within_a_larger_one(
            sizes in prop::collection::vec(1..60usize, 2..5),
            test_given in any::<bool>(),
            seed in 0..1000u64,
            small in 0.001..1.0f64,
            more in 0.0..1.0f64,
        ) {
            let large = small + more * (1.0 - small);
            let (all, classes) = samples(&sizes);
            let part = |i: usize| if i % 3 == 2 { Part::Test } else { Part::Train };
            let fixed: Vec<Option<Part>> =
                (0..all.len()).map(|i| test_given.then(|| part(i))).collect();
            let deal = |train_fraction| {
                let config = DataConfig { train_fraction, ..rule(seed) };
                Split::deal(&all, &fixed, &classes, &config)
            };
            let (whole, larger, smaller) = (deal(1.0), deal(large), deal(small));
            prop_assert!(smaller.train.iter().all(|i| larger.train.contains(i)), "nested");
            prop_assert!(larger.train.iter().all(|i| whole.train.contains(i)), "within the part");
            for (fraction, split) in [(large, &larger), (small, &smaller)] {
                prop_assert_eq!((&split.val, &split.test), (&whole.val, &whole.test));
                prop_assert_eq!(split.train.len() + split.train_left_out, whole.train.len());
                for label in 0..classes.len() as u32 {
                    let count = |part: &[u32]| {
                        part.iter().filter(|i| all[**i as usize].label == label).count() as f64
                    };
                    let (is, of) = (count(&split.train), count(&whole.train));
                    let want = (of * fraction).max(of.min(1.0));
                    prop_assert!((is - want).abs() <= 0.5, "{is} of {of} at {fraction}");
                }
            }
        }
    }

    #[test]
    fn small_classes_still_reach_each_part() {
        assert_eq!(shares(3, [17, 4, 4]), [1, 1, 1]);
        assert_eq!(shares(2, [17, 4, 4]), [1, 1, 0]);
        assert_eq!(shares(1, [17, 4, 4]), [1, 0, 0]);
        assert_eq!(shares(0, [17, 4, 4]), [0, 0, 0]);
        assert_eq!(shares(10, [8, 0, 2]), [8, 0, 2]);
        assert_eq!(shares(10, [1, 0, 0]), [10, 0, 0]);
    }
}
