//! S3Pool, pooling with stochastic spatial sampling: the maximum at every pixel, then, in training,
//! random rows and columns of that (Zhai et al. 2017, *S3Pool: Pooling with Stochastic Spatial
//! Sampling*, arXiv:1611.05138).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, windows only. The dense map is cut into strips of `grid` rows;
//! of each, `grid / stride` rows are drawn without replacement and kept in order, and of their
//! columns likewise. All channels of a picture share its rows and columns, so the draw bends the
//! map a little without tearing it. In evaluation the dense map is averaged over cells of
//! stride × stride, as in the authors' code. Padding is that of max pooling, -∞. The card is
//! `docs/layers/s3.md`.
//!
//! What we do differently: each picture draws its own rows and columns, where the authors' code
//! draws them once a batch, because a draw is a function of the picture and not of its batch. The
//! grid is the stride, their code's default: the evaluation is then exactly the expectation. (They
//! trained with half a map.) Cells start at the first pixel, theirs one before it. A dense map
//! that does not divide gives `⌈rows / stride⌉` rows of its last strip.

use tch::{Kind, Tensor};

use crate::builder::Builder;
use crate::mode::{Draws, Mode};
use crate::pool::windows::as_contiguous_as;
use crate::pool::{PoolLayer, Site};

/// A dense maximum, of which random rows and columns are kept.
#[derive(Debug)]
pub struct S3Pool {
    /// What it draws under.
    pub name: String,
    /// Height and width of the windows of the maximum.
    pub size: i64,
    /// Pixels from one output to the next, on average.
    pub stride: i64,
    /// Pixels that the maximum adds on each side.
    pub padding: i64,
    /// `g`, the height and width of the cells within which pixels are drawn: a multiple of the
    /// stride.
    pub grid: i64,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    let [size, stride, padding] = site.extent.window();
    Box::new(S3Pool { name: site.name.to_string(), size, stride, padding, grid: stride })
}

impl PoolLayer for S3Pool {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let (size, padding) = ([self.size; 2], [self.padding; 2]);
        let dense = x.max_pool2d(size, [1, 1], padding, [1, 1], /* ceil_mode */ false);
        match mode {
            Mode::Train(draws) => as_contiguous_as(x, &self.sample(&dense, draws)),
            Mode::Eval => {
                let cell = [self.stride; 2];
                dense.avg_pool2d(cell, cell, [0, 0], /* ceil_mode */ true, false, None)
            }
        }
    }
}

impl S3Pool {
    /// The drawn rows and columns of each picture: `[N, C, H, W] -> [N, C, H', W']`.
    fn sample(&self, dense: &Tensor, draws: Draws) -> Tensor {
        let (pictures, channels, height, width) = dense.size4().expect("[N, C, H, W]");
        let u = draws.uniform(&self.name, &[pictures, height + width], dense.device());
        let rows = self.kept(&u.narrow(1, 0, height)); // [N, H']
        let columns = self.kept(&u.narrow(1, height, width)); // [N, W']
        let first = Tensor::arange(pictures, (Kind::Int64, dense.device())) * (height * width);
        let pixels = first.view([-1, 1, 1]) + rows.unsqueeze(2) * width + columns.unsqueeze(1);
        // Whole pixels are copied, all channels at once.
        let flat = dense.permute([0, 2, 3, 1]).reshape([-1, channels]);
        let size = [pictures, rows.size()[1], columns.size()[1], channels];
        flat.index_select(0, &pixels.flatten(0, 2)).view(size).permute([0, 3, 1, 2])
    }

    /// Which of the lines with the keys `u` are kept: `[N, L] -> [N, ⌈L / stride⌉]`.
    fn kept(&self, u: &Tensor) -> Tensor {
        let (_, lines) = u.size2().expect("[N, L]");
        let whole = lines - lines % self.grid;
        let mut kept = self.kept_of_strips(&u.narrow(1, 0, whole), self.grid);
        if whole < lines {
            let last = self.kept_of_strips(&u.narrow(1, whole, lines - whole), lines - whole);
            kept = Tensor::cat(&[kept, last + whole], 1);
        }
        kept
    }

    /// Of each strip of `lines` the `⌈lines / stride⌉` with the smallest keys, in order.
    fn kept_of_strips(&self, keys: &Tensor, lines: i64) -> Tensor {
        let keys = keys.unflatten(1, [-1, lines]); // [N, strips, lines]
        let count = (lines + self.stride - 1) / self.stride;
        let (order, _) = keys.argsort(-1, false).narrow(-1, 0, count).sort(-1, false);
        let first = Tensor::arange(keys.size()[1], (Kind::Int64, keys.device())) * lines;
        (order + first.view([-1, 1])).flatten(1, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(grid: i64) -> S3Pool {
        S3Pool { name: "pool".into(), size: 2, stride: 2, padding: 0, grid }
    }

    #[test]
    fn the_smallest_keys_of_each_strip_are_kept_in_order() {
        let keys = Tensor::from_slice(&[0.9f32, 0.1, 0.4, 0.2, 0.3, 0.8, 0.5]).view([1, 7]);
        let kept = |grid| Vec::<i64>::try_from(layer(grid).kept(&keys).view(-1)).unwrap();
        assert_eq!(kept(2), [1, 3, 4, 6]); // the last strip has one line
        assert_eq!(kept(4), [1, 3, 4, 6]); // two of four, and two of three
        assert_eq!(kept(6), [1, 3, 4, 6]); // three of six, and the only one
    }

    #[test]
    fn evaluation_is_the_mean_of_the_dense_cells() {
        let x = Tensor::from_slice(&[1f32, 2.0, 0.0, 0.0, 3.0, 4.0, 0.0, 1.0]).view([1, 1, 2, 4]);
        // The dense maxima are 4 4 1.
        let y = Vec::<f32>::try_from(layer(2).forward(&x, Mode::Eval).view(-1)).unwrap();
        assert_eq!(y, [4.0, 1.0]);
    }
}
