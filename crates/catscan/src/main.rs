//! The program `catscan`; everything it does is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread or tensor exists: both read their settings once.
    catscan_torch_ext::allocator::tune();
    ExitCode::from(catscan::cli::main())
}
