//! One forward through a network: its mode, its taps, and whether layers may run as one.
//!
//! Layers run as one because that is faster, and one by one wherever somebody looks between them.
//! What a [`Run`] says of this holds for all of its layers; what a fused layer asks of its tensors
//! besides is said where it is computed:
//!
//! - norm, sum and ReLU (`layers/fused.rs`): [`Run::fuses_relu`];
//! - in evaluation a convolution with norm and ReLU folded in (`layers/folded.rs`), and a whole
//!   dense block (`densenet/fused.rs`): [`Run::fuses`].

use crate::mode::Mode;
use crate::taps::Taps;

/// What every layer of a forward is told.
#[derive(Debug)]
pub struct Run<'a> {
    pub mode: Mode<'a>,
    pub taps: &'a mut Taps,
    /// Whether layers run one by one though nobody looks.
    apart: bool,
}

impl<'a> Run<'a> {
    pub fn new(mode: Mode<'a>, taps: &'a mut Taps) -> Run<'a> {
        Run { mode, taps, apart: false }
    }

    /// Has the rest of the run go layer by layer: a number of the weights is not finite, and what
    /// is folded could hide it ([`crate::sound`]).
    pub fn go_apart(&mut self) {
        self.apart = true;
    }

    /// Whether a convolution may take the layers behind it along, and a block run as one: no tap
    /// is wanted, no ReLU is to be cut, and no number is to be hidden.
    #[inline]
    pub fn fuses(&self) -> bool {
        self.taps.are_off() && !self.apart
    }

    /// Whether a norm may be one operation with what follows it up to the ReLU: its own tap is not
    /// wanted, and no ReLU is to be cut.
    #[inline]
    pub fn fuses_relu(&self, norm: &str) -> bool {
        !self.taps.wants(norm) && !self.taps.are_cutting()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_run_as_one_where_nobody_looks() {
        for (mut taps, all, relu) in [
            (Taps::off(), true, true),
            (Taps::only(["conv"]), false, true),
            (Taps::only(["norm"]), false, false),
            (Taps::all(), false, false),
            (Taps::cutting(), false, false),
        ] {
            let mut run = Run::new(Mode::Eval, &mut taps);
            assert_eq!((run.fuses(), run.fuses_relu("norm")), (all, relu), "{run:?}");
            run.go_apart();
            assert_eq!((run.fuses(), run.fuses_relu("norm")), (false, relu), "{run:?}");
        }
    }
}
