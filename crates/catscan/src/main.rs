//! The program `catscan`; everything it does is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread or tensor exists: they read their settings once.
    catscan_torch_ext::allocator::tune();
    catscan_torch_ext::cpu::within_share();
    ExitCode::from(catscan::cli::main())
}
