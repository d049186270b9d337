//! Names on the command line: found in their table, or refused with the nearest one.

use catscan_models::nearest_is;

use crate::refusal::Refusal;

/// Finds `name` among `known`, or refuses: `arm maxx: no such arm, nearest is max; …`.
///
/// # Errors
/// Where no known name equals `name`; exit code 2.
pub fn find<'a>(kind: &str, name: &str, known: &[&'a str]) -> Result<&'a str, Refusal> {
    known.iter().find(|row| **row == name).copied().ok_or_else(|| {
        let nearest = nearest_is(name, known.iter().copied());
        let all = known.join(", ");
        Refusal::usage(format!("{kind} {name}: no such {kind}{nearest}; there are: {all}"))
    })
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
        let far = find("experiment", "zzzzzz", &known).unwrap_err().message;
        assert_eq!(far, "experiment zzzzzz: no such experiment; there are: pooling-compare, smoke");
    }
}
