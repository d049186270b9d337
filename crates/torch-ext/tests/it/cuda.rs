//! What only a whole process can show: CUDA is asked once, and the CPU always works.

use std::time::Duration;

use catscan_torch_ext::nccl::{Group, Place};
use catscan_torch_ext::plugin::{self, PluginError};
use catscan_torch_ext::{CudaStatus, DeviceSpec, cuda};

#[test]
fn cuda_is_decided_once_and_auto_always_works() {
    let first = cuda::load();
    assert_eq!(cuda::load(), first);
    let device = DeviceSpec::Auto.resolve().expect("auto never fails");
    let sum = tch::Tensor::ones([2, 3], (tch::Kind::Float, device)).sum(tch::Kind::Float);
    assert_eq!(sum.double_value(&[]), 6.0);
    if !matches!(first, CudaStatus::Ready { .. }) {
        let error = DeviceSpec::Cuda(0).resolve().expect_err("no CUDA here");
        assert!(error.to_string().contains("--device cpu"), "{error}");
    }
}

/// Built by `cargo xtask bundle`, which may have to fetch NVIDIA's headers first.
#[test]
fn the_plugin_loads_without_a_device_and_says_what_is_missing() {
    match (plugin::ready(), cuda::load()) {
        (Err(PluginError::Absent), _) => {
            let required = std::env::var_os("CATSCAN_REQUIRE_PLUGIN").is_some();
            assert!(!required, "no {}", plugin::FILE);
            println!("skipped: no {}; `cargo xtask bundle` builds it", plugin::FILE);
        }
        (Ok(()), status) => assert!(matches!(status, CudaStatus::Ready { .. }), "{status}"),
        (Err(PluginError::Cuda(reason)), CudaStatus::NoDevice) => {
            assert!(reason.contains("the driver offers no CUDA device"), "{reason}");
        }
        (Err(PluginError::Cuda(reason)), CudaStatus::CpuBuild | CudaStatus::Unloadable { .. }) => {
            assert!(reason.contains("CUDA half is not loaded"), "{reason}");
        }
        (Err(error), status) => panic!("{error} while CUDA is {status}"),
    }
    // Nothing of it can be had then, and asking twice is no harm.
    if let Err(error) = plugin::ready() {
        assert_eq!(plugin::memory(0), Err(error.clone()));
        assert_eq!(plugin::use_side_stream(0), Err(error.clone()));
        let place = Place {
            host: "127.0.0.1".into(),
            port: 29_500,
            prefix: "test".into(),
            rank: 0,
            world: 1,
            timeout: Duration::from_secs(1),
        };
        assert_eq!(Group::join(&place).unwrap_err(), error);
    }
}
