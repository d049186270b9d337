//! `--device auto | cpu | cuda[:n]`: what a user may write, and the device it comes to.

use std::str::FromStr;

use serde::Serialize;
use tch::Device;

use crate::cuda::{self, CudaStatus};

/// A device as a command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceSpec {
    /// The first CUDA device if there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// This CUDA device, counted from zero; an error where there is none.
    Cuda(usize),
}

/// A device that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Not one of the three forms.
    #[error("--device {0}: want auto, cpu, cuda or cuda:N")]
    Unknown(String),
    /// CUDA was asked for by name and does not work here.
    #[error("--device cuda:{index}: CUDA: {status}; use --device cpu, or see `catscan doctor`")]
    NoCuda {
        /// The device asked for.
        index: usize,
        /// Why there is none.
        status: CudaStatus,
    },
    /// CUDA works but has fewer devices.
    #[error("--device cuda:{index}: there are {devices} devices, the last is cuda:{}", devices - 1)]
    OutOfRange {
        /// The device asked for.
        index: usize,
        /// How many there are.
        devices: usize,
    },
}

impl DeviceError {
    /// The process's exit status for this error: a bad command line.
    pub fn exit_code(&self) -> u8 {
        2
    }
}

impl FromStr for DeviceSpec {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.to_owned());
        match text {
            "auto" => Ok(DeviceSpec::Auto),
            "cpu" => Ok(DeviceSpec::Cpu),
            "cuda" => Ok(DeviceSpec::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                index.parse().map(DeviceSpec::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl std::fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeviceSpec::Auto => f.write_str("auto"),
            DeviceSpec::Cpu => f.write_str("cpu"),
            DeviceSpec::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl DeviceSpec {
    /// The device itself. Loads CUDA where the answer depends on it.
    ///
    /// # Errors
    /// When CUDA is asked for by name and is absent or has too few devices.
    pub fn resolve(self) -> Result<Device, DeviceError> {
        match self {
            DeviceSpec::Cpu => Ok(Device::Cpu),
            DeviceSpec::Auto => Ok(match cuda::load() {
                CudaStatus::Ready { .. } => Device::Cuda(0),
                _ => Device::Cpu,
            }),
            DeviceSpec::Cuda(index) => match cuda::load() {
                CudaStatus::Ready { devices } if index < devices => Ok(Device::Cuda(index)),
                CudaStatus::Ready { devices } => Err(DeviceError::OutOfRange { index, devices }),
                status => Err(DeviceError::NoCuda { index, status }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back_as_it_prints() {
        for (text, spec) in [
            ("auto", DeviceSpec::Auto),
            ("cpu", DeviceSpec::Cpu),
            ("cuda:0", DeviceSpec::Cuda(0)),
            ("cuda:3", DeviceSpec::Cuda(3)),
        ] {
            assert_eq!(text.parse::<DeviceSpec>().unwrap(), spec);
            assert_eq!(spec.to_string(), text);
        }
        assert_eq!("cuda".parse::<DeviceSpec>().unwrap(), DeviceSpec::Cuda(0));
    }

    #[test]
    fn anything_else_is_refused_with_the_forms() {
        for text in ["gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", ""] {
            let message = text.parse::<DeviceSpec>().unwrap_err().to_string();
            assert!(message.contains("want auto, cpu, cuda or cuda:N"), "{message}");
        }
    }
}
