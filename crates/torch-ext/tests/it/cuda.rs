//! What only a whole process can show: CUDA is asked once, and the CPU always works.

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
