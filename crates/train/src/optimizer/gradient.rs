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

/// That of one group.
pub(super) enum Part<'a> {
    /// As of the whole.
    Apart(&'a [Tensor]),
    /// `[S]`.
    Row(Tensor),
}

/// What is left of a part.
pub(super) struct Front<'a> {
    tensors: &'a [Tensor],
    /// Numbers that were taken of the first of them.
    at: i64,
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

    /// The sum with another of the same parameters. Not in place: two parameters may share a
    /// tensor.
    pub fn plus(self, other: &Gradient) -> Gradient {
        Gradient(match (self.0, &other.0) {
            (Lies::Apart(tensors), Lies::Apart(others)) => {
                let each = tensors.into_iter().zip(others);
                Lies::Apart(each.map(|(one, other)| one + other).collect())
            }
            (one, _) => Lies::Row(Gradient(one).row() + other.row()),
        })
    }

    /// That of each group, in their order.
    pub(super) fn of_each(&self, groups: &[ParameterGroup]) -> Vec<Part<'_>> {
        let (mut parameters, mut numbers) = (0, 0);
        let of = |group: &ParameterGroup| {
            let (count, length) = (group.parameters.len(), group.numbers());
            (parameters, numbers) = (parameters + count, numbers + length);
            match &self.0 {
                Lies::Apart(tensors) => Part::Apart(&tensors[parameters - count..parameters]),
                Lies::Row(row) => Part::Row(row.narrow(0, numbers - length, length)),
            }
        };
        groups.iter().map(of).collect()
    }
}

impl Part<'_> {
    /// Does `work` with that of each of `weights`, which are the group's.
    pub fn apart<T>(&self, weights: &[Tensor], work: impl FnOnce(&[Tensor]) -> T) -> T {
        match self {
            Part::Apart(tensors) => work(tensors),
            Part::Row(row) => {
                let lengths: Vec<i64> =
                    weights.iter().map(|weight| weight.numel() as i64).collect();
                work(&row.split_with_sizes(lengths, 0))
            }
        }
    }

    /// To be taken from its front, some numbers at a time.
    pub fn front(&self) -> Front<'_> {
        let tensors = match self {
            Part::Apart(tensors) => tensors,
            Part::Row(row) => std::slice::from_ref(row),
        };
        Front { tensors, at: 0 }
    }
}

impl Front<'_> {
    /// The next numbers, `[S]`: a view where they are of one tensor.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn take(&mut self, numbers: i64) -> Tensor {
        let (mut found, mut left) = (Vec::new(), numbers);
        while left > 0 {
            let (first, rest) = self.tensors.split_first().expect("a gradient of all parameters");
            let length = left.min(first.numel() as i64 - self.at);
            found.push(first.view([-1]).narrow(0, self.at, length));
            (left, self.at) = (left - length, self.at + length);
            if self.at == first.numel() as i64 {
                (self.tensors, self.at) = (rest, 0);
            }
        }
        if found.len() == 1 { found.remove(0) } else { Tensor::cat(&found, 0) }
    }
}

impl From<Tensor> for Gradient {
    /// `[P]`.
    fn from(row: Tensor) -> Gradient {
        Gradient(Lies::Row(row))
    }
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
        let groups = || {
            let mut all = found();
            let rest = all.split_off(1);
            [all, rest].map(ParameterGroup::of_all)
        };
        // Within a tensor, and across two.
        let groups = groups();
        for (of, cuts) in [(0, &[100, 20][..]), (1, &[7, 100, 18])] {
            let numbers = |gradient: &Gradient| {
                let part = &gradient.of_each(&groups)[of];
                let rows = |tensors: &[Tensor]| tensors.iter().map(|t| t.view([-1])).collect();
                let own: Vec<Tensor> = part.apart(&groups[of].parameters, rows);
                let mut front = part.front();
                let taken: Vec<Tensor> = cuts.iter().map(|numbers| front.take(*numbers)).collect();
                assert_eq!(Tensor::cat(&taken, 0), Tensor::cat(&own, 0));
                own
            };
            assert_eq!(numbers(&apart), numbers(&row));
        }
    }

    #[test]
    fn a_sum_is_that_of_the_rows() {
        let row = Gradient::of(&found()).row();
        for other in [Gradient::of(&found()), Gradient::from(row.shallow_clone())] {
            let sum = Gradient::of(&found()).plus(&other);
            assert_eq!(sum.row(), &row * 2.0);
        }
        assert_eq!(row, Gradient::of(&found()).row(), "the other stays");
    }
}
