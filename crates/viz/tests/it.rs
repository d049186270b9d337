//! The integration tests of catscan-viz.

mod it {
    mod browser;
    mod cams;
    mod grad_cam;
    mod hostile;
    mod maps;
    mod page;
    mod support;
}
