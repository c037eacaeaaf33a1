//! Subcommand `launch`.
use std::process::ExitCode;

/// Runs `berth-supervisor launch ARGS`.
pub fn main(_args: &[String]) -> ExitCode {
    ExitCode::FAILURE
}
