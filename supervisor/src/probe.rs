//! `probe`: what this kernel offers, as one line of JSON.
use std::process::ExitCode;
use std::time::Duration;

use crate::cgroup::{Cgroups, Layout};
use crate::sys;

/// How long the time-stamp counter is watched.
const TSC_WATCH: Duration = Duration::from_millis(20);

/// The rate of this machine's time-stamp counter; None where it has none. A guest under emulation has the same counter and can't
/// measure it by itself reliably: it would need a timer that is never late.
#[cfg(target_arch = "x86_64")]
fn tsc_khz() -> Option<u64> {
    // SAFETY: every x86-64 processor has the instruction, and nothing here takes it away from programs.
    let ticks = || unsafe { core::arch::x86_64::_rdtsc() };
    // Of several looks the one in which the clock was read the quickest.
    let look = || {
        let best = (0..64).map(|_| (ticks(), sys::monotonic_ns(), ticks())).min_by_key(|(before, _, after)| after.wrapping_sub(*before));
        best.map(|(before, time, after)| (before + after.wrapping_sub(before) / 2, time))
    };
    let begin = look()?;
    std::thread::sleep(TSC_WATCH);
    let end = look()?;
    (end.0.checked_sub(begin.0)? * 1_000_000).checked_div(end.1 - begin.1)
}

#[cfg(not(target_arch = "x86_64"))]
fn tsc_khz() -> Option<u64> {
    None
}

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
        "tscKhz": tsc_khz(),
        "swap": read("/proc/swaps").lines().count() > 1,
    });
    println!("{found}");
    ExitCode::SUCCESS
}
