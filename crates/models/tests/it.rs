//! The integration tests of catscan-models, in one binary.

mod it {
    mod golden;
    mod precision;
    mod registry;
    mod support;
    mod taps;
    mod weights;
}
