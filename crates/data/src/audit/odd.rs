//! The oddest pictures: those that lie farthest from the set's median in one respect, in robust
//! standard deviations (1.4826 times the median distance from the median). Each respect has its
//! share of them, or the one with the longest tail would fill the sheet.

use std::collections::HashSet;

use super::survey::Facts;
use super::{Odd, Placed};

/// How many are shown, and of each respect.
const ODDEST: usize = 24;
const OF_EACH: usize = 5;

/// The pictures that lie farthest from the median in one respect.
pub(super) fn oddest(seen: &[Facts], place: impl Fn(usize) -> Placed) -> Vec<Odd> {
    type Respect = (&'static str, fn(&Facts) -> f64, fn(f64) -> String);
    let respects: [Respect; 5] = [
        (
            "width to height",
            |s| (f64::from(s.width) / f64::from(s.height)).ln(),
            |v| format!("{:.2}", v.exp()),
        ),
        (
            "pixels",
            |s| (f64::from(s.width) * f64::from(s.height)).ln(),
            |v| format!("{:.0}", v.exp()),
        ),
        (
            "bytes a pixel",
            |s| (s.bytes as f64 / f64::from(s.width) / f64::from(s.height)).ln(),
            |v| format!("{:.3}", v.exp()),
        ),
        ("brightness", |s| s.mean.iter().sum::<f64>() / 3.0, |v| format!("{v:.2}")),
        ("contrast", |s| s.signature.contrast(), |v| format!("{v:.1} of 255")),
    ];
    let mut odd: Vec<(f64, usize, String)> = Vec::new();
    for (name, of, tell) in respects {
        let values: Vec<f64> = seen.iter().map(of).collect();
        let centre = median(values.clone());
        let spread = 1.4826 * median(values.iter().map(|v| (v - centre).abs()).collect());
        // Where most pictures are equal, none is odd by a hair.
        let spread = spread.max(0.02 * centre.abs()).max(1e-3);
        let score = |i: usize| ((values[i] - centre) / spread).abs();
        let mut farthest: Vec<usize> = (0..values.len()).filter(|i| score(*i) > 0.0).collect();
        farthest.sort_by(|a, b| score(*b).total_cmp(&score(*a)).then(a.cmp(b)));
        let one = |i: usize| (score(i), i, format!("{name} {}", tell(values[i])));
        odd.extend(farthest.into_iter().take(OF_EACH).map(one));
    }
    odd.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut shown = HashSet::new();
    odd.retain(|(_, i, _)| shown.insert(*i));
    odd.truncate(ODDEST);
    let tell = |(score, i, what): (f64, usize, String)| Odd {
        picture: place(i),
        what,
        score,
        entry: seen[i].entry,
    };
    odd.into_iter().map(tell).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
