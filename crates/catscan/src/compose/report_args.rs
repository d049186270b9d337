//! What a report may be asked for, by `catscan report` and by `catscan experiment`.

use std::path::PathBuf;

/// How much a report looks at, and what it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct ReportArgs {
    /// Test pictures that maps are tested on (32 to 64 by default, by what the networks cost);
    /// three times as many are made worse step by step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub scan_pictures: Option<u32>,
    /// A folder with masks of test pictures by their names, white where the evidence is: the
    /// report then tells how much of each map lies on them
    #[arg(long, value_name = "DIR")]
    pub masks: Option<PathBuf>,
}
