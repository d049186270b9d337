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
    /// What the tap's output is multiplied by.
    scale: Option<(String, Tensor)>,
    /// Where the graph was cut, in forward order.
    cuts: Option<Vec<Cut>>,
}

/// A ReLU at which the graph was cut.
#[derive(Debug)]
pub struct Cut {
    /// What went in, with the graph that leads to it.
    pub before: Tensor,
    /// What came out: a leaf, with no way back.
    pub after: Tensor,
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
        Taps { wanted: Wanted::Nothing, kept: Vec::new(), scale: None, cuts: None }
    }

    /// Keeps every tap.
    pub fn all() -> Taps {
        Taps { wanted: Wanted::Everything, ..Taps::off() }
    }

    /// Keeps the taps of these names. [`crate::Model::taps`] also checks that the names exist.
    pub fn only<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Taps {
        let names = names.into_iter().map(Into::into).collect();
        Taps { wanted: Wanted::Only(names), ..Taps::off() }
    }

    /// Keeps the tap of this name and multiplies it by `scale`, which broadcasts to its shape: to
    /// ask what a network says without some channels. For forwards without gradients only, because
    /// the tensor is changed in its place.
    pub fn scaling(name: &str, scale: Tensor) -> Taps {
        Taps { scale: Some((name.to_owned(), scale)), ..Taps::only([name]) }
    }

    /// Keeps no tap, and cuts the graph at every ReLU, so that a gradient can be changed on its way
    /// back through them (guided backpropagation; tch has no hooks).
    pub fn cutting() -> Taps {
        Taps { cuts: Some(Vec::new()), ..Taps::off() }
    }

    /// Whether every ReLU is to be seen by [`Taps::relu`].
    #[inline]
    pub(crate) fn are_cutting(&self) -> bool {
        self.cuts.is_some()
    }

    /// The cuts of the last forward, in forward order.
    pub fn cuts(&self) -> &[Cut] {
        self.cuts.as_deref().unwrap_or_default()
    }

    /// The ReLU of every network, in the place of `x` unless that is to be kept.
    pub(crate) fn relu(&mut self, mut x: Tensor, keep: bool) -> Tensor {
        let Some(cuts) = &mut self.cuts else {
            return if keep { x.relu() } else { x.relu_() };
        };
        let after = x.relu().detach().set_requires_grad(true);
        cuts.push(Cut { before: x, after: after.shallow_clone() });
        after
    }

    /// Whether no tap is to be kept, nor the graph to be cut.
    #[inline]
    pub(crate) fn are_off(&self) -> bool {
        matches!(self.wanted, Wanted::Nothing) && !self.are_cutting()
    }

    /// Whether the tap of this name is to be kept. A layer must not overwrite a wanted tensor.
    #[inline]
    pub(crate) fn wants(&self, name: &str) -> bool {
        match &self.wanted {
            Wanted::Nothing => false,
            Wanted::Everything => true,
            Wanted::Only(names) => names.contains(name),
        }
    }

    /// Called by a layer with its output: keeps a handle of it (not a copy) if it is wanted.
    #[inline]
    pub(crate) fn show(&mut self, name: &str, output: &Tensor) {
        if self.wants(name) {
            let mut output = output.shallow_clone();
            if let Some((_, scale)) = self.scale.iter().find(|(scaled, _)| scaled == name) {
                let _ = output.g_mul_(scale);
            }
            self.kept.push((name.to_string(), output));
        }
    }

    /// Called at the start of a forward: drops what an earlier forward left.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.cuts.iter_mut().for_each(Vec::clear);
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

    #[test]
    fn a_cut_leaves_no_way_back() {
        let mut taps = Taps::cutting();
        let x = Tensor::from_slice(&[-1f32, 2.0]).set_requires_grad(true);
        let y = taps.relu(&x * 3.0, false);
        (&y * 5.0).sum(tch::Kind::Float).backward();
        let [cut] = taps.cuts() else { panic!("one cut") };
        assert_eq!(Vec::<f32>::try_from(cut.after.grad()).unwrap(), [5.0, 5.0]);
        assert!(!x.grad().defined() && cut.before.requires_grad());
    }

    #[test]
    fn a_scaled_tap_is_scaled_for_the_layers_after_it() {
        let tensor = Tensor::from_slice(&[1f32, 2.0]);
        let mut taps = Taps::scaling("a", Tensor::from_slice(&[0f32, 1.0]));
        taps.show("b", &tensor);
        assert_eq!(Vec::<f32>::try_from(&tensor).unwrap(), [1.0, 2.0]);
        taps.show("a", &tensor);
        assert_eq!(Vec::<f32>::try_from(&tensor).unwrap(), [0.0, 2.0]);
    }
}
