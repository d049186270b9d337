//! What can go wrong here, said as *where: what, with both numbers; what to do next*.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum VizError {
    /// A chart was asked for without the numbers it draws.
    #[error("chart \"{chart}\": {problem}; {next}")]
    Chart { chart: String, problem: String, next: &'static str },
    /// The drawing library failed; its words are kept.
    #[error("chart \"{chart}\": could not be drawn ({problem}); please report this as a bug")]
    Drawing { chart: String, problem: String },
    /// A tap that the model does not show.
    #[error("tap {tap}: the model shows no such tap, nearest is {nearest}; see catscan list")]
    UnknownTap { tap: String, nearest: String },
    /// A tensor or mask of the wrong shape.
    #[error("{place}: got {got}, want {want}; {next}")]
    Shape { place: &'static str, got: String, want: String, next: &'static str },
    /// A class index the model has no output for.
    #[error("class {class}: the model tells {classes} classes apart; give 0 to {last}", last = .classes - 1)]
    UnknownClass { class: i64, classes: i64 },
    /// libtorch refused an operation.
    #[error("{place}: libtorch refused ({source}); please report this as a bug")]
    Torch {
        place: &'static str,
        #[source]
        source: tch::TchError,
    },
    /// NaN or infinity where a map was expected.
    #[error("{place}: holds NaN or infinity; has the training diverged?")]
    NotFinite { place: String },
    /// A picture could not be packed as PNG or JPEG.
    #[error("picture: could not be packed ({0}); please report this as a bug")]
    Packing(#[from] image::ImageError),
    /// The report's template failed.
    #[error("report: the template failed ({0:#}); please report this as a bug")]
    Template(#[from] minijinja::Error),
}

impl VizError {
    /// The process' exit status for this error: 5 when numbers went bad, 2 for what the caller named.
    pub fn exit_code(&self) -> u8 {
        match self {
            VizError::NotFinite { .. } => 5,
            _ => 2,
        }
    }
}
