//! The known name nearest to a mistyped one.

/// The name among `known` with the fewest letters to add, drop, change or swap, if it is near
/// enough to be what was meant (at most a third of the longer one's letters, or one): the rule of
/// the program's names too.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |text: &str| text.chars().count();
    let near = known.into_iter().filter_map(|name| {
        let edits = distance(typed, name);
        (edits <= (letters(typed).max(letters(name)) / 3).max(1)).then_some((edits, name))
    });
    near.min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

/// Edit distance with neighbours swapped counted once (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in table.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in table[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (table[i - 1][j] + 1).min(table[i][j - 1] + 1);
            best = best.min(table[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(table[i - 2][j - 2] + 1);
            }
            table[i][j] = best;
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["setup", "test", "experiment", "explain"];

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("experimnet", KNOWN), Some("experiment"));
        assert_eq!(nearest("stup", KNOWN), Some("setup"));
        assert_eq!(nearest("tset", KNOWN), Some("test"));
    }

    #[test]
    fn stays_silent_when_nothing_is_near() {
        assert_eq!(nearest("frobnicate", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
    }
}
