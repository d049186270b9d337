//! What the statistics say, in words for somebody who knows none: first a sentence without any
//! term, then the numbers. Shares are written as per cent, differences as points.

use super::{Claim, Comparison, Estimate, Interval, ONE_POINT, POWER, Paired};
use crate::figures::signed;

/// Whether a difference is shown, what each arm classified correctly, and what other seeds could
/// give. `of` says which pictures; `over_pictures` is the interval over them, where they were
/// resampled.
pub(super) fn sentence(paired: &Paired, of: &str, over_pictures: Option<Interval>) -> String {
    let Paired { first, second, .. } = paired;
    let [one, other] = paired.means.map(|mean| format!("{:.1} %", 100.0 * mean));
    let means = format!("{first} classified {one} of the {of} correctly, {second} {other}");
    let Estimate { mean, interval, n } = paired.difference;
    // Student's t knows no bounds, a gap between two shares does.
    let bounded = |end: f64| end.clamp(-1.0, 1.0);
    let Some(range) = interval.map(|i| Interval { low: bounded(i.low), high: bounded(i.high) })
    else {
        return match n {
            1 => format!(
                "No verdict from one seed. {means}; what another seed would give is not known: run \
                 it with --seeds 3 or more."
            ),
            _ => format!(
                "No verdict. {means}, and the gap is the same to the picture in all {n} seeds, so \
                 how far others would lie is not known: run it with --seeds {} or more.",
                n + 1
            ),
        };
    };
    let again = "trained again with other seeds";
    if let Claim::FirstBetter | Claim::SecondBetter = paired.claim {
        let second_better = paired.claim == Claim::SecondBetter;
        let (better, worse) = if second_better { (second, first) } else { (first, second) };
        let (low, high) =
            if second_better { (range.low, range.high) } else { (-range.high, -range.low) };
        return format!(
            "Shown: {better} is {} points better than {worse}. {means}; {again}, {better} could be \
             ahead by {} to {} points.",
            plain(mean.abs()),
            plain(low),
            plain(high)
        );
    }
    let open = over_pictures.filter(|pictures| !pictures.excludes_zero());
    let why = match (open, range.excludes_zero()) {
        (Some(pictures), true) => format!(
            "; but on other pictures these very networks could be {}",
            span(second, pictures)
        ),
        (None, true) => "; by itself that would be a difference, but where several arms are \
                         compared one in twenty is expected to look so"
            .to_owned(),
        (_, false) => String::new(),
    };
    format!("Not shown. {means}; {again}, the gap could be {}{why}.", span(second, range))
}

/// From where to where, for and against the arm.
fn span(arm: &str, range: Interval) -> String {
    let (low, high) = (plain(range.low.abs()), plain(range.high.abs()));
    match range {
        range if range.low >= 0.0 => format!("from {low} to {high} points for {arm}"),
        range if range.high <= 0.0 => format!("from {high} to {low} points against {arm}"),
        _ => format!("from {low} points against {arm} to {high} for it"),
    }
}

/// A share in points.
fn plain(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// What is said of a comparison of test accuracy, in a sentence.
pub(super) fn words(c: &Comparison) -> String {
    sentence(&c.paired, "test pictures", Some(c.over_pictures))
}

/// The numbers behind it; `of_several`: how many comparisons were corrected for.
pub(super) fn numbers(c: &Comparison, of_several: usize) -> String {
    let Paired { first, second, difference, .. } = &c.paired;
    let tests = c.paired.test.map_or(String::new(), |test| {
        let holm = c.paired.holm_p.filter(|_| of_several > 1).map_or(String::new(), |holm| {
            format!(", {} after Holm's correction for {of_several} comparisons", p_value(holm))
        });
        format!(" (t test: p {}{holm})", equals(test.t_p))
    });
    format!(
        "In numbers: {second} − {first} = {} points, {}{tests}; {}.",
        points(difference.mean),
        over_seeds(difference),
        over_pictures(c.over_pictures, c.pictures)
    )
}

/// The interval over seeds, or why there is none.
pub(super) fn over_seeds(estimate: &Estimate) -> String {
    match (estimate.interval, estimate.n) {
        (Some(interval), n) => format!("95 % interval {} over n = {n} seeds", range(interval)),
        (None, 1) => "n = 1 seed".to_owned(),
        (None, n) => format!("n = {n} seeds that agree to the picture"),
    }
}

/// The interval over pictures, and what it is: narrower than the one over seeds, and no answer to
/// the same question.
pub(super) fn over_pictures(interval: Interval, pictures: usize) -> String {
    format!(
        "for these very networks on other pictures the 95 % interval is {} (bootstrap over \
         {pictures} test pictures), which leaves out what another training would change",
        range(interval)
    )
}

/// What the design could have shown; empty where the seeds do not tell.
pub(super) fn reach(c: &Comparison) -> String {
    let Some(power) = c.power else { return String::new() };
    let times = (POWER * 100.0).round();
    let half = (c.over_pictures.high - c.over_pictures.low) / 2.0;
    let point = match power.seeds_for_one_point {
        // The other half of the rule: more seeds do not narrow it much.
        _ if half >= ONE_POINT => format!(
            "1 point is out of reach while {} test pictures leave ±{:.1} points open",
            c.pictures,
            half * 100.0
        ),
        Some(n) if n <= c.seeds => "its seeds are enough to find 1 point".to_owned(),
        Some(n) => format!("to find 1 point it would need about {n} seeds"),
        None => "no number of seeds that anybody will run would find 1 point".to_owned(),
    };
    format!(
        "{} against {}: by its seeds alone, {} that differ as these do find a true difference of \
         {:.2} points in {times} of 100 cases; {point}.",
        c.paired.second,
        c.paired.first,
        c.seeds,
        power.detectable * 100.0
    )
}

/// An interval's two ends in points.
pub fn range(interval: Interval) -> String {
    format!("{} to {}", points(interval.low), points(interval.high))
}

/// A share as percentage points, with its sign.
pub fn points(share: f64) -> String {
    signed(share * 100.0, 2)
}

/// A p in three digits.
pub fn p_value(p: f64) -> String {
    match p {
        p if p < 0.001 => "< 0.001".to_owned(),
        p => format!("{p:.3}"),
    }
}

fn equals(p: f64) -> String {
    let text = p_value(p);
    if text.starts_with('<') { text } else { format!("= {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(range: [f64; 2], over_pictures: Option<[f64; 2]>, claim: Claim) -> String {
        let interval = |[low, high]: [f64; 2]| Interval { low, high };
        let mean = (range[0] + range[1]) / 2.0;
        let paired = Paired {
            first: "avg".into(),
            second: "max".into(),
            means: [0.865, 0.865 + mean],
            by_seed: Vec::new(),
            difference: Estimate { mean, interval: Some(interval(range)), n: 3 },
            test: None,
            holm_p: None,
            claim,
        };
        sentence(&paired, "test pictures", over_pictures.map(interval))
    }

    #[test]
    fn what_is_not_shown_is_told_with_accuracies_and_both_ends() {
        assert_eq!(
            said([-0.049, 0.001], Some([-0.031, -0.018]), Claim::NoDifferenceShown),
            "Not shown. avg classified 86.5 % of the test pictures correctly, max 84.1 %; trained \
             again with other seeds, the gap could be from 4.9 points against max to 0.1 for it."
        );
    }

    #[test]
    fn no_gap_is_wider_than_all_pictures() {
        let words = said([-1.4, 1.5], None, Claim::NoDifferenceShown);
        assert!(words.ends_with("from 100.0 points against max to 100.0 for it."), "{words}");
    }

    #[test]
    fn what_is_shown_names_the_better_arm_whichever_comes_first() {
        assert_eq!(
            said([0.03, 0.05], Some([0.02, 0.06]), Claim::SecondBetter),
            "Shown: max is 4.0 points better than avg. avg classified 86.5 % of the test pictures \
             correctly, max 90.5 %; trained again with other seeds, max could be ahead by 3.0 to \
             5.0 points."
        );
        let turned = said([-0.05, -0.03], Some([-0.06, -0.02]), Claim::FirstBetter);
        assert!(turned.starts_with("Shown: avg is 4.0 points better than max."), "{turned}");
        assert!(turned.ends_with("avg could be ahead by 3.0 to 5.0 points."), "{turned}");
    }

    #[test]
    fn why_an_interval_that_leaves_out_zero_is_not_enough() {
        let pictures = said([0.001, 0.005], Some([-0.002, 0.008]), Claim::NoDifferenceShown);
        assert!(
            pictures.ends_with(
                "the gap could be from 0.1 to 0.5 points for max; but on other pictures these very \
                 networks could be from 0.2 points against max to 0.8 for it."
            ),
            "{pictures}"
        );
        let several = said([-0.05, -0.01], Some([-0.04, -0.02]), Claim::NoDifferenceShown);
        assert!(several.contains("from 1.0 to 5.0 points against max; by itself"), "{several}");
        assert!(several.ends_with("one in twenty is expected to look so."), "{several}");
    }

    #[test]
    fn small_p_are_not_written_as_zero() {
        assert_eq!([p_value(0.0004), p_value(0.0537)], ["< 0.001", "0.054"]);
        assert_eq!([equals(0.0004), equals(0.0537)], ["< 0.001", "= 0.054"]);
    }
}
