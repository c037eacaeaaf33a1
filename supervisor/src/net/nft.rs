//! Applies nftables rulesets, one transaction each.
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use super::netlink::failed;
use super::netns::Netns;
use crate::protocol::{ErrorCode, WorkerError};

/// nft stands in /usr/sbin, which an ordinary user's PATH lacks.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// In the calling thread's namespace, or in `netns`.
pub fn apply(rules: &str, netns: Option<&Netns>) -> Result<(), WorkerError> {
    match netns {
        Some(netns) => netns.within(|| run(rules)).map_err(failed("enter the router's namespace"))?,
        None => run(rules),
    }
}

fn run(rules: &str) -> Result<(), WorkerError> {
    let mut command = Command::new("nft");
    command.args(["-f", "-"]).env_clear().env("PATH", PATH).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => WorkerError::new(ErrorCode::Failed, "nft is not installed: install the package nftables"),
        _ => failed("start nft")(error),
    })?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(rules.as_bytes()));
    let output = child.wait_with_output().map_err(failed("wait for nft"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(WorkerError::new(ErrorCode::Failed, format!("nft refused the rules: {}", reason.trim())));
    }
    written.map_err(failed("hand the rules to nft"))
}
