//! `probe`: what this kernel offers, as one line of JSON.
use std::process::ExitCode;

use crate::cgroup::{Cgroups, Layout};

/// Runs `berth-supervisor probe`. Fails only when it can't say.
pub fn main(_args: &[String]) -> ExitCode {
    let cgroup = match Cgroups::detect().map(|c| c.layout().clone()) {
        Ok(Layout::V1 { unified, .. }) => serde_json::json!({ "layout": "v1", "unified": unified.is_some() }),
        Ok(Layout::V2 { .. }) => serde_json::json!({ "layout": "v2", "unified": true }),
        Err(e) => serde_json::json!({ "layout": null, "error": e.to_string() }),
    };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let filesystems = read("/proc/filesystems");
    let has = |name: &str| filesystems.lines().any(|line| line.split('\t').next_back() == Some(name));
    let seccomp = read("/proc/sys/kernel/seccomp/actions_avail");
    let found = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        // SAFETY: no preconditions.
        "root": unsafe { libc::geteuid() } == 0,
        "cgroup": cgroup,
        "overlay": has("overlay"),
        "erofs": has("erofs"),
        "seccomp": seccomp.contains("errno"),
        "swap": read("/proc/swaps").lines().count() > 1,
    });
    println!("{found}");
    ExitCode::SUCCESS
}
