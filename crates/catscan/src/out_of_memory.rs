//! Out of memory, told as what it is: tch hands libtorch's error on as a panic, whose exit code is
//! nobody's and whose backtrace asks for more memory (and then waits for itself for ever).
//!
//! Memory that Rust itself cannot get still ends the process at once.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind};
use std::thread;

use anyhow::Result;
use catscan_torch_ext::panics;

use crate::output::say;
use crate::refusal::{MEMORY, Refusal};

/// How libtorch's allocators, CUDA's libraries and C++ say it.
const WORDS: [&str; 4] =
    ["can't allocate memory", "out of memory", "ALLOC_FAILED", "std::bad_alloc"];
const ADVICE: &str = "lower the batch, or set micro_batch or memory: recompute in the recipe \
                      (train --dry-run tells what it takes), or give other programs less";

/// Does the work of a command.
///
/// # Errors
/// The work's own; a panic for want of memory, with exit code 8.
pub fn told(work: impl FnOnce() -> Result<u8>) -> Result<u8> {
    let main = thread::current().id();
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo| match reason(info.payload()) {
        None => usual(info),
        // The main thread's is the command's error, below.
        Some(_) if thread::current().id() == main => {}
        Some(reason) => say(format_args!("error: {reason}")),
    }));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| match reason(&*panic) {
        Some(reason) => Err(Refusal::new(MEMORY, format!("{reason}; {ADVICE}")).into()),
        None => resume_unwind(panic),
    })
}

/// What a panic for want of memory said, in a line; None of another.
fn reason(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panics::text(panic)?;
    let at = WORDS.iter().filter_map(|words| text.find(words)).min()?;
    const TRIED: &str = "ried to allocate ";
    let size = text[at..].find(TRIED).and_then(|from| {
        // `2.00 GiB. GPU 0 has …`, `301989888 bytes. Error code …`
        text[at + from + TRIED.len()..].split(". ").next()
    });
    Some(match size {
        Some(size) => format!("out of memory: {size} could not be had"),
        None => "out of memory".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorchs_words_are_known_and_shortened() {
        let of = |text: &str| reason(&text.to_owned() as &(dyn Any + Send));
        let cpu = "called `Result::unwrap()` on an `Err` value: Torch(\"[enforce fail at \
                   alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you \
                   tried to allocate 301989888 bytes. Error code 12 (Cannot allocate memory)\\nCall";
        assert_eq!(of(cpu).unwrap(), "out of memory: 301989888 bytes could not be had");
        let cuda = "Torch(\"CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total\\n";
        assert_eq!(of(cuda).unwrap(), "out of memory: 2.00 GiB could not be had");
        assert_eq!(of("CUDNN_STATUS_ALLOC_FAILED").unwrap(), "out of memory");
        assert_eq!(of("index out of bounds"), None);
    }
}
