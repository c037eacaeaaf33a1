//! Subcommand `serve`.
use std::process::ExitCode;

/// Runs `berth-supervisor serve ARGS`.
pub fn main(_args: &[String]) -> ExitCode {
    ExitCode::FAILURE
}
