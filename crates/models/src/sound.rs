//! Whether all numbers of a network's weights are such that its layers may be folded into one
//! another ([`crate::layers`], `folded`): finite, and no variance below 0.
//!
//! Every number is looked at once and again when libtorch has counted a write, not at every
//! forward: that asks for addresses and counts only, microseconds for hundreds of tensors. A write
//! that is not counted goes through a tensor that shares the memory, and such weights are not
//! folded.

use std::cell::RefCell;

use tch::Tensor;

use crate::weights::Weights;

/// What is known of the weights.
#[derive(Debug, Default)]
pub(crate) struct Sound(RefCell<Option<Known>>);

#[derive(Debug)]
struct Known {
    /// Address and count of writes of each tensor that was looked at.
    of: Vec<(usize, i64)>,
    sound: bool,
}

impl Sound {
    /// Whether they are.
    pub fn is(&self, weights: &Weights) -> bool {
        let now = || weights.iter().map(|weight| state(&weight.tensor));
        let mut known = self.0.borrow_mut();
        match &*known {
            Some(known) if now().eq(known.of.iter().copied()) => known.sound,
            _ => {
                let sound = weights.iter().all(|weight| is_sound(&weight.name, &weight.tensor));
                *known = Some(Known { of: now().collect(), sound });
                sound
            }
        }
    }

    /// Lets go of what is known: the weights are about to change.
    pub fn clear(&self) {
        self.0.replace(None);
    }
}

fn state(tensor: &Tensor) -> (usize, i64) {
    (tensor.data_ptr() as usize, tensor.internal_version())
}

fn is_sound(name: &str, tensor: &Tensor) -> bool {
    let is_variance = name.ends_with(".running_var");
    is_finite(tensor) && !(is_variance && tensor.min().double_value(&[]) < 0.0)
}

/// Whether every number is.
pub(crate) fn is_finite(tensor: &Tensor) -> bool {
    tensor.isfinite().all().int64_value(&[]) == 1
}
