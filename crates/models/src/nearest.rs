//! The name a person probably meant.

use std::cmp::Reverse;

/// The entry of `names` that becomes `typed` with the fewest letters added, dropped, changed or
/// swapped, if it is near enough to be what was meant: at most a third of the longer one's letters,
/// or one. Of equals the last, which of layers is the deeper. xtask's rule, and that of sources.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |text: &str| text.chars().count();
    let near = names.into_iter().filter_map(|name| {
        let edits = strsim::osa_distance(typed, name);
        (edits <= (letters(typed).max(letters(name)) / 3).max(1)).then_some((edits, name))
    });
    near.max_by_key(|(edits, _)| Reverse(*edits)).map(|(_, name)| name)
}

/// For a message: `, nearest is NAME`, or nothing where none is near.
pub fn nearest_is<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, names).map_or_else(String::new, |name| format!(", nearest is {name}"))
}

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_is};

    #[test]
    fn finds_a_misspelt_name() {
        let known = ["densenet121", "densenet169", "resnet50", "max"];
        assert_eq!(nearest("densnet169", known), Some("densenet169"));
        assert_eq!(nearest("denesnet121", known), Some("densenet121"));
        assert_eq!(nearest_is("maxx", known), ", nearest is max");
        assert_eq!(nearest("norm6", ["norm0", "norm5"]), Some("norm5"), "the deeper of two");
    }

    #[test]
    fn stays_silent_when_nothing_is_near() {
        for typed in ["zzzzzz", "", "average"] {
            assert_eq!(nearest_is(typed, ["mnist-densenet", "s3", "smoke", "max"]), "", "{typed}");
        }
    }
}
