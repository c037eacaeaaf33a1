//! Subcommand `probe`.
use std::process::ExitCode;

/// Runs `berth-supervisor probe ARGS`.
pub fn main(_args: &[String]) -> ExitCode {
    ExitCode::FAILURE
}
