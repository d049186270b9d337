//! Deletion and insertion: Petsiuk, Das & Saenko 2018, "RISE: Randomized Input Sampling for
//! Explanation of Black-box Models", <https://arxiv.org/abs/1806.07421>, §4.2.
//!
//! Pixels go, the hottest first, and become zero (in the numbers the network sees); or they come,
//! the hottest first, into a blurred picture. The area under the probability's curve is the score:
//! small is good for deletion, large for insertion. What we do differently: the blur is a mean over
//! 11 × 11 pixels three times (the paper's Gaussian has a deviation of 5, ours of 5.5). With that
//! blur the authors' own code gives the same curves (`scripts/golden/deletion.py`).

use super::{Pictures, mean};
use crate::VizError;
use crate::cam::Map;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use tch::Tensor;

/// The two curves of one picture, or their mean over several ([`Curves::mean`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// The probability with 0, 1/steps, … 1 of the pixels gone.
    pub deletion: Vec<f64>,
    /// The probability with 0, 1/steps, … 1 of the pixels come.
    pub insertion: Vec<f64>,
}

impl Curves {
    /// Area under the deletion curve, 0..=1; small is good.
    pub fn deletion_area(&self) -> f64 {
        area(&self.deletion)
    }

    /// Area under the insertion curve, 0..=1; large is good.
    pub fn insertion_area(&self) -> f64 {
        area(&self.insertion)
    }

    /// The mean of several pictures' curves, point by point.
    ///
    /// # Panics
    /// With none.
    pub fn mean(all: &[Curves]) -> Curves {
        let of = |curve: fn(&Curves) -> &Vec<f64>| {
            let points = 0..curve(&all[0]).len();
            points.map(|i| mean(all.iter().map(|one| curve(one)[i]))).collect()
        };
        Curves { deletion: of(|one| &one.deletion), insertion: of(|one| &one.insertion) }
    }
}

/// Runs both in `steps` equal parts of the pixels, for each of `methods`: its map of each picture.
/// Of each method, each picture's curves.
///
/// # Errors
/// Maps that are not one a picture.
pub fn curves(
    pictures: &Pictures,
    methods: &[&[Map]],
    steps: usize,
) -> Result<Vec<Vec<Curves>>, VizError> {
    let sheets = Sheets::new(pictures, methods, steps)?;
    let told = sheets.told()?;
    let curve = |way: Way, map: usize, n: usize| -> Vec<f64> {
        let of = |step: usize| match sheets.shown(way, map, n, step) {
            Shown::Whole => pictures.whole[n],
            shown => told[&shown],
        };
        (0..=steps).map(of).collect()
    };
    let both =
        |map, n| Curves { deletion: curve(Way::Go, map, n), insertion: curve(Way::Come, map, n) };
    let of_method = |map| (0..pictures.classes.len()).map(|n| both(map, n)).collect();
    Ok((0..methods.len()).map(of_method).collect())
}

/// Whether the hottest pixels go or come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Way {
    Go,
    Come,
}

/// What the network is shown. Where a curve begins and ends it is no map's own, and asked once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Shown {
    /// A picture as it is: known before.
    Whole,
    /// Nothing, which is the same of all pictures of a class.
    Empty { class: i64 },
    /// Picture `n`, blurred.
    Blurred { n: usize },
    /// Picture `n` when so many pixels went or came, by map `map`.
    Part { way: Way, map: usize, n: usize, step: usize },
}

/// All that is to be shown, drawn when its turn comes.
struct Sheets<'a> {
    pictures: &'a Pictures<'a>,
    steps: usize,
    /// `[N, C, H, W]`, a channel after the other, as sheets are.
    whole: Tensor,
    /// The same.
    blurred: Tensor,
    /// Of each method: the places of a picture's pixels, the hottest being 0, `[N, 1, H, W]`.
    ranks: Vec<Tensor>,
}

impl<'a> Sheets<'a> {
    fn new(
        pictures: &'a Pictures,
        methods: &[&[Map]],
        steps: usize,
    ) -> Result<Sheets<'a>, VizError> {
        methods.iter().try_for_each(|maps| pictures.check(maps))?;
        let ranks = methods.iter().map(|maps| ranks(pictures, maps)).collect();
        let whole = pictures.batch.contiguous();
        let blurred = blur(&whole);
        Ok(Sheets { pictures, steps, whole, blurred, ranks })
    }

    fn shown(&self, way: Way, map: usize, n: usize, step: usize) -> Shown {
        match way {
            Way::Go if step == 0 => Shown::Whole,
            Way::Come if step == self.steps => Shown::Whole,
            Way::Go if step == self.steps => Shown::Empty { class: self.pictures.classes[n] },
            Way::Come if step == 0 => Shown::Blurred { n },
            _ => Shown::Part { way, map, n, step },
        }
    }

    /// What the network says of all that must be asked, each once.
    fn told(&self) -> Result<HashMap<Shown, f64>, VizError> {
        let mut all = BTreeSet::new();
        for map in 0..self.ranks.len() {
            for n in 0..self.pictures.classes.len() {
                for step in 0..=self.steps {
                    all.extend([Way::Go, Way::Come].map(|way| self.shown(way, map, n, step)));
                }
            }
        }
        all.remove(&Shown::Whole);
        let all: Vec<Shown> = all.into_iter().collect();
        let class = |shown: &Shown| match *shown {
            Shown::Empty { class } => class,
            Shown::Blurred { n } | Shown::Part { n, .. } => self.pictures.classes[n],
            Shown::Whole => unreachable!("it was taken out"),
        };
        let classes: Vec<i64> = all.iter().map(class).collect();
        let told =
            self.pictures.probabilities_of(&classes, |some: Range<usize>| self.draw(&all[some]))?;
        Ok(all.into_iter().zip(told).collect())
    }

    /// `[shown, C, H, W]`.
    fn draw(&self, shown: &[Shown]) -> Tensor {
        let mut size = self.whole.size();
        size[0] = shown.len() as i64;
        let sheets = Tensor::zeros(&size, (self.whole.kind(), self.whole.device()));
        for (i, shown) in shown.iter().enumerate() {
            let mut sheet = sheets.get(i as i64);
            match *shown {
                Shown::Whole => unreachable!("it is known"),
                Shown::Empty { .. } => {}
                Shown::Blurred { n } => sheet.copy_(&self.blurred.get(n as i64)),
                Shown::Part { way, map, n, step } => self.part(&sheet, way, map, n as i64, step),
            }
        }
        sheets
    }

    /// Draws picture `n` with the hottest pixels gone or come onto a sheet `[C, H, W]` of zeros.
    fn part(&self, sheet: &Tensor, way: Way, map: usize, n: i64, step: usize) {
        let (width, height) = self.pictures.size();
        let count = (width * height) as usize * step / self.steps;
        let (picture, rank) = (self.whole.get(n), self.ranks[map].get(n));
        let hottest = rank.lt(count as i64);
        let _ = match way {
            Way::Go => sheet.where_self_out(sheet, &hottest, &picture),
            Way::Come => picture.where_self_out(sheet, &hottest, &self.blurred.get(n)),
        };
    }
}

/// The places of each picture's pixels, the hottest being 0, `[N, 1, H, W]`.
fn ranks(pictures: &Pictures, maps: &[Map]) -> Tensor {
    let (width, height) = pictures.size();
    let pixels = (width * height) as usize;
    let mut ranks = vec![0i32; pixels * maps.len()];
    for (ranks, order) in ranks.chunks_mut(pixels).zip(pictures.hottest_first(maps)) {
        for (place, pixel) in (0..).zip(order) {
            ranks[pixel as usize] = place;
        }
    }
    let shape = [maps.len() as i64, 1, i64::from(height), i64::from(width)];
    Tensor::from_slice(&ranks).view(shape).to_device(pictures.batch.device())
}

/// A mean over 11 × 11 pixels, three times; at the edge over those that are there. Rows and columns
/// by themselves, which is the same for a fifth of the work.
pub(super) fn blur(x: &Tensor) -> Tensor {
    let rows = |x: &Tensor| x.avg_pool2d([1, 11], [1, 1], [0, 5], false, false, None);
    let once = |x: &Tensor| rows(x).avg_pool2d([11, 1], [1, 1], [5, 0], false, false, None);
    once(&once(&once(x)))
}

/// By the trapezoid rule on even steps.
fn area(curve: &[f64]) -> f64 {
    let steps = curve.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    steps.sum::<f64>() / (curve.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use tch::{Device, Kind};

    /// As the paper has it: every step of every picture by itself, pixel by pixel.
    fn step_by_step(pictures: &Pictures, maps: &[Map], steps: usize) -> Curves {
        let blurred = blur(pictures.batch);
        let pixels = (pictures.size().0 * pictures.size().1) as usize;
        let at = |way: Way, step: usize| {
            let one = |(n, order): (usize, Vec<u32>)| {
                let (picture, n) = (pictures.batch.get(n as i64), n as i64);
                let (from, to) = match way {
                    Way::Go => (picture.shallow_clone(), picture.zeros_like()),
                    Way::Come => (blurred.get(n), picture.shallow_clone()),
                };
                let mut mask = vec![0f32; pixels];
                for pixel in &order[..pixels * step / steps] {
                    mask[*pixel as usize] = 1.0;
                }
                let mask = Tensor::from_slice(&mask).view([1, 32, 32]);
                let mixed: Tensor = to * &mask + from * (1.0 - &mask);
                let x = mixed.unsqueeze(0);
                let classes = &pictures.classes[n as usize..=n as usize];
                Pictures::new(pictures.model, &x, classes).unwrap().whole[0]
            };
            mean(pictures.hottest_first(maps).into_iter().enumerate().map(one))
        };
        let curve = |way| (0..=steps).map(|step| at(way, step)).collect();
        Curves { deletion: curve(Way::Go), insertion: curve(Way::Come) }
    }

    #[test]
    fn in_one_go_they_are_what_they_are_step_by_step() {
        let (model, batch) = (testing::network(), testing::pictures(3));
        let pictures = Pictures::new(&model, &batch, &[1, 0, 1]).unwrap();
        let (left, random) = (vec![testing::left(); 3], super::super::random::maps(3, 8, 8));
        let got = curves(&pictures, &[&left, &random], 4).unwrap();
        assert_eq!(got.len(), 2);
        for (got, maps) in got.iter().zip([&left, &random]) {
            assert_eq!(got.len(), 3);
            let got = Curves::mean(got);
            let want = step_by_step(&pictures, maps, 4);
            let pairs = got.deletion.iter().chain(&got.insertion);
            for (a, b) in pairs.zip(want.deletion.iter().chain(&want.insertion)) {
                assert!((a - b).abs() < 1e-6, "{got:?}\n{want:?}");
            }
        }
    }

    #[test]
    fn what_no_map_changes_is_asked_once() {
        let (model, batch) = (testing::network(), testing::pictures(3));
        let pictures = Pictures::new(&model, &batch, &[1, 0, 1]).unwrap();
        let maps = vec![testing::left(); 3];
        let sheets = Sheets::new(&pictures, &[&maps, &maps], 4).unwrap();
        // Nothing for each of two classes, three blurred, and by two maps 3 + 3 steps of three.
        assert_eq!(sheets.told().unwrap().len(), 2 + 3 + 2 * 6 * 3);
    }

    #[test]
    fn the_hottest_half_is_the_left_one() {
        let (model, batch) = (testing::network(), testing::pictures(1) + 2.0);
        let pictures = Pictures::new(&model, &batch, &[1]).unwrap();
        let maps = [testing::left()];
        let sheets = Sheets::new(&pictures, &[&maps], 2).unwrap();
        let parts = [Way::Go, Way::Come].map(|way| Shown::Part { way, map: 0, n: 0, step: 1 });
        let drawn = sheets.draw(&parts);
        let same = |sheet: i64, of: &Tensor, from: i64| {
            let half = |x: &Tensor| x.narrow(2, from, 16);
            half(&drawn.get(sheet)).equal(&half(of))
        };
        let (picture, blurred) = (batch.get(0), sheets.blurred.get(0));
        let nothing = Tensor::zeros([3, 32, 32], (Kind::Float, Device::Cpu));
        assert!(same(0, &nothing, 0) && same(0, &picture, 16));
        assert!(same(1, &picture, 0) && same(1, &blurred, 16));
    }

    #[test]
    fn the_blur_is_a_mean_over_squares_cut_at_the_edge() {
        let x = testing::pictures(1);
        let once = |x: &Tensor| x.avg_pool2d([11, 11], [1, 1], [5, 5], false, false, None);
        let by_squares = once(&once(&once(&x)));
        let off = (blur(&x) - by_squares).abs().max().double_value(&[]);
        assert!(off < 1e-5, "{off}");
    }

    #[test]
    fn the_area_is_the_trapezoids() {
        assert_eq!(area(&[1.0, 0.5, 0.0]), 0.5);
        assert_eq!(area(&[1.0, 1.0]), 1.0);
    }
}
