//! The integration tests of catscan-models, in one binary.

mod it {
    mod bf16;
    mod cards;
    mod closed_form;
    mod densenet;
    mod golden;
    mod memory;
    mod mnist;
    mod pool_properties;
    mod pools;
    mod precision;
    mod registry;
    mod resnet;
    mod summary;
    mod support;
    mod taps;
    mod transfer;
    mod weights;
}
