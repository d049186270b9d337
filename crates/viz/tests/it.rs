//! The integration tests of catscan-viz.

mod it {
    mod browser;
    mod cams;
    #[path = "../../../models/tests/it/closed_form.rs"]
    mod closed_form;
    mod deletion;
    mod grad_cam;
    mod hostile;
    mod maps;
    mod page;
    mod support;
}
