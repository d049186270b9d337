//! The gradient of all trained numbers, as backward leaves it.
//!
//! On the CPU it stays a tensor a parameter: laid end to end it would go through memory once more,
//! a tenth of a ResNet's step of one picture. On another device, where each operation costs its
//! launch, it is a row.

use catscan_torch_ext::pieces;
use tch::{Kind, Tensor, no_grad};

use super::{ParameterGroup, as_it_lies, joined};

/// `P` numbers, in the order of the parameters that they are the gradient of.
#[derive(Debug)]
pub struct Gradient(Lies);

#[derive(Debug)]
enum Lies {
    /// A contiguous tensor a parameter, on the CPU.
    Apart(Vec<Tensor>),
    /// `[P]`.
    Row(Tensor),
}

impl Gradient {
    /// Of each parameter its own.
    pub fn of(found: &[Tensor]) -> Gradient {
        let found: Vec<Tensor> =
            found.iter().map(|tensor| as_it_lies(tensor).contiguous()).collect();
        if found.iter().all(pieces::fits) {
            Gradient(Lies::Apart(found))
        } else {
            Gradient::from(joined(&found))
        }
    }

    /// `[P]`: a copy, unless it is a row.
    pub fn row(&self) -> Tensor {
        match &self.0 {
            Lies::Apart(tensors) => no_grad(|| pieces::gather(tensors)),
            Lies::Row(row) => row.shallow_clone(),
        }
    }

    /// `[P]`: from now on it is this row, which may be changed in place.
    pub fn as_row(&mut self) -> &mut Tensor {
        *self = Gradient::from(self.row());
        let Lies::Row(row) = &mut self.0 else { unreachable!("it was made one") };
        row
    }

    /// The same tensors.
    pub fn shallow_clone(&self) -> Gradient {
        Gradient(match &self.0 {
            Lies::Apart(tensors) => Lies::Apart(shallow(tensors)),
            Lies::Row(row) => Lies::Row(row.shallow_clone()),
        })
    }

    /// `[]` f64: the largest number without its sign, NaN if any is, in one walk.
    pub fn largest(&self) -> Tensor {
        match &self.0 {
            Lies::Apart(tensors) => Tensor::from(f64::from(pieces::largest(tensors))),
            Lies::Row(row) => {
                let (least, most) = row.aminmax(None, false);
                least.abs().maximum(&most.abs()).to_kind(Kind::Double)
            }
        }
    }

    /// Adds another of the same parameters.
    pub fn add(&mut self, other: &Gradient) {
        let row = self.as_row();
        match &other.0 {
            Lies::Row(other) => *row += other,
            Lies::Apart(tensors) => {
                let mut start = 0;
                for tensor in tensors {
                    let length = tensor.numel() as i64;
                    let mut here = row.narrow(0, start, length);
                    here += tensor.view([-1]);
                    start += length;
                }
            }
        }
    }

    /// That of each group, in their order.
    pub(super) fn of_each(&self, groups: &[ParameterGroup]) -> Vec<Gradient> {
        let (mut parameters, mut numbers) = (0, 0);
        let of = |group: &ParameterGroup| {
            let (count, length) = (group.parameters.len(), group.numbers());
            (parameters, numbers) = (parameters + count, numbers + length);
            Gradient(match &self.0 {
                Lies::Apart(tensors) => {
                    Lies::Apart(shallow(&tensors[parameters - count..parameters]))
                }
                Lies::Row(row) => Lies::Row(row.narrow(0, numbers - length, length)),
            })
        };
        groups.iter().map(of).collect()
    }

    /// That of each of `weights`.
    pub(super) fn apart(&self, weights: &[Tensor]) -> Vec<Tensor> {
        match &self.0 {
            Lies::Apart(tensors) => shallow(tensors),
            Lies::Row(row) => {
                let lengths: Vec<i64> =
                    weights.iter().map(|weight| weight.numel() as i64).collect();
                row.split_with_sizes(lengths, 0)
            }
        }
    }
}

impl From<Tensor> for Gradient {
    /// `[P]`.
    fn from(row: Tensor) -> Gradient {
        Gradient(Lies::Row(row))
    }
}

fn shallow(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(Tensor::shallow_clone).collect()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// In torch's order, in channels_last, and of one dimension.
    fn found() -> Vec<Tensor> {
        let numbers = |shape: &[i64]| {
            let n = shape.iter().product::<i64>();
            (Tensor::arange(n, (Kind::Float, Device::Cpu)) - 7.5).view(shape)
        };
        let last = numbers(&[2, 4, 5, 3]).permute([0, 3, 1, 2]);
        vec![numbers(&[2, 3, 4, 5]), last, numbers(&[5])]
    }

    #[test]
    fn apart_and_as_a_row_it_is_the_same() {
        let apart = Gradient::of(&found());
        assert!(matches!(apart.0, Lies::Apart(_)), "on the CPU");
        let row = Gradient::from(apart.row());
        assert_eq!(apart.row().size(), [245]);
        assert_eq!(apart.largest(), row.largest());
        assert_eq!(
            apart.apart(&found()),
            row.apart(&found())
                .iter()
                .zip(apart.apart(&found()))
                .map(|(row, apart)| row.view_as(&apart))
                .collect::<Vec<_>>()
        );
        let groups = || {
            let mut all = found();
            let rest = all.split_off(1);
            [all, rest].map(ParameterGroup::of_all)
        };
        let rows = |gradient: &Gradient| {
            gradient.of_each(&groups()).iter().map(Gradient::row).collect::<Vec<_>>()
        };
        assert_eq!(rows(&apart), rows(&row));
    }

    #[test]
    fn a_sum_is_that_of_the_rows() {
        let row = Gradient::of(&found()).row();
        for other in [Gradient::of(&found()), Gradient::from(row.shallow_clone())] {
            let mut sum = Gradient::of(&found());
            sum.add(&other);
            assert_eq!(sum.row(), &row * 2.0);
        }
        assert_eq!(row, Gradient::of(&found()).row(), "the other stays");
    }
}
