//! The processor: its name, the units that matter to convolutions, cores and threads.

use std::env;

use serde::Serialize;

/// What a run record says of the processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// The maker's name for it, or the architecture where the system does not tell.
    pub name: String,
    /// The units that decide how fast convolutions run, the widest last.
    pub features: Vec<String>,
    /// Processors this process may use.
    pub cores: usize,
}

/// Units worth naming: vectors, then bf16 and int8 products, then matrices.
const TELLING: [&str; 8] =
    ["avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8"];

/// Reads the processor this process runs on.
pub fn describe() -> Cpu {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |key: &str| {
        let line = info.lines().find(|line| line.split(':').next().map(str::trim) == Some(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let flags = field("flags").unwrap_or_default();
    let has = |feature: &&str| flags.split_whitespace().any(|flag| flag == *feature);
    Cpu {
        name: field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        features: TELLING.iter().filter(|feature| has(feature)).map(|f| f.to_string()).collect(),
        cores: cores(),
    }
}

/// Processors this process may use (containers and affinity counted), at least 1.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Takes libtorch's own choice down to [`cores`], unless the user chose by a variable: libtorch
/// knows of affinity, but not of a container's share of the processors.
pub fn within_share() {
    let chosen = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"].iter().any(|it| env::var_os(it).is_some());
    if !chosen && threads() > cores() {
        set_threads(cores());
    }
}

/// Sets the number of threads libtorch computes with, at least 1.
///
/// Results differ in the last bits between thread counts, so a run records its own.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(i32::MAX));
}

/// The number of threads libtorch computes with.
pub fn threads() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_what_was_set_and_never_zero() {
        set_threads(1);
        assert_eq!(threads(), 1);
        set_threads(0);
        assert_eq!(threads(), 1);
    }

    #[test]
    fn the_processor_has_a_name_and_a_core() {
        let cpu = describe();
        assert!(!cpu.name.is_empty());
        assert!(cpu.cores >= 1);
    }
}
