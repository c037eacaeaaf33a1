//! The virtual machines of a host: one QEMU process each, in a room of its own, watched by a small monitor.
mod console;
mod jail;
mod monitor;
mod opens;

use std::path::Path;

pub use monitor::start;

use crate::protocol::{ErrorCode, NetworkBundle, WorkerError};
use crate::{net, task};

/// Moves a machine's tap from its own network namespace into the router's, and makes it the way to the task's address. Asked again, it
/// finds the tap there.
pub fn network(dir: &Path, tap: &str, network: &NetworkBundle) -> Result<(), WorkerError> {
    let gone = || WorkerError::new(ErrorCode::NotFound, format!("no virtual machine runs in {}", dir.display()));
    // The monitor lives in the machine's network namespace. Whoever holds the lock is it, so its pid is nobody else's.
    let pid = task::holder(dir)?.ok_or_else(gone)?;
    let netns = net::Netns::of_process(pid).map_err(|_| gone())?;
    if task::holder(dir)? != Some(pid) {
        return Err(gone());
    }
    net::tap_up(&netns, tap, network)
}
