//! The integration tests of catscan-torch-ext, in one binary.

mod it {
    mod convolution;
    mod cuda;
    mod gradient;
    mod norm_relu;
    mod pairs;
    mod recompute;
}
