//! Compiles the C++ halves (about fifteen seconds), and does what every crate of ours that links
//! libtorch does.

#[path = "../rpath.rs"]
mod rpath;

use std::env;
use std::path::PathBuf;

/// Modules with a C++ half that includes libtorch's headers.
const SHIMS: [&str; 7] =
    ["convolution", "cuda", "determinism", "gradient", "pieces", "recompute", "stamp"];

/// The kernels are compiled once for each of these; norm_relu/dispatch.cpp chooses.
const X86: [(&str, &[&str]); 2] = [
    ("avx2", &["-mavx2", "-mfma"]),
    (
        "avx512",
        &[
            "-mavx512f",
            "-mavx512bw",
            "-mavx512vl",
            "-mavx512dq",
            "-mfma",
            "-mprefer-vector-width=512",
        ],
    ),
];

fn main() {
    rpath::main();
    println!("cargo:rerun-if-changed=build.rs");
    for part in SHIMS.iter().chain(&["norm_relu"]) {
        println!("cargo:rerun-if-changed=src/{part}");
    }
    for variable in ["LIBTORCH", "LIBTORCH_INCLUDE"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    shims(pairs());
    kernels();
}

/// Nodes of libtorch's graph: these include its headers.
fn shims(pairs: [bool; 2]) {
    let mut build = cc::Build::new();
    let [dots, tiles] = pairs;
    for (name, has) in [("CATSCAN_PAIRS", dots), ("CATSCAN_TILES", tiles)] {
        if has {
            build.define(name, None);
        }
    }
    build
        .cpp(true)
        .std("c++17")
        .opt_level(1)
        .warnings(false)
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        // libtorch's headers then include only what they use, which halves the time.
        .define("AT_PER_OPERATOR_HEADERS", None)
        .include(headers())
        .files(SHIMS.map(|part| format!("src/{part}/shim.cpp")))
        .compile("catscan_shims");
}

/// Plain C++, whatever the profile at full speed.
fn plain() -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").opt_level(3).warnings(false);
    for flag in ["-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd"] {
        build.flag_if_supported(flag);
    }
    if threads(&build) {
        build.flag("-fopenmp");
    }
    build
}

/// libtorch's threads are those of GNU's OpenMP; another one would double them.
fn threads(build: &cc::Build) -> bool {
    build.get_compiler().is_like_gnu()
        && env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux")
}

fn x86(build: &cc::Build) -> bool {
    env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64")
        && !build.get_compiler().is_like_msvc()
}

/// Dot products of bf16 pairs, and tiles of them: which of both this compiler has.
fn pairs() -> [bool; 2] {
    const DOTS: &[&str] = &["-mavx512bf16"];
    const TILES: &[&str] = &["-mamx-tile", "-mamx-bf16"];
    let mut build = plain();
    let linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    let has =
        |flags: &[&str]| flags.iter().all(|flag| build.is_flag_supported(flag).unwrap_or(false));
    if !x86(&build) || !has(DOTS) {
        return [false, false];
    }
    let tiles = linux && has(TILES);
    for flag in X86[1].1.iter().chain(DOTS) {
        build.flag(flag);
    }
    build.clone().file("src/convolution/dots.cpp").compile("catscan_dots");
    if tiles {
        for flag in TILES {
            build.flag(flag);
        }
        build.file("src/convolution/tiles.cpp").compile("catscan_tiles");
    }
    [true, tiles]
}

fn kernels() {
    let mut build = plain();
    let x86 = x86(&build);
    for (name, flags) in X86.into_iter().filter(|_| x86) {
        let mut build = build.clone();
        for flag in flags {
            build.flag(flag);
        }
        let kernels = build.define("CATSCAN_KERNELS", name).file("src/norm_relu/kernels.cpp");
        kernels.compile(&format!("catscan_kernels_{name}"));
    }
    let mut dispatch = build.clone();
    if x86 {
        dispatch.define("CATSCAN_X86", None);
    }
    dispatch.file("src/norm_relu/dispatch.cpp").compile("catscan_dispatch");
    // What memory bounds needs no wider vectors, and without fused products every processor rounds
    // alike.
    let mut pieces = build.clone();
    pieces.flag_if_supported("-ffp-contract=off");
    pieces.file("src/pieces/kernels.cpp").compile("catscan_pieces");
    build.define("CATSCAN_KERNELS", "baseline").file("src/norm_relu/kernels.cpp");
    build.compile("catscan_kernels");
    if threads(&build) {
        println!("cargo:rustc-link-lib=dylib=gomp");
    }
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
