//! The C++ compiler that torch-sys needs: missed early, in plain words, not minutes into a build.

use std::process::{Command, Stdio};

use crate::failure::Failure;

/// Fails with what to install if no C++ compiler starts.
pub fn check() -> Result<(), Failure> {
    if cfg!(windows) {
        // MSVC is found through the registry, not the path; the linker's own message is clear.
        return Ok(());
    }
    let named = std::env::var("CXX").ok();
    let compiler = named.as_deref().unwrap_or("c++");
    // `CXX="ccache g++"` is customary.
    let mut words = compiler.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("c++"));
    command.args(words).arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let install = if cfg!(target_os = "macos") {
        "xcode-select --install"
    } else {
        "apt-get install g++ (Debian, Ubuntu) or dnf install gcc-c++ (Fedora)"
    };
    Err(Failure::usage(format!(
        "{compiler}: no C++ compiler starts by this name, and torch-sys needs one; install it: \
         {install}, or name another in CXX"
    )))
}
