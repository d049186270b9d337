//! What can go wrong here, said as *where: what, with both numbers; what to do next*.

use catscan_models::ModelError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its fields are")]
pub enum VizError {
    /// A chart was asked for without the numbers it draws.
    #[error("chart \"{chart}\": {problem}; {next}")]
    Chart { chart: String, problem: String, next: &'static str },
    /// The drawing library failed; its words are kept.
    #[error("chart \"{chart}\": could not be drawn ({problem}); please report this as a bug")]
    Drawing { chart: String, problem: String },
    /// The model refused: a tap it does not show, or a picture that is too small.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A tensor, a mask or a list of the wrong shape.
    #[error("{place}: got {got}, want {want}; {next}")]
    Shape { place: String, got: String, want: String, next: &'static str },
    /// A class for which the model has no output.
    #[error("class {class}: the model tells {classes} classes apart; give 0 to {}", .classes - 1)]
    UnknownClass { class: i64, classes: i64 },
    /// libtorch refused an operation.
    #[error("{place}: libtorch refused ({source}); please report this as a bug")]
    Torch { place: &'static str, source: tch::TchError },
    /// NaN or infinity where a map was expected.
    #[error("{place}: {count} of {total} values are NaN or infinite; has the training diverged?")]
    NotFinite { place: String, count: usize, total: usize },
    /// A picture could not be packed as PNG or JPEG.
    #[error("picture: could not be packed ({0}); please report this as a bug")]
    Packing(#[from] image::ImageError),
    /// The report's template failed.
    #[error("report: the template failed ({0:#}); please report this as a bug")]
    Template(#[from] minijinja::Error),
}

impl VizError {
    /// The process' exit status for this error: 5 when numbers went bad, the model's own for what
    /// the model refused, else 2.
    pub fn exit_code(&self) -> u8 {
        match self {
            VizError::NotFinite { .. } => 5,
            VizError::Model(error) => error.exit_code(),
            _ => 2,
        }
    }
}
