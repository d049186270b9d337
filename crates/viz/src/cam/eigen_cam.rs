//! Eigen-CAM: Muhammad & Yeasin 2020, "Eigen-CAM: Class Activation Map using Principal Components",
//! <https://arxiv.org/abs/2008.00299>, §III.
//!
//! The channels' values at each place, projected on their first principal component. It asks for no
//! class: it shows what is most conspicuous at the tap. As in pytorch-grad-cam the values are
//! centred first. A component has no sign of its own; ours is the one that rises with the channels'
//! mean, so that heat lies where the tap is active.

use super::{CamRow, How, Seen};
use crate::VizError;
use tch::{Kind, Tensor};

pub(super) const ROW: CamRow = CamRow {
    name: "eigen-cam",
    about: "the first principal component of the channels; the same for every class",
    formula: "A · v, v the first principal component of A over places",
    cost: "1 forward, and an eigenvector of C × C or of HW × HW",
    paper: "Muhammad & Yeasin 2020, https://arxiv.org/abs/2008.00299",
    how: How::Tap(combine),
    forwards: |_| 3,
};

fn combine(seen: &Seen) -> Result<Tensor, VizError> {
    let size = seen.activation.size();
    let one = |n: i64| {
        let values = seen.activation.get(n).flatten(1, 2).transpose(0, 1); // [HW, C]
        project(&values.to_kind(Kind::Double)).map(|map| map.view([size[2], size[3]]))
    };
    let maps: Vec<Tensor> = (0..size[0]).map(one).collect::<Result<_, _>>()?;
    Ok(Tensor::stack(&maps, 0).to_kind(Kind::Float))
}

/// `[HW, C]` → `[HW]`. The eigenvector of the smaller of the two products is taken.
fn project(values: &Tensor) -> Result<Tensor, VizError> {
    let centred = values - values.mean_dim([0i64].as_slice(), true, Kind::Double);
    let by_channel = values.size()[1] <= values.size()[0];
    let turned = centred.transpose(0, 1);
    let product = if by_channel { turned.matmul(&centred) } else { centred.matmul(&turned) };
    let failed = |source| VizError::Torch { place: "eigen-cam", source };
    let (squares, vectors) = product.f_linalg_eigh("L").map_err(failed)?;
    let first = vectors.select(1, -1);
    let map = match by_channel {
        true => centred.matmul(&first),
        false => first * squares.select(0, -1).clamp_min(0.0).sqrt(),
    };
    let mean = centred.mean_dim([1i64].as_slice(), false, Kind::Double);
    let rises = (&map * mean).sum(Kind::Double).double_value(&[]) >= 0.0;
    Ok(if rises { map } else { -map })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_products_give_the_same_component() {
        let wide = Tensor::from_slice(&[1.0f64, 2.0, 4.0, 0.5, 3.0, 7.0, 1.5, -1.0]).view([2, 4]);
        let tall = Tensor::cat(&[&wide, &wide, &wide], 0); // 6 places: the other product
        let (a, b) = (project(&wide).unwrap(), project(&tall).unwrap());
        for n in 0..2 {
            let (a, b) = (a.double_value(&[n]), b.double_value(&[n]));
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }
}
