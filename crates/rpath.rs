//! The build script of every crate that links libtorch: writes the folder in which torch-sys found
//! it into our own tests, examples and programs, so that they run without `LD_LIBRARY_PATH`.
//! (`DEP_TCH_LIBTORCH_LIB` reaches direct dependents of torch-sys only, hence in each manifest.)

/// Run by cargo, and by the build script of `torch-ext`, which has more to do.
pub fn main() {
    println!("cargo:rerun-if-changed=../rpath.rs");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-env=CATSCAN_LIBTORCH_LIB={folder}");
        if cfg!(unix) {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
        }
    }
}
