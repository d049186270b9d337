//! Taps: the named activations a model shows while it runs, so that feature maps and class
//! activation maps need no hooks. Names are PyTorch's module paths, such as
//! `features.denseblock1.denselayer1.conv1`.
//!
//! A kept tensor is the very one used downstream, not a copy, so
//! `Tensor::run_backward(&[score], &[tap, …], …)` gives the gradients of all taps in one backward.
//! Its kind is the one the layer computes in, so bf16 in a bf16 model.

use std::collections::HashSet;

use tch::Tensor;

/// Which activations of a forward to keep, and those kept by the last forward.
#[derive(Debug)]
pub struct Taps {
    wanted: Wanted,
    kept: Vec<(String, Tensor)>,
}

#[derive(Debug)]
enum Wanted {
    Nothing,
    Everything,
    Only(HashSet<String>),
}

impl Taps {
    /// Keeps nothing; a layer then pays one comparison.
    pub fn off() -> Taps {
        Taps { wanted: Wanted::Nothing, kept: Vec::new() }
    }

    /// Keeps every tap.
    pub fn all() -> Taps {
        Taps { wanted: Wanted::Everything, kept: Vec::new() }
    }

    /// Keeps the taps of these names. [`crate::Model::taps`] also checks that the names exist.
    pub fn only<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Taps {
        let names = names.into_iter().map(Into::into).collect();
        Taps { wanted: Wanted::Only(names), kept: Vec::new() }
    }

    /// Whether no tap is to be kept.
    #[inline]
    pub fn are_off(&self) -> bool {
        matches!(self.wanted, Wanted::Nothing)
    }

    /// Whether the tap of this name is to be kept. A layer must not overwrite a wanted tensor.
    #[inline]
    pub fn wants(&self, name: &str) -> bool {
        match &self.wanted {
            Wanted::Nothing => false,
            Wanted::Everything => true,
            Wanted::Only(names) => names.contains(name),
        }
    }

    /// Called by a layer with its output: keeps a handle of it (not a copy) if it is wanted.
    #[inline]
    pub fn show(&mut self, name: &str, output: &Tensor) {
        if self.wants(name) {
            self.kept.push((name.to_string(), output.shallow_clone()));
        }
    }

    /// Called at the start of a forward: drops what an earlier forward left.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// The kept activation of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.kept.iter().find(|(kept, _)| kept == name).map(|(_, tensor)| tensor)
    }

    /// The kept activations in forward order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.kept.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_wanted_without_a_copy() {
        let tensor = Tensor::from_slice(&[1f32, 2.0]);
        let (mut off, mut all, mut one) = (Taps::off(), Taps::all(), Taps::only(["b"]));
        for taps in [&mut off, &mut all, &mut one] {
            taps.show("a", &tensor);
            taps.show("b", &tensor);
        }
        assert_eq!(off.iter().len(), 0);
        assert_eq!(all.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        assert!(one.get("a").is_none());
        assert_eq!(one.get("b").unwrap().data_ptr(), tensor.data_ptr());
        one.clear();
        assert!(one.get("b").is_none());
    }
}
