//! The integration tests of catscan-torch-ext, in one binary.

mod it {
    mod convolution;
    mod cuda;
    mod dots;
    mod gradient;
    mod norm_relu;
    mod recompute;
}
