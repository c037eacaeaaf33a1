//! Kernel parameters of a gVisor sandbox: its kernel takes those that it has by /proc/sys alone, so a program writes them there, in the
//! sandbox's own first container, before the task's containers run.
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::keeper::give_to_sandbox;
use super::room::{Room, SANDBOX};
use super::urpc::{self, Connection};
use crate::container::set_sysctl;
use crate::protocol::TEXT_BYTES;
use crate::sys;

/// This program in the first container (src/sandbox/gvisor/driver.ts).
const OWN_PROGRAM: &str = "/berth";
const PATIENCE: Duration = Duration::from_secs(20);

/// Gives the reason, which names the parameter, where one could not be set.
pub fn set(room: &Room, wanted: &BTreeMap<String, String>) -> Result<(), String> {
    if wanted.is_empty() {
        return Ok(());
    }
    let failed = |e: urpc::Error| format!("cannot set the sandbox's kernel parameters: {e}");
    let (said, said_write) = sys::pipe().map_err(|e| failed(e.into()))?;
    let input = std::fs::File::open("/dev/null").map_err(|e| failed(e.into()))?;
    give_to_sandbox(said_write.as_fd());
    let mut argv = vec![OWN_PROGRAM.to_string(), "sysctl".to_string()];
    argv.extend(wanted.iter().map(|(name, value)| format!("{name}={value}")));
    let args = json!({
        "argv": argv,
        "envv": [],
        "wd": "/",
        // Root owns those files.
        "Capabilities": { "PermittedCaps": 0, "EffectiveCaps": 0, "BoundingCaps": 0 },
        "GuestFDs": [0, 1, 2],
        "ContainerID": SANDBOX,
    });
    let mut control = Connection::open(&room.control(), Some(PATIENCE)).map_err(|e| failed(e.into()))?;
    let files = [input.as_fd(), said_write.as_fd(), said_write.as_fd()];
    let pid = control.call("containerManager.ExecuteAsync", &args, &files).map_err(failed)?;
    let ended = control.call("containerManager.WaitPID", &json!({ "CID": SANDBOX, "PID": pid }), &[]).map_err(failed)?;
    drop(said_write);
    if ended.as_i64() == Some(0) {
        return Ok(());
    }
    let mut text = [0; TEXT_BYTES];
    sys::set_nonblocking(said.as_fd()).map_err(|e| failed(e.into()))?;
    let n = sys::read(said.as_fd(), &mut text).ok().flatten().unwrap_or(0);
    Err(String::from_utf8_lossy(&text[..n]).trim().to_string())
}

/// `sysctl NAME=VALUE ...`, inside the sandbox: the first that can't be set ends it.
pub fn main(wanted: &[String]) -> ExitCode {
    for (name, value) in wanted.iter().filter_map(|one| one.split_once('=')) {
        if let Err(e) = set_sysctl(name, value) {
            println!("cannot set sysctl {name} to {value:?}: {}", sys::reason(&e));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
