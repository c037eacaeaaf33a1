//! Volumes on shared file systems: NFS mounts from the task's own file server.
use std::path::{Component, Path};
use std::time::{Duration, Instant};

use super::boot::Machine;
use super::messages::Shared;
use crate::{mount, sys};

const PLACE: &str = "/shared";
/// What a task wrote last is on its way for at most so long after its end; a server that is away for longer has it no more.
const FLUSH: Duration = Duration::from_secs(10);

pub fn mount_all(machine: &Machine, shared: &[Shared]) -> Result<(), String> {
    if shared.is_empty() {
        return Ok(());
    }
    machine.load_later().map_err(|e| format!("cannot load the modules: {e}"))?;
    machine.trace("modules");
    for one in shared {
        let path = Path::new(&one.path);
        if !path.starts_with(PLACE) || !path.components().skip(1).all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("{path:?} is not a place below {PLACE}"));
        }
        std::fs::create_dir_all(path).map_err(|e| format!("cannot make {}: {}", one.path, sys::reason(&e)))?;
        let mounted = mount::mount(&one.source, &one.path, "nfs4", libc::MS_NODEV, &one.options);
        mounted.map_err(|e| format!("cannot mount {} ({}): {}", one.source, one.options, sys::reason(&e)))?;
        machine.trace("shared");
    }
    Ok(())
}

pub fn unmount_all() {
    for point in mount::mounts_below(Path::new(PLACE)).unwrap_or_default() {
        let _ = mount::unmount(&point, libc::MNT_DETACH);
    }
}

/// Waits until what the task wrote has reached its file systems. In children, since a server that is away makes whoever asks wait for it.
pub fn flush() {
    let points = mount::mounts_below(Path::new(PLACE)).unwrap_or_default();
    let mut left = Vec::new();
    for point in points {
        match sys::fork() {
            Ok(None) => {
                let _ = std::fs::File::open(point).and_then(|dir| sys::sync_file_system(&dir));
                sys::exit_now(0)
            }
            Ok(Some(pid)) => left.push(pid),
            Err(_) => {}
        }
    }
    let until = Instant::now() + FLUSH;
    while !left.is_empty() && Instant::now() < until {
        match sys::reap() {
            Some((ended, _)) => left.retain(|pid| *pid != ended),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
