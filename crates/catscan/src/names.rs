//! Names on the command line: found in their table, or refused with the nearest one.

use crate::refusal::Refusal;

/// Finds `name` among `known`, or refuses: `arm maxx: no such arm, nearest is max; …`.
///
/// # Errors
/// Where no known name equals `name`; exit code 2.
pub fn find<'a>(kind: &str, name: &str, known: &[&'a str]) -> Result<&'a str, Refusal> {
    known.iter().find(|row| **row == name).copied().ok_or_else(|| {
        let nearest =
            nearest(name, known).map_or(String::new(), |row| format!(", nearest is {row}"));
        let all = known.join(", ");
        Refusal::usage(format!("{kind} {name}: no such {kind}{nearest}; there are: {all}"))
    })
}

/// The known name that is most like `name`.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |row: &str| strsim::jaro_winkler(name, row);
    known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_told() {
        let known = ["pooling-compare", "smoke"];
        assert_eq!(find("experiment", "smoke", &known).unwrap(), "smoke");
        let refusal = find("experiment", "pooling-compar", &known).unwrap_err();
        assert_eq!(refusal.code, crate::refusal::USAGE);
        assert_eq!(
            refusal.message,
            "experiment pooling-compar: no such experiment, nearest is pooling-compare; \
             there are: pooling-compare, smoke"
        );
    }
}
