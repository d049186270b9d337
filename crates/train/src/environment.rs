//! `environment.json`: where and when a run was made, so that its numbers can be judged.

use std::time::{SystemTime, UNIX_EPOCH};

use catscan_torch_ext::{cpu, cuda, determinism, libtorch};
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::train::Job;

/// The file's name in a run's folder.
pub const ENVIRONMENT_FILE: &str = "environment.json";

/// Processes that train together.
pub(crate) const WORLD_SIZE: u32 = 1;

/// The machine, the versions and the command of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// [`Job::experiment`].
    pub experiment: String,
    /// [`Job::arm`].
    pub arm: String,
    /// `CATSCAN_GIT_COMMIT`, which xtask and the bundle set, else `unknown`: a program started by
    /// itself cannot know, and the folder it is started in may be another project's.
    pub git_commit: String,
    /// Of this crate, as in Cargo.toml.
    pub catscan_version: String,
    /// As libtorch tells it, else `unknown`.
    pub libtorch_version: String,
    /// System and architecture, such as `linux x86_64`.
    pub os: String,
    /// The maker's name, or the architecture where the system does not tell.
    pub cpu_name: String,
    /// The vector and matrix units that matter to a convolution, such as `avx512f`.
    pub cpu_features: Vec<String>,
    /// Processors this process may use, not those of the machine.
    pub cpu_cores: u32,
    /// Threads within an operator. Results are bitwise equal only between equal counts.
    pub threads: u32,
    /// `cpu` or `cuda:N`, and `in tf32` where that is so.
    pub device: String,
    /// Processes that train together; always 1.
    pub world_size: u32,
    /// Whether only deterministic operations were allowed; absent in the first runs' files.
    #[serde(default)]
    pub deterministic: bool,
    /// RFC 3339, UTC.
    pub started: String,
    /// Program and arguments, as [`Job::command`] gave them.
    pub command: Vec<String>,
    /// Each time the run went on after a stop.
    pub resumed: Vec<Resumption>,
}

/// One continuation of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resumption {
    /// RFC 3339, UTC.
    pub at: String,
    /// Of the checkpoint it went on from; 0 where none was intact and it began anew.
    pub step: u64,
    /// The checkpoint, where it was named and not the newest of the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of the program that went on; may differ from the one that began.
    pub git_commit: String,
    /// Threads within an operator from here on.
    pub threads: u32,
    /// `cpu` or `cuda:N` from here on.
    pub device: String,
    /// What makes the rest of the run differ from an uninterrupted one; empty when nothing does.
    pub inexact: Vec<String>,
    /// What has changed since and changes no result, such as which pictures cannot be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noted: Vec<String>,
}

impl Environment {
    /// This process on this machine, now.
    pub fn now(job: &Job) -> Environment {
        let cpu = cpu::describe();
        Environment {
            experiment: job.experiment.clone(),
            arm: job.arm.clone(),
            git_commit: git_commit(),
            catscan_version: env!("CARGO_PKG_VERSION").into(),
            libtorch_version: libtorch_version(),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu_name: cpu.name,
            cpu_features: cpu.features,
            cpu_cores: cpu.cores as u32,
            threads: cpu::threads() as u32,
            device: computing_on(job.device),
            world_size: WORLD_SIZE,
            deterministic: determinism::is_required(),
            started: rfc3339(unix_s() as u64),
            command: job.command.clone(),
            resumed: Vec::new(),
        }
    }
}

/// `cpu` or `cuda:N`, as `--device` takes it.
pub fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        Device::Cpu => "cpu".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The device, and with what numbers it computes where that is a choice: `cuda:0 in tf32`. What a
/// checkpoint remembers, so that a run does not go on in other numbers unasked.
pub(crate) fn computing_on(device: Device) -> String {
    let name = device_name(device);
    if device.is_cuda() && cuda::is_tf32() { format!("{name} in tf32") } else { name }
}

/// As libtorch tells it, else `unknown`.
pub(crate) fn libtorch_version() -> String {
    libtorch::version().unwrap_or_else(|| "unknown".into())
}

/// Variables that hold libtorch's kernels, oneDNN's or MKL's down to a lesser processor.
const LIMITS: [&str; 5] = [
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
];

/// What the last bits of a training on `device` depend on besides threads: the processor's name,
/// its units, and what holds them down. Empty for CUDA, whose bits are not the processor's.
pub(crate) fn processor(device: Device) -> String {
    if device.is_cuda() {
        return String::new();
    }
    let cpu = cpu::describe();
    let limit = |name: &&str| std::env::var(name).ok().map(|value| format!("{name}={value}"));
    let limits = LIMITS.iter().filter_map(limit);
    let units: Vec<String> = cpu.features.into_iter().chain(limits).collect();
    format!("{} ({})", cpu.name, units.join(" "))
}

/// The commit that whoever built the program says it is of.
pub(crate) fn git_commit() -> String {
    std::env::var("CATSCAN_GIT_COMMIT").unwrap_or_else(|_| "unknown".into())
}

/// The most main memory that this process ever held (`VmHWM`: mapped files that it read included),
/// where the system tells.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Seconds since 1970 (UTC).
pub(crate) fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `2026-11-21T20:08:58Z`. The date by Howard Hinnant's `civil_from_days`.
pub(crate) fn rfc3339(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_calendars() {
        for (unix_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix_s), text);
        }
    }

    #[test]
    fn devices_are_named_as_the_command_line_names_them() {
        assert_eq!(device_name(Device::Cpu), "cpu");
        assert_eq!(device_name(Device::Cuda(1)), "cuda:1");
    }
}
