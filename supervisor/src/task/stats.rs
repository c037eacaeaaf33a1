//! What a task uses right now.
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::cgroup::Cgroups;
use crate::protocol::{ClockStats, ContainerStats, DiskBundle, DiskStats, IoStats, NetworkStats, TaskBundle, TaskStats};
use crate::runsc::{self, Room};
use crate::{container, sys};

pub fn read(task: &TaskBundle, cgroups: &Cgroups, room: Option<&Room>) -> TaskStats {
    let machine = || machine_memory_bytes(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let disk = task.disk.as_ref().and_then(disk_of);
    let containers = task.containers.iter().enumerate().map(|(index, bundle)| {
        let group = container::group(task, index);
        // In a gVisor sandbox of several only its kernel can tell them apart.
        let inside = room.filter(|_| task.containers.len() > 1).and_then(|room| runsc::usage_of(room, index));
        let mut detail = inside.is_none().then(|| cgroups.detail(&group));
        // The disk is the task's; where it has one container, that one's.
        if let (Some(detail), [_], Some(disk)) = (&mut detail, &task.containers[..], &task.disk) {
            if detail.io.is_empty() {
                detail.io.extend(moved(Path::new(&disk.place)));
            }
        }
        let used = inside.unwrap_or_else(|| cgroups.stats(&group));
        ContainerStats {
            name: bundle.name.clone(),
            cpu_ns: used.cpu_ns,
            memory_bytes: used.memory_bytes,
            memory_limit_bytes: bundle.cgroup.memory_bytes.or(task.cgroup.limits.memory_bytes).unwrap_or_else(machine),
            pids: used.pids,
            oom_kills: cgroups.oom_kills(&group),
            detail,
        }
    });
    TaskStats {
        read_at_ms: sys::realtime_ns() / 1_000_000,
        containers: containers.collect(),
        task: cgroups.stats(&task.cgroup.path),
        // This process is in the task's network namespace; a task without a network has none of this name.
        network: interface(&read_text("/proc/self/net/dev"), "eth0"),
        disk,
        clock: clock(),
    }
}

/// adjtimex(2), which changes nothing when it is asked so.
fn clock() -> Option<ClockStats> {
    // SAFETY: all zeros is a valid timex, which asks and sets nothing.
    let mut asked: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the struct lives and is writable.
    sys::check(unsafe { libc::adjtimex(&mut asked) }.into()).ok()?;
    Some(ClockStats { synchronized: asked.status & libc::STA_UNSYNC == 0, max_error_us: asked.maxerror.max(0) as u64 })
}

fn disk_of(disk: &DiskBundle) -> Option<DiskStats> {
    let used_bytes = sys::used_bytes(Path::new(&disk.place)).ok()?;
    let moved = moved(Path::new(&disk.place));
    Some(DiskStats {
        used_bytes,
        size_bytes: disk.bytes,
        read_bytes: moved.map(|io| io.read_bytes),
        written_bytes: moved.map(|io| io.written_bytes),
    })
}

/// What went through the block device that a directory lies on. No io controller is needed for it, since the device is the task's.
fn moved(place: &Path) -> Option<IoStats> {
    let device = std::fs::metadata(place).ok()?.dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let text = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    Some(IoStats { major, minor, ..through(&text)? })
}

/// Of a block device's `stat` (Documentation/block/stat.rst): its sectors have 512 bytes, whatever the device's have.
fn through(text: &str) -> Option<IoStats> {
    let numbers: Vec<u64> = text.split_whitespace().map_while(|n| n.parse().ok()).collect();
    let at = |index: usize| numbers.get(index).copied();
    let (read_bytes, written_bytes) = (at(2)? * 512, at(6)? * 512);
    Some(IoStats { major: 0, minor: 0, read_bytes, written_bytes, reads: at(0)?, writes: at(4)? })
}

fn read_text(path: &str) -> String {
    std::fs::read_to_string(Path::new(path)).unwrap_or_default()
}

fn machine_memory_bytes(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

/// The counters of one interface in /proc/net/dev: bytes and packets lead both halves of its line.
fn interface(text: &str, name: &str) -> Option<NetworkStats> {
    let counters = text.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'))?;
    let numbers: Vec<u64> = counters.split_whitespace().map_while(|n| n.parse().ok()).collect();
    let at = |index: usize| numbers.get(index).copied();
    Some(NetworkStats { rx_bytes: at(0)?, rx_packets: at(1)?, tx_bytes: at(8)?, tx_packets: at(9)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_tables() {
        let dev = "Inter-| Receive | Transmit\n face |bytes packets\n    lo: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n  eth0: 100 7 0 0 0 0 0 0 200 9 0 0 0 0 0 0\n";
        let expected = NetworkStats { rx_bytes: 100, tx_bytes: 200, rx_packets: 7, tx_packets: 9 };
        assert_eq!(interface(dev, "eth0"), Some(expected));
        assert_eq!(interface(dev, "eth1"), None);
        let told = through("       5        0       40        1        7        2       80        3        0        4        4\n");
        let moved = IoStats { major: 0, minor: 0, read_bytes: 20_480, written_bytes: 40_960, reads: 5, writes: 7 };
        assert_eq!(told, Some(moved));
        assert_eq!(through("5 0"), None);
        assert_eq!(machine_memory_bytes("MemTotal:       2048 kB\nMemFree: 1 kB\n"), 2_097_152);
    }
}
