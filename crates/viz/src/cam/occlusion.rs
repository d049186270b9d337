//! Occlusion: Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks",
//! <https://arxiv.org/abs/1311.2901>, §4.2.
//!
//! What the score loses when a square of an eighth of the picture is set to zero (in the numbers
//! the network sees); squares stand half a side apart, and a pixel gets the mean of those that
//! covered it.

use super::passes::{Asked, runs};
use super::{CamRow, How};
use crate::VizError;
use crate::batch_size::OF_MASKINGS;
use tch::{Kind, Tensor};

/// Of any picture whose side eight divides: fifteen along each.
const SQUARES: usize = 15 * 15;

pub(super) const ROW: CamRow = CamRow {
    name: "occlusion",
    about: "what the score loses when a square is covered",
    formula: "mean over squares at a pixel of score − score with the square at 0",
    cost: "225 forwards a picture",
    paper: "Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901",
    how: How::Input(map),
    forwards: |_| SQUARES,
};

fn map(asked: &Asked) -> Result<Tensor, VizError> {
    let (height, width) = (asked.batch.size()[2], asked.batch.size()[3]);
    let (rows, columns) = (windows(height), windows(width));
    let squares: Vec<Tensor> = rows
        .iter()
        .flat_map(|row| columns.iter().map(move |column| (row, column)))
        .map(|((top, high), (left, wide))| {
            let square = Tensor::zeros([height, width], (Kind::Float, asked.batch.device()));
            let _ = square.narrow(0, *top, *high).narrow(1, *left, *wide).fill_(1.0);
            square
        })
        .collect();
    let squares = Tensor::stack(&squares, 0).unsqueeze(1); // [S, 1, H, W]
    let covered = squares.sum_dim_intlist([0i64, 1].as_slice(), false, Kind::Float);
    let one = |n: usize| {
        let mut sum = Tensor::zeros([height, width], (Kind::Float, asked.batch.device()));
        for (first, count) in runs(squares.size()[0], OF_MASKINGS) {
            let some = squares.narrow(0, first, count);
            let without = asked.scores_like(n, &(asked.picture(n) * (1.0 - &some)))?;
            let lost = (asked.scores.get(n as i64) - without).view([-1, 1, 1]);
            sum += (some.squeeze_dim(1) * lost).sum_dim_intlist([0i64].as_slice(), false, None);
        }
        Ok(sum / &covered)
    };
    let maps: Vec<Tensor> = (0..asked.classes.len()).map(one).collect::<Result<_, VizError>>()?;
    Ok(Tensor::stack(&maps, 0))
}

/// (start, length) of the windows along a side: an eighth of it, half of that apart; the last one
/// is cut at the edge.
fn windows(side: i64) -> Vec<(i64, i64)> {
    let size = (side / 8).max(1);
    let step = (size / 2).max(1);
    let count = 1 + (side - size + step - 1) / step;
    (0..count).map(|i| (i * step, size.min(side - i * step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_a_side_to_its_end() {
        assert_eq!(windows(64).len().pow(2), SQUARES);
        assert_eq!(windows(224).len().pow(2), SQUARES);
        assert_eq!(windows(64)[14], (56, 8));
        for side in [1, 7, 28, 33, 224] {
            let last = *windows(side).last().unwrap();
            assert_eq!(last.0 + last.1, side, "{side}");
        }
    }
}
