//! `catscan doctor`: what this machine offers, and what is missing.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use catscan_data::default_cache_dir;
use catscan_models::{Mode, Model, ModelConfig, Precision, Taps};
use catscan_torch_ext::plugin::{self, DeviceMemory};
use catscan_torch_ext::{CudaStatus, cpu, cuda, libtorch};
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::output::{print, print_json};
use crate::recipes::quick;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// Leave out the measurement of training speed
    #[arg(long)]
    pub no_speed: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Findings {
    catscan: &'static str,
    libtorch_version: Option<String>,
    libtorch_folder: Option<String>,
    processor: cpu::Cpu,
    threads: usize,
    cuda: CudaStatus,
    /// `ready`, or why there are no graphs.
    cuda_plugin: String,
    cuda_memory: Option<DeviceMemory>,
    cache: Cache,
    speed: Vec<Speed>,
}

#[derive(Serialize)]
struct Cache {
    folder: String,
    exists: bool,
    writable: bool,
    used_bytes: u64,
    free_bytes: Option<u64>,
}

/// Training DenseNet-121 at 64 px.
#[derive(Serialize)]
struct Speed {
    precision: Precision,
    images_per_s: f64,
    steps: u32,
}

/// The version this program was built for and checked with.
const WANTED: &str = "2.11.";
/// For each precision; the first step warms up and is not counted.
const MEASURE_FOR: Duration = Duration::from_secs(3);

/// Looks, and measures unless told not to (6 s). What is missing is told, not an error.
pub fn run(args: &Args) -> Result<u8> {
    let findings = findings(args)?;
    match args.json {
        true => print_json(&findings)?,
        false => print(in_lines(&findings))?,
    }
    Ok(0)
}

fn findings(args: &Args) -> Result<Findings> {
    // CUDA first: libtorch decides once whether it exists, at the first tensor.
    let cuda = cuda::load();
    let folder = libtorch::library_folder();
    let speed = match args.no_speed {
        true => Vec::new(),
        false => vec![speed(Precision::Fp32)?, speed(Precision::Bf16)?],
    };
    Ok(Findings {
        catscan: env!("CARGO_PKG_VERSION"),
        libtorch_version: libtorch::version(),
        libtorch_folder: folder.map(|folder| folder.display().to_string()),
        processor: cpu::describe(),
        threads: cpu::threads(),
        cuda,
        cuda_plugin: plugin::ready().map_or_else(|error| error.to_string(), |()| "ready".into()),
        cuda_memory: plugin::memory(0).ok(),
        cache: cache(&default_cache_dir()),
        speed,
    })
}

fn cache(folder: &Path) -> Cache {
    let nearest = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    Cache {
        folder: folder.display().to_string(),
        exists: folder.exists(),
        writable: tempfile::NamedTempFile::new_in(nearest).is_ok(),
        used_bytes: size(folder),
        free_bytes: fs4::available_space(nearest).ok(),
    }
}

/// Bytes of all files below a folder; what cannot be read counts as nothing.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => size(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Steps of DenseNet-121 on noise: forward, loss, backward; the optimiser's part is small.
fn speed(precision: Precision) -> Result<Speed> {
    let base = quick();
    let config = ModelConfig { name: "densenet121".into(), precision, ..base.model };
    let model = Model::build(&config, 1, Device::Cpu)?;
    let n = i64::from(base.batch);
    let x = Tensor::rand([n, 64, 64, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]);
    let parameters: Vec<&Tensor> = model.weights().parameters().map(|w| &w.tensor).collect();
    let step = || {
        let loss = model.forward(&x, Mode::TRAIN, &mut Taps::off()).square().mean(Kind::Float);
        Tensor::run_backward(&[loss], &parameters, false, false);
    };
    step();
    let (began, mut steps) = (Instant::now(), 0);
    while began.elapsed() < MEASURE_FOR {
        step();
        steps += 1;
    }
    let images_per_s = f64::from(steps * base.batch) / began.elapsed().as_secs_f64();
    Ok(Speed { precision, images_per_s, steps })
}

fn in_lines(findings: &Findings) -> String {
    let none = || "not found".to_owned();
    let mut text = String::new();
    let mut line = |what: &str, value: &str| text += &format!("{what:<12} {value}\n");
    line("catscan", findings.catscan);
    let version = findings.libtorch_version.clone().unwrap_or_else(none);
    let verdict = match version.starts_with(WANTED) {
        true => String::new(),
        false => format!("  (want {WANTED}x: run `cargo xtask setup`)"),
    };
    line("libtorch", &format!("{version}{verdict}"));
    line("", &findings.libtorch_folder.clone().unwrap_or_else(none));
    let cpu = &findings.processor;
    line("processor", &format!("{}, {} cores", cpu.name, cpu.cores));
    line("", &cpu.features.join(" "));
    line("threads", &findings.threads.to_string());
    line("CUDA", &findings.cuda.to_string());
    if let CudaStatus::Ready { .. } = findings.cuda {
        line("", &format!("plugin: {}", findings.cuda_plugin));
    }
    if let Some(memory) = findings.cuda_memory {
        let (free, total) = (megabytes(memory.free_bytes), megabytes(memory.total_bytes));
        line("", &format!("{free} free of {total}"));
    }
    let cache = &findings.cache;
    let state = match (cache.exists, cache.writable) {
        (_, false) => "cannot be written; name another folder by CATSCAN_CACHE",
        (false, true) => "will be made",
        (true, true) => "writable",
    };
    line("cache", &format!("{} ({state})", cache.folder));
    let free = cache.free_bytes.map_or_else(none, megabytes);
    line("", &format!("{} used, {free} free", megabytes(cache.used_bytes)));
    for speed in &findings.speed {
        let precision = format!("{:?}", speed.precision).to_lowercase();
        let rate = speed.images_per_s;
        line("speed", &format!("DenseNet-121, 64 px, {precision}: {rate:.1} images/s in training"));
    }
    text
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), [0; 1000]).unwrap();
        let here = cache(folder.path());
        assert!(here.exists && here.writable && here.used_bytes == 1000);
        let later = cache(&folder.path().join("later"));
        assert!(!later.exists && later.writable);
    }
}
