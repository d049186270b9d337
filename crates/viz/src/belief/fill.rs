//! Holes filled from around them, for [`super::road`]: each removed pixel becomes the weighted mean
//! of its neighbours (1/6 beside, 1/12 across), removed ones among them, which is one linear system
//! for all channels (Rong et al. 2022, <https://arxiv.org/abs/2202.00449>, §4.2).
//!
//! The system is symmetric, so conjugate gradients solve it (Hestenes & Stiefel 1952), all channels
//! in one walk. They mend what is near first and what is far last, so they begin from the same
//! picture at half its size, filled in the same way (cascadic multigrid, Bornemann & Deuflhard
//! 1996): a hole as wide as the picture then takes tens of steps, not hundreds.

/// Where a solution stops: its residual against the right-hand side, far below ROAD's noise.
const CLOSE: f64 = 1e-4;
/// The weight of a neighbour beside, above or below.
const BESIDE: f32 = 1.0 / 6.0;
/// The weight of a neighbour across a corner.
const ACROSS: f32 = 1.0 / 12.0;
/// A side below which a picture is filled from its mean, not from a smaller one.
const SMALL: usize = 4;
/// Channels walked together.
const LANES: usize = 4;

type Lane = [f32; LANES];

/// A picture `[C, H, W]`, row by row, whose `removed` pixels are filled in.
pub(super) fn fill(values: &[f32], (width, height): (u32, u32), removed: &[u32]) -> Vec<f32> {
    let (width, height) = (width as usize, height as usize);
    let pixels = width * height;
    let mut out = values.to_vec();
    let mut known = vec![true; pixels];
    removed.iter().for_each(|pixel| known[*pixel as usize] = false);
    for channels in out.chunks_mut(LANES * pixels) {
        let lane = |pixel: usize| -> Lane {
            std::array::from_fn(|c| channels.get(c * pixels + pixel).copied().unwrap_or(0.0))
        };
        let mut sheet = Sheet::new(width, height, known.clone(), lane);
        sheet.settle();
        for pixel in removed {
            let lane = sheet.values[sheet.at(*pixel as usize)];
            for (channel, value) in channels.chunks_mut(pixels).zip(lane) {
                channel[*pixel as usize] = value;
            }
        }
    }
    out
}

/// A picture with holes, and a border of zeros one pixel wide, so that all pixels have neighbours.
struct Sheet {
    width: usize,
    height: usize,
    /// Without the border.
    known: Vec<bool>,
    /// With the border; zero in the holes until they are filled.
    values: Vec<Lane>,
    /// The pixels in holes, as places of `values`.
    holes: Vec<usize>,
    /// Of each of them, the weights' sum of its neighbours inside the picture.
    sums: Vec<f32>,
}

impl Sheet {
    fn new(width: usize, height: usize, known: Vec<bool>, lane: impl Fn(usize) -> Lane) -> Sheet {
        let mut sheet = Sheet {
            values: vec![[0.0; LANES]; (width + 2) * (height + 2)],
            holes: Vec::new(),
            sums: Vec::new(),
            width,
            height,
            known,
        };
        let inside = |at: usize, side: usize| 1 + usize::from(at > 0) + usize::from(at + 1 < side);
        for pixel in 0..width * height {
            let at = sheet.at(pixel);
            if sheet.known[pixel] {
                sheet.values[at] = lane(pixel);
                continue;
            }
            // Of its square of neighbours, cut at the picture's edge: rows and columns beside it.
            let across = inside(pixel % width, width) - 1;
            let down = inside(pixel / width, height) - 1;
            sheet.holes.push(at);
            sheet.sums.push((across + down) as f32 * BESIDE + (across * down) as f32 * ACROSS);
        }
        sheet
    }

    /// The place of a pixel of the picture in `values`.
    fn at(&self, pixel: usize) -> usize {
        (pixel / self.width + 1) * (self.width + 2) + pixel % self.width + 1
    }

    /// Fills the holes.
    fn settle(&mut self) {
        if self.holes.is_empty() {
            return;
        }
        // The right-hand side is what the known neighbours give.
        let right = squares(self.image(&self.values).into_iter());
        match self.width.min(self.height) < SMALL {
            true => self.guess_the_mean(),
            false => self.guess_from_half(),
        }
        self.refine(right.map(|square| CLOSE * CLOSE * square.max(1e-12)));
    }

    fn guess_the_mean(&mut self) {
        let count = self.known.iter().filter(|known| **known).count().max(1) as f32;
        let mut mean = [0.0; LANES];
        for value in &self.values {
            (0..LANES).for_each(|c| mean[c] += value[c] / count);
        }
        self.holes.iter().for_each(|at| self.values[*at] = mean);
    }

    /// From the picture at half its size: a pixel there is the mean of those of its four that are
    /// known, and a hole where none is.
    fn guess_from_half(&mut self) {
        let (wide, high) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut sums = vec![([0.0; LANES], 0.0f32); wide * high];
        for pixel in (0..self.width * self.height).filter(|pixel| self.known[*pixel]) {
            let (row, column) = (pixel / self.width, pixel % self.width);
            let (sum, count) = &mut sums[row / 2 * wide + column / 2];
            let value = self.values[self.at(pixel)];
            (0..LANES).for_each(|c| sum[c] += value[c]);
            *count += 1.0;
        }
        let known = sums.iter().map(|(_, count)| *count > 0.0).collect();
        let mut half =
            Sheet::new(wide, high, known, |pixel| sums[pixel].0.map(|sum| sum / sums[pixel].1));
        half.settle();
        for pixel in (0..self.width * self.height).filter(|pixel| !self.known[*pixel]) {
            let (row, column) = (pixel / self.width, pixel % self.width);
            // Bilinear with half-pixel centres: three parts of its own, one of the nearer side.
            let beside = |at: usize, side: usize| match at % 2 {
                0 => (at / 2).saturating_sub(1),
                _ => (at / 2 + 1).min(side - 1),
            };
            let rows = [(row / 2, 0.75), (beside(row, high), 0.25)];
            let columns = [(column / 2, 0.75), (beside(column, wide), 0.25)];
            let mut value = [0.0; LANES];
            for (y, down) in rows {
                for (x, across) in columns {
                    let from = half.values[half.at(y * wide + x)];
                    (0..LANES).for_each(|c| value[c] += down * across * from[c]);
                }
            }
            let at = self.at(pixel);
            self.values[at] = value;
        }
    }

    /// Conjugate gradients from the guess, until every channel's residual is `enough` (squared).
    fn refine(&mut self, enough: [f64; LANES]) {
        let mut residual: Vec<Lane> =
            self.image(&self.values).into_iter().map(|image| image.map(|v| -v)).collect();
        let mut direction = vec![[0.0; LANES]; self.values.len()];
        for (at, residual) in self.holes.iter().zip(&residual) {
            direction[*at] = *residual;
        }
        let mut square = squares(residual.iter().copied());
        for _ in 0..self.holes.len() {
            if (0..LANES).all(|c| square[c] <= enough[c]) {
                break;
            }
            let image = self.image(&direction);
            let mut along = [0.0f64; LANES];
            for (at, image) in self.holes.iter().zip(&image) {
                (0..LANES).for_each(|c| along[c] += f64::from(direction[*at][c] * image[c]));
            }
            // A channel that is done stays as it is.
            let step: Lane =
                std::array::from_fn(|c| match square[c] > enough[c] && along[c] > 0.0 {
                    true => (square[c] / along[c]) as f32,
                    false => 0.0,
                });
            for ((at, residual), image) in self.holes.iter().zip(&mut residual).zip(&image) {
                (0..LANES).for_each(|c| self.values[*at][c] += step[c] * direction[*at][c]);
                (0..LANES).for_each(|c| residual[c] -= step[c] * image[c]);
            }
            let next = squares(residual.iter().copied());
            let turn: Lane = std::array::from_fn(|c| match square[c] > 0.0 {
                true => (next[c] / square[c]) as f32,
                false => 0.0,
            });
            for (at, residual) in self.holes.iter().zip(&residual) {
                let direction = &mut direction[*at];
                (0..LANES).for_each(|c| direction[c] = residual[c] + turn[c] * direction[c]);
            }
            square = next;
        }
    }

    /// Of each pixel in a hole: its value times its neighbours' weights, less their weighted sum.
    fn image(&self, values: &[Lane]) -> Vec<Lane> {
        let row = self.width + 2;
        let one = |(at, sum): (&usize, &f32)| -> Lane {
            let [above, same, below] = [at - row, *at, at + row]
                .map(|middle| <&[Lane; 3]>::try_from(&values[middle - 1..middle + 2]).expect("3"));
            std::array::from_fn(|c| {
                let beside = above[1][c] + below[1][c] + same[0][c] + same[2][c];
                let across = above[0][c] + above[2][c] + below[0][c] + below[2][c];
                sum * same[1][c] - BESIDE * beside - ACROSS * across
            })
        };
        self.holes.iter().zip(&self.sums).map(one).collect()
    }
}

/// The sum of squares of each channel.
fn squares(lanes: impl Iterator<Item = Lane>) -> [f64; LANES] {
    lanes.fold([0.0; LANES], |sum, lane| {
        std::array::from_fn(|c| sum[c] + f64::from(lane[c]) * f64::from(lane[c]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Against pytorch-grad-cam's imputer without noise; see `scripts/golden/road.py`.
    #[test]
    fn holes_are_filled_as_pytorch_grad_cam_fills_them() {
        let golden: Value =
            serde_json::from_str(include_str!("../../tests/golden/road.json")).unwrap();
        let list = |name: &str| -> Vec<f64> {
            golden[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let picture: Vec<f32> = list("picture").iter().map(|v| *v as f32).collect();
        let removed: Vec<u32> = list("removed").iter().map(|v| *v as u32).collect();
        let (ours, theirs) = (fill(&picture, (8, 6), &removed), list("filled"));
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(theirs) {
            assert!((f64::from(*a) - b).abs() < 1e-3, "{a} {b}");
        }
    }

    /// A hole nearly as wide as the picture, where each pixel must be the mean of its neighbours
    /// and a plane must go on as a plane.
    #[test]
    fn a_wide_hole_goes_on_as_its_edge_does() {
        let side = 96usize;
        let plane = |pixel: usize| 0.02 * (pixel % side) as f32 - 0.01 * (pixel / side) as f32;
        let channels: Vec<f32> = (0..5 * side * side)
            .map(|i| plane(i % (side * side)) * (i / (side * side) + 1) as f32)
            .collect();
        let inner = 3..side - 3;
        let removed: Vec<u32> = (0..side * side)
            .filter(|pixel| inner.contains(&(pixel % side)) && inner.contains(&(pixel / side)))
            .map(|pixel| pixel as u32)
            .collect();
        let size = (side as u32, side as u32);
        let mut torn = channels.clone();
        for channel in torn.chunks_mut(side * side) {
            removed.iter().for_each(|pixel| channel[*pixel as usize] = 99.0);
        }
        let filled = fill(&torn, size, &removed);
        let off = filled.iter().zip(&channels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Of a range of 9.5 in the last channel; ROAD's noise is a hundredth of the deviation.
        assert!(off < 0.02, "{off}");
    }

    #[test]
    fn a_picture_without_holes_stays_as_it_is() {
        let picture: Vec<f32> = (0..2 * 5 * 7).map(|i| i as f32).collect();
        assert_eq!(fill(&picture, (7, 5), &[]), picture);
    }
}
