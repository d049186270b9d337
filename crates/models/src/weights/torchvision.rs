//! The names of torchvision's published DenseNets. They were saved when a dense layer's modules
//! were called `norm.1` or `conv.2`, which are no names of modules any more; torchvision renames
//! them whenever it loads them (`_load_state_dict` in its densenet.py), and so do we.

/// Today's name of a tensor with such a name; `None` for any other.
///
/// `features.denseblock1.denselayer2.norm.1.weight` is `….denselayer2.norm1.weight`.
pub(super) fn module_path(name: &str) -> Option<String> {
    for module in ["norm", "conv"] {
        let dotted = format!(".{module}.");
        let Some((layer, rest)) = name.split_once(&dotted) else { continue };
        let (number, _) = rest.split_once('.')?;
        let (_, last) = layer.rsplit_once('.')?;
        let of_a_layer = last.strip_prefix("denselayer").is_some_and(is_number);
        if of_a_layer && ["1", "2"].contains(&number) {
            return Some(format!("{layer}.{module}{rest}"));
        }
    }
    None
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dots_go_and_nothing_else_changes() {
        for (old, new) in [
            ("norm.1.weight", "norm1.weight"),
            ("conv.2.weight", "conv2.weight"),
            ("norm.2.running_var", "norm2.running_var"),
        ] {
            let layer = "features.denseblock3.denselayer12";
            assert_eq!(module_path(&format!("{layer}.{old}")), Some(format!("{layer}.{new}")));
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "features.denseblock1.denselayer1.norm1.weight",
            "features.denseblock1.denselayer1.norm.3.weight",
            "features.denseblock1.denselayer.norm.1.weight",
            "features.transition1.norm.weight",
            "features.norm.1.weight",
            "layer1.0.conv.1.weight",
            "norm.1.weight",
            "",
        ] {
            assert_eq!(module_path(name), None, "{name}");
        }
    }
}
