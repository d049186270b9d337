//! The same bits from the same numbers: libtorch's deterministic algorithms, cuDNN's and oneDNN's.
//!
//! On a processor with a fixed number of threads catscan's trainings are deterministic without it
//! (a test holds that); on a CUDA device several kernels add in whatever order their threads come
//! in, and cuDNN may choose another algorithm each time. With the switch on, libtorch takes the
//! deterministic kernel where there is one, and refuses an operation that has none, by its name.
//! What it costs stands in docs/training.md.

unsafe extern "C" {
    fn catscan_set_deterministic(on: bool);
    fn catscan_deterministic() -> bool;
}

/// cuBLAS adds in a fixed order only with this, which it reads when its first handle is made.
#[cfg(unix)]
const CUBLAS: (&str, &str) = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8");

/// From here on every operation of this process is deterministic or refused. Call it before the
/// first tensor and before any other thread exists: it sets a variable of the environment.
pub fn require() {
    #[cfg(unix)]
    if std::env::var_os(CUBLAS.0).is_none() {
        // SAFETY: by contract the process still has one thread, so nobody reads the environment.
        unsafe { std::env::set_var(CUBLAS.0, CUBLAS.1) };
    }
    // SAFETY: sets flags of libtorch's own.
    unsafe { catscan_set_deterministic(true) };
}

/// Whether [`require`] holds.
pub fn is_required() -> bool {
    // SAFETY: reads a flag of libtorch's own.
    unsafe { catscan_deterministic() }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;

    #[test]
    fn an_operation_without_a_deterministic_kernel_is_refused_by_name() {
        // Which of two writes to one place comes last is a matter of threads.
        let put = || {
            let (index, twice) = (Tensor::from_slice(&[1i64, 1]), Tensor::from_slice(&[1f32, 2.0]));
            Tensor::zeros([3], tch::kind::FLOAT_CPU).f_put_(&index, &twice, false).map(drop)
        };
        assert!(!is_required());
        put().unwrap();
        require();
        assert!(is_required());
        let refusal = put().unwrap_err().to_string();
        // SAFETY: as in `require`; for the tests that follow.
        unsafe { catscan_set_deterministic(false) };
        assert!(refusal.contains("put_ does not have a deterministic"), "{refusal}");
        assert!(!is_required());
        put().unwrap();
    }
}
