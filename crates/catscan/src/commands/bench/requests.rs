//! A JSON request a line on standard input, a JSON answer a line on standard output, until the
//! input ends: how `bench` and `bench-data` are asked.

use std::io::{self, BufRead};

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::output::print;

/// Answers requests until there are no more.
///
/// # Errors
/// A request that cannot be read, and what `answer` refuses.
pub fn answer_each<R: DeserializeOwned, A: Serialize>(
    mut answer: impl FnMut(R) -> Result<A>,
) -> Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line.context("reading a request")?;
        let request = serde_json::from_str(&line).with_context(|| line.clone())?;
        print(format_args!("{}\n", serde_json::to_string(&answer(request)?)?))?;
    }
    Ok(())
}

/// What was made for the last request, so that repeating a request repeats the work only.
pub struct Kept<K, B> {
    kept: Option<(K, B)>,
}

impl<K: PartialEq + Clone, B> Kept<K, B> {
    /// Nothing yet.
    pub fn new() -> Kept<K, B> {
        Kept { kept: None }
    }

    /// What belongs to `key`: the last, or one that `make` makes once the last is gone.
    ///
    /// # Errors
    /// Those of `make`; nothing is kept then.
    pub fn of(&mut self, key: K, make: impl FnOnce(&K) -> Result<B>) -> Result<&mut B> {
        let kept = match self.kept.take() {
            Some(kept) if kept.0 == key => kept,
            old => {
                drop(old);
                let made = make(&key)?;
                (key, made)
            }
        };
        Ok(&mut self.kept.insert(kept).1)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn the_last_is_kept_and_gone_before_another_is_made() {
        let (count, mut kept) = (Rc::new(()), Kept::new());
        let make = |_: &u32| Ok(Rc::clone(&count));
        kept.of(1, make).unwrap();
        kept.of(1, |_| panic!("made twice")).unwrap();
        assert_eq!(Rc::strong_count(&count), 2);
        let first_is_gone = |_: &u32| {
            assert_eq!(Rc::strong_count(&count), 1);
            Ok(Rc::new(()))
        };
        kept.of(2, first_is_gone).unwrap();
        assert!(kept.of(3, |_| anyhow::bail!("no")).is_err());
        kept.of(2, make).unwrap();
        assert_eq!(Rc::strong_count(&count), 2, "kept what an error followed");
    }
}
