//! The integration tests of catscan-models, in one binary.

mod it {
    mod densenet;
    mod golden;
    mod mnist;
    mod precision;
    mod registry;
    mod resnet;
    mod support;
    mod taps;
    mod transfer;
    mod weights;
}
