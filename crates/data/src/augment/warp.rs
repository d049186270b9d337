//! Pictures moved as tensors: the affine of a whole batch, crops, and torchvision's shears.

use tch::Tensor;

use super::op::Op;
use super::step::Rectangle;
use super::{Affine, Augment, Fill};
use crate::batch::{is_channels_last, sent, to_channels_last};

const BILINEAR: i64 = 0;
const NEAREST: i64 = 1;
const ZEROS: i64 = 0;
const BORDER: i64 = 1;
const REFLECTION: i64 = 2;

impl Augment {
    /// `[N, C, S, S] -> [N, C, S, S]` f32: each picture through its own affine, bilinear; strides
    /// (channels_last or not) are kept. `S` is one number: pictures are square.
    ///
    /// # Panics
    /// Where they are not, or there is not one affine a picture.
    pub fn apply(batch: &Tensor, affines: &[Affine], fill: Fill) -> Tensor {
        let (n, c, h, w) = batch.size4().expect("a batch is [N, C, H, W]");
        assert_eq!(h, w, "augment: {h} x {w} pictures, want square ones");
        assert_eq!(n as usize, affines.len(), "augment: {n} pictures, {} affines", affines.len());
        if w == 1 {
            return kept_strides(batch, one_pixel(batch, affines, fill));
        }
        // align_corners: −1 and 1 are the centres of the first and last pixel, as in Keras.
        let halves = 2.0 / (w - 1) as f32;
        let theta = |&Affine([a, b, x, c, d, y]): &Affine| [a, b, x * halves, c, d, y * halves];
        let rows: Vec<f32> = affines.iter().flat_map(theta).collect();
        let theta = sent(Tensor::from_slice(&rows).view([n, 2, 3]), batch.device());
        let grid = Tensor::affine_grid_generator(&theta, [n, c, h, w], true);
        let moved = sample(batch, &grid, fill, w as f64);
        kept_strides(batch, moved)
    }
}

fn kept_strides(before: &Tensor, after: Tensor) -> Tensor {
    if is_channels_last(before) { to_channels_last(&after) } else { after }
}

/// Pictures of one pixel, beside which a grid with aligned corners has no place: it is seen as far
/// as its moved place is within a pixel of it, by `Constant` only where it has not moved.
fn one_pixel(batch: &Tensor, affines: &[Affine], fill: Fill) -> Tensor {
    let near = |by: f32| (1.0 - by.abs()).max(0.0);
    let share = |&Affine([_, _, x, _, _, y]): &Affine| match fill {
        Fill::Zero => near(x) * near(y),
        Fill::Constant(_) => f32::from(u8::from(x == 0.0 && y == 0.0)),
        Fill::Edge | Fill::Reflect | Fill::Wrap => 1.0,
    };
    let shares: Vec<f32> = affines.iter().map(share).collect();
    let shares = Tensor::from_slice(&shares).view([-1, 1, 1, 1]).to_kind(batch.kind());
    let shares = sent(shares, batch.device());
    let outside = if let Fill::Constant(value) = fill { f64::from(value) / 255.0 } else { 0.0 };
    batch * &shares + (1.0 - &shares) * outside
}

/// `grid` has corners aligned.
fn sample(batch: &Tensor, grid: &Tensor, fill: Fill, side: f64) -> Tensor {
    match fill {
        Fill::Zero => batch.grid_sampler(grid, BILINEAR, ZEROS, true),
        Fill::Edge => batch.grid_sampler(grid, BILINEAR, BORDER, true),
        Fill::Constant(value) => {
            // A hair of tolerance: the edge's own centre is inside, whatever 32 bits make of it.
            let far = grid.abs().amax([3i64].as_slice(), false).unsqueeze(1);
            let inside = far.le(1.0 + 1e-6);
            let moved = batch.grid_sampler(grid, BILINEAR, BORDER, true);
            let value = f64::from(f32::from(value) / 255.0);
            let value = Tensor::full([1], value, (batch.kind(), batch.device()));
            moved.where_self(&inside, &value)
        }
        Fill::Reflect => {
            // Mirrored at the pixels' outer edges, which is what unaligned corners are.
            let grid = grid * ((side - 1.0) / side);
            batch.grid_sampler(&grid, BILINEAR, REFLECTION, false)
        }
        Fill::Wrap => {
            // −1 and 1 are one place. Inside nothing is touched, so that 1 stays 1.
            let wrapped = (grid + 1.0).remainder(2.0) - 1.0;
            let grid = grid.where_self(&grid.abs().le(1.0 + 1e-6), &wrapped);
            batch.grid_sampler(&grid, BILINEAR, BORDER, true)
        }
    }
}

/// Each picture's rectangle, bilinear to the picture's own size, as torch's `interpolate` without
/// aligned corners: nothing outside the rectangle is looked at. (It never shrinks, so torchvision's
/// `antialias` would change nothing.)
pub(super) fn resized_crop(x: &Tensor, boxes: &[Rectangle]) -> Tensor {
    let (n, _, h, w) = x.size4().expect("a batch is [N, C, H, W]");
    let axis = |side: i64, of: fn(&Rectangle) -> (u32, u32)| {
        let last = (side - 1).max(1) as f64;
        let mut places = Vec::with_capacity((n * side) as usize);
        for (start, length) in boxes.iter().map(of) {
            let (start, length) = (f64::from(start), f64::from(length));
            for at in 0..side {
                let source = (at as f64 + 0.5) * length / side as f64 - 0.5;
                let source = start + source.clamp(0.0, length - 1.0);
                places.push(2.0 * source / last - 1.0);
            }
        }
        sent(Tensor::from_slice(&places).view([n, side]).to_kind(x.kind()), x.device())
    };
    let columns = axis(w, |b| (b.left, b.width)).unsqueeze(1).expand([n, h, w], false);
    let rows = axis(h, |b| (b.top, b.height)).unsqueeze(2).expand([n, h, w], false);
    let grid = Tensor::stack(&[columns, rows], 3);
    kept_strides(x, x.grid_sampler(&grid, BILINEAR, BORDER, true))
}

/// torchvision's `affine` and `rotate` as its policies call them: nearest pixel, black comes in.
pub(super) fn nearest(x: &Tensor, ops: &[Op]) -> Tensor {
    let (n, _, h, w) = x.size4().expect("a batch is [N, C, H, W]");
    let theta: Vec<f64> = ops.iter().flat_map(|op| inverse(op, h as f64, w as f64)).collect();
    let theta = Tensor::from_slice(&theta).view([n, 2, 3]);
    // As its `_affine_grid`: pixels from the centre, then halves of the picture.
    let halves = Tensor::from_slice(&[0.5 * w as f64, 0.5 * h as f64]);
    let theta = sent((theta.transpose(1, 2) / halves).to_kind(x.kind()), x.device());
    let options = (x.kind(), x.device());
    let places = |side: i64| Tensor::arange(side, options) - 0.5 * (side - 1) as f64;
    let columns = places(w).unsqueeze(0).expand([h, w], false);
    let rows = places(h).unsqueeze(1).expand([h, w], false);
    let base = Tensor::stack(&[&columns, &rows, &columns.ones_like()], 2);
    let grid = base.view([1, h * w, 3]).expand([n, h * w, 3], false).bmm(&theta);
    let moved = x.grid_sampler(&grid.view([n, h, w, 2]), NEAREST, ZEROS, false);
    kept_strides(x, moved)
}

/// From output to input, in pixels from the centre (`_get_inverse_affine_matrix`).
fn inverse(op: &Op, h: f64, w: f64) -> [f64; 6] {
    match *op {
        // About the top left corner.
        Op::ShearX(by) => [1.0, by, by * 0.5 * h, 0.0, 1.0, 0.0],
        Op::ShearY(by) => [1.0, 0.0, 0.0, by, 1.0, by * 0.5 * w],
        Op::Translate(x, y) => [1.0, 0.0, -x, 0.0, 1.0, -y],
        Op::Rotate(degrees) => {
            let (sin, cos) = (-degrees).to_radians().sin_cos();
            [cos, sin, 0.0, -sin, cos, 0.0]
        }
        _ => unreachable!("{op:?} moves nothing"),
    }
}
