//! `catscan serve`: a page on this machine where one drops a picture and moves through layers, arms
//! and methods.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::args::DeviceArgs;
use crate::output::say;
use crate::run_name::runs;
use crate::serve::{Arm, serve};
use crate::weights::Trained;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Runs' folders, or experiments', of which each arm's first seed is shown
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8750")]
    pub listen: SocketAddr,
    /// The longest file taken, in MB
    #[arg(long, value_name = "MB", default_value_t = 20)]
    pub max_mb: u64,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// Serves until it is stopped.
pub fn run(args: &Args) -> Result<u8> {
    let device = args.device.ready()?;
    let mut arms = Vec::new();
    for folder in &args.runs {
        for (name, run) in runs(folder)? {
            arms.push(Arm { name, trained: Trained::open_run(&run, device)?, device });
        }
    }
    if !args.listen.ip().is_loopback() {
        say(format_args!("warning: whoever reaches {} may use this page", args.listen));
    }
    serve(&arms, args.listen, args.max_mb.saturating_mul(1_000_000), |address| {
        say(format_args!("{} networks at http://{address}/, Ctrl-C ends it", arms.len()));
    })?;
    Ok(0)
}
