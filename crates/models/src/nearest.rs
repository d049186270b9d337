//! The name a person probably meant.

/// The entry of `names` that is nearest to `wanted` by Jaro-Winkler similarity. With the rule that
/// `names` is never empty, there always is one.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_a_misspelt_name() {
        assert_eq!(
            nearest("densnet169", ["densenet121", "densenet169", "resnet50"]),
            "densenet169"
        );
        assert_eq!(nearest("average", ["avg", "max"]), "avg");
    }
}
