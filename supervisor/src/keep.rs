//! Subcommand `keep`.
use std::process::ExitCode;

/// Runs `berth-supervisor keep ARGS`.
pub fn main(_args: &[String]) -> ExitCode {
    ExitCode::FAILURE
}
