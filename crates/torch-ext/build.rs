//! Compiles the recomputation's C++ half (about six seconds), and does what every crate of ours
//! that links libtorch does.

#[path = "../rpath.rs"]
mod rpath;

use std::env;
use std::path::PathBuf;

fn main() {
    rpath::main();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/recompute/shim.cpp");
    for variable in ["LIBTORCH", "LIBTORCH_INCLUDE"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(1)
        .warnings(false)
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        // libtorch's headers then include only what they use, which halves the time.
        .define("AT_PER_OPERATOR_HEADERS", None)
        .include(headers())
        .file("src/recompute/shim.cpp")
        .compile("catscan_recompute");
}

/// The headers of the libtorch that torch-sys was built with: beside its libraries, which it names
/// except on Windows, unless the user keeps them elsewhere.
fn headers() -> PathBuf {
    let root = env::var_os("LIBTORCH_INCLUDE").map(PathBuf::from).or_else(|| {
        let libraries = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from)?;
        libraries.parent().map(PathBuf::from)
    });
    let root = root.or_else(|| env::var_os("LIBTORCH").map(PathBuf::from));
    root.expect("torch-sys found libtorch, so one of these variables is set").join("include")
}
