//! Whether the tests mean what they say, seen in simulated studies of two arms that are equal: a
//! test at 5 % must find a difference in one study of twenty, and corrected for several arms in no
//! more.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bootstrap::bootstrap_of;
use super::compare::by_picture;
use super::{ArmResult, SeedResult, compare_all, holm, mcnemar, mean_t, test_seeds};

const STUDIES: usize = 2_000;
const PICTURES: usize = 200;

/// How far two trainings of one arm differ, as a standard deviation of their true accuracy.
const LUCK: f64 = 0.03;

/// A run: how hard its pictures are is shared by both arms, luck is its own.
fn run(hardness: &[f64], luck: f64, draws: &mut ChaCha8Rng) -> Vec<bool> {
    let skill = luck * normal(draws);
    hardness.iter().map(|hard| draws.random::<f64>() < (1.0 - hard + skill)).collect()
}

fn normal(draws: &mut ChaCha8Rng) -> f64 {
    // The sum of twelve uniforms has variance 1.
    (0..12).map(|_| draws.random::<f64>()).sum::<f64>() - 6.0
}

/// Two arms that differ by luck alone.
fn equal_arms(seeds: usize, luck: f64, draws: &mut ChaCha8Rng) -> [ArmResult; 2] {
    let hardness: Vec<f64> = (0..PICTURES).map(|_| 0.3 * draws.random::<f64>()).collect();
    let mut arms = ["a", "b"].map(|arm| ArmResult { arm: arm.into(), seeds: Vec::new() });
    for seed in 0..seeds as u64 {
        for arm in &mut arms {
            arm.seeds.push(SeedResult { seed, right: run(&hardness, luck, draws), loss: 0.0 });
        }
    }
    arms
}

/// Differences of accuracy over seeds.
fn differences([a, b]: &[ArmResult; 2]) -> Vec<f64> {
    a.seeds.iter().zip(&b.seeds).map(|(a, b)| b.accuracy() - a.accuracy()).collect()
}

/// Those of a new study, and whether McNemar's test of the first seed is below 5 %.
fn study(seeds: usize, draws: &mut ChaCha8Rng) -> (Vec<f64>, bool) {
    let arms = equal_arms(seeds, LUCK, draws);
    let [a, b] = &arms;
    let fired = mcnemar(0, &a.seeds[0].right, &b.seeds[0].right).p < 0.05;
    (differences(&arms), fired)
}

fn share(count: usize) -> f64 {
    count as f64 / STUDIES as f64
}

#[test]
fn a_five_per_cent_test_over_seeds_fires_in_one_study_of_twenty() {
    for seeds in [3, 6] {
        let mut draws = ChaCha8Rng::seed_from_u64(seeds as u64);
        let (mut by_t, mut by_interval, mut by_signs) = (0, 0, 0);
        for _ in 0..STUDIES {
            let (differences, _) = study(seeds, &mut draws);
            let interval = mean_t(&differences).interval;
            by_interval += usize::from(interval.is_some_and(|range| range.excludes_zero()));
            // Seeds that agree to the picture are not tested, so nothing fires.
            let Some(test) = test_seeds(&differences) else { continue };
            by_t += usize::from(test.t_p < 0.05);
            by_signs += usize::from(test.permutation_p.unwrap() < 0.05);
        }
        let (t, signs) = (share(by_t), share(by_signs));
        assert!((0.035..=0.065).contains(&t), "{seeds} seeds: t fires in {t:.4}");
        assert_eq!(by_t, by_interval, "interval and test are one");
        // Its steps are coarse, so it fires in fewer: never with 3 seeds, in 2 of 64 ways with 6.
        assert!(signs <= 0.065, "{seeds} seeds: permutation fires in {signs:.4}");
        assert_eq!(seeds == 3, by_signs == 0);
    }
}

/// The answer's sentence asks for more than the test over seeds: the interval over pictures must
/// leave out zero too. So of equal arms it claims a difference in fewer studies, never in more.
#[test]
fn the_answer_claims_less_often_than_the_test_it_rests_on() {
    for seeds in [3, 6] {
        let mut draws = ChaCha8Rng::seed_from_u64(100 + seeds as u64);
        let (mut by_seeds, mut claimed) = (0, 0);
        for _ in 0..STUDIES {
            let arms = equal_arms(seeds, LUCK, &mut draws);
            // Where the interval over seeds holds zero nothing is claimed, so nothing is resampled.
            let interval = mean_t(&differences(&arms)).interval;
            if !interval.is_some_and(|range| range.excludes_zero()) {
                continue;
            }
            by_seeds += 1;
            claimed += usize::from(compare_all(&arms)[0].paired.claim.is_difference());
        }
        assert!((0.035..=0.065).contains(&share(by_seeds)), "{seeds} seeds: {by_seeds}");
        assert!(0 < claimed && claimed <= by_seeds, "{seeds} seeds: {claimed} of {by_seeds}");
    }
}

#[test]
fn holm_keeps_four_arms_together_at_five_per_cent() {
    let mut draws = ChaCha8Rng::seed_from_u64(11);
    let (mut plain, mut corrected) = (0, 0);
    for _ in 0..STUDIES {
        let p: Vec<f64> =
            (0..4).filter_map(|_| Some(test_seeds(&study(4, &mut draws).0)?.t_p)).collect();
        plain += usize::from(p.iter().any(|p| *p < 0.05));
        corrected += usize::from(holm(&p).iter().any(|p| *p < 0.05));
    }
    assert!(share(plain) > 0.12, "four tests fire in {:.4}", share(plain));
    assert!((0.035..=0.065).contains(&share(corrected)), "Holm's in {:.4}", share(corrected));
}

/// Two trainings of one arm differ by more than pictures tell: skill drawn per run makes McNemar's
/// test of a single seed fire more often than it says. That is why no claim rests on it alone.
#[test]
fn one_seeds_mcnemar_says_nothing_about_other_seeds() {
    let mut draws = ChaCha8Rng::seed_from_u64(5);
    let fired = (0..STUDIES).filter(|_| study(1, &mut draws).1).count();
    assert!(share(fired) > 0.065, "fires in {:.4}", share(fired));
}

/// How often the interval over pictures leaves out zero, of two arms with one seed each. A tenth of
/// a report's resamples: its ends wander by 3 % of its width then, which fires hardly more often.
fn bootstrap_fires(luck: f64, draws: &mut ChaCha8Rng) -> f64 {
    let fired = (0..STUDIES).filter(|&study| {
        let [a, b] = equal_arms(1, luck, draws);
        let differences = by_picture(&[(&a.seeds[0], &b.seeds[0])]);
        bootstrap_of(&differences, 1_000, study as u64).excludes_zero()
    });
    share(fired.count())
}

/// The interval over pictures asks what other pictures would say of these very networks: of two
/// that are equally good it leaves out zero in one study of twenty.
#[test]
fn the_bootstrap_fires_in_one_study_of_twenty_for_networks_that_are_equal() {
    let fires = bootstrap_fires(0.0, &mut ChaCha8Rng::seed_from_u64(21));
    assert!((0.035..=0.065).contains(&fires), "fires in {fires:.4}");
}

/// Of two trainings of one arm, which luck made unequal networks, it fires more often, and should:
/// they do differ on all pictures, only another seed would say otherwise. So it claims nothing by
/// itself. By hand: the difference of two skills has a deviation of 0.042 and that of 200 pictures
/// one of 0.035, so it fires where a normal number lies beyond 1.96 · 0.035 / 0.055: one in five.
#[test]
fn the_bootstrap_knows_nothing_of_other_seeds() {
    let fires = bootstrap_fires(LUCK, &mut ChaCha8Rng::seed_from_u64(22));
    assert!((0.17..=0.26).contains(&fires), "fires in {fires:.4}");
}
