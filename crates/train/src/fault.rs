//! A fault on purpose, for tests of a whole process: `CATSCAN_FAULT` makes the loader's thread die
//! or dawdle, which no file that a test could damage does (a cache is checked, a picture is decoded
//! before the first step). Without the variable nothing happens.
//!
//! | value | what happens in the loader's thread |
//! |---|---|
//! | `loader-panic:NAME` | it panics wherever a batch holds the picture of that name |
//! | `loader-slow:MS` | it sleeps so many milliseconds before each batch |

use std::time::Duration;

use catscan_data::Dataset;

const VARIABLE: &str = "CATSCAN_FAULT";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Panic(String),
    Slow(Duration),
}

impl Fault {
    /// What the environment asks for.
    pub fn asked() -> Fault {
        std::env::var(VARIABLE).map_or(Fault::None, |text| Fault::of(&text))
    }

    /// # Panics
    /// Where the text is none of the above: a test that asks for nothing would prove nothing.
    fn of(text: &str) -> Fault {
        let fault = match text.split_once(':') {
            Some(("loader-panic", name)) => Some(Fault::Panic(name.into())),
            Some(("loader-slow", ms)) => {
                ms.parse().ok().map(|ms| Fault::Slow(Duration::from_millis(ms)))
            }
            _ => None,
        };
        fault.unwrap_or_else(|| {
            panic!("{VARIABLE}={text}: want loader-panic:NAME or loader-slow:MS; unset it")
        })
    }

    /// Before these pictures are gathered.
    pub fn strike(&self, dataset: &Dataset, indices: &[u32]) {
        match self {
            Fault::None => {}
            Fault::Slow(time) => std::thread::sleep(*time),
            Fault::Panic(name) => {
                let named =
                    |i: &u32| dataset.samples.get(*i as usize).map(|s| &s.name) == Some(name);
                assert!(!indices.iter().any(named), "{VARIABLE} strikes at {name}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_of_two_kinds() {
        assert_eq!(Fault::of("loader-panic:a:b.jpg"), Fault::Panic("a:b.jpg".into()));
        assert_eq!(Fault::of("loader-slow:20"), Fault::Slow(Duration::from_millis(20)));
        assert!(std::panic::catch_unwind(|| Fault::of("loader-slow:soon")).is_err());
    }
}
