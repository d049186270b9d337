//! `--seeds`: a number of them, or a list.

use std::str::FromStr;

/// More than anybody will run; a slip of the hand must not ask for memory.
const MOST_SEEDS: u64 = 1000;

/// At least one, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text}: not a number"));
        let seeds: Vec<u64> = match text.contains(',') {
            true => text
                .split(',')
                .filter(|part| !part.is_empty())
                .map(number)
                .collect::<Result<_, _>>()?,
            false => (1..=number(text)?.min(MOST_SEEDS + 1)).collect(),
        };
        let twice = seeds.iter().enumerate().any(|(i, seed)| seeds[..i].contains(seed));
        match seeds.is_empty() || twice || seeds.len() as u64 > MOST_SEEDS {
            true => Err("want 1 to 1000 different seeds, such as 3 or 1,4,7".into()),
            false => Ok(Seeds(seeds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_list() {
        let seeds = |text: &str| text.parse::<Seeds>().map(|seeds| seeds.0);
        assert_eq!(seeds("3").unwrap(), [1, 2, 3]);
        assert_eq!(seeds("4,1,7").unwrap(), [4, 1, 7]);
        assert_eq!(seeds("4,").unwrap(), [4]);
        for wrong in ["0", "", ",", "x", "1,1", "-2", "99999"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
