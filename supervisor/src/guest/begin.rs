//! What makes a copied machine one of its own: randomness, time, name, address, disks.
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use super::boot::Machine;
use super::messages::{File, Place, Volume};
use crate::base64;
use crate::{disk, mount, net, sys};

/// Below it go the files that the host sends.
pub const FILES: &str = "/run/berth";
const ENTROPY_BYTES: usize = 64;
/// Image disks of a machine.
pub const IMAGES: usize = 10;
const SCRATCH: &str = "/scratch";
const VOLUMES: &str = "/volumes";
/// Its content goes with the task: nothing has to reach the disk in any order, and no thread shall zero tables that nobody reads.
const SCRATCH_OPTIONS: &str = "discard,noinit_itable,barrier=0,errors=remount-ro";

/// `{"t":"file"}`.
pub fn write_file(payload: &[u8]) -> Result<(), String> {
    let file: File = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
    let relative = Path::new(&*file.path);
    if relative.as_os_str().is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(format!("{relative:?} is not a path of plain names"));
    }
    let data = base64::decode(&file.data).ok_or_else(|| format!("the content of {relative:?} is not base64"))?;
    let path = Path::new(FILES).join(relative);
    let written = match fs::write(&path, &data) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, &data))
        }
        done => done,
    };
    let moded = written.and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(file.mode & 0o7777)));
    moded.map_err(|e| format!("cannot write {}: {}", path.display(), sys::reason(&e)))
}

/// Before anything else draws a random number or looks at the clock.
pub fn set_moment(entropy: &str, time_ns: &str) -> Result<(), String> {
    let bytes = base64::decode(entropy).filter(|bytes| bytes.len() == ENTROPY_BYTES);
    let bytes = bytes.ok_or_else(|| format!("entropy is not base64 of {ENTROPY_BYTES} bytes"))?;
    reseed(&bytes).map_err(|e| format!("cannot reseed the random number generator: {}", sys::reason(&e)))?;
    let time: i64 = time_ns.parse().map_err(|_| format!("{time_ns:?} is not a time"))?;
    let time = libc::timespec { tv_sec: time.div_euclid(1_000_000_000), tv_nsec: time.rem_euclid(1_000_000_000) };
    // SAFETY: `time` is a live timespec.
    let set = sys::check(libc::c_long::from(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &time) }));
    set.map(drop).map_err(|e| format!("cannot set the clock: {}", sys::reason(&e)))
}

/// Copies of one machine have the same generator until then.
fn reseed(entropy: &[u8]) -> io::Result<()> {
    const RNDADDENTROPY: libc::c_ulong = 0x4008_5203;
    const RNDRESEEDCRNG: libc::c_ulong = 0x5207;
    let random = fs::OpenOptions::new().write(true).open("/dev/urandom")?;
    // struct rand_pool_info: bits of entropy, bytes, the bytes.
    let mut info = Vec::with_capacity(8 + entropy.len());
    info.extend_from_slice(&(entropy.len() as i32 * 8).to_ne_bytes());
    info.extend_from_slice(&(entropy.len() as i32).to_ne_bytes());
    info.extend_from_slice(entropy);
    // SAFETY: `info` is laid out as the kernel's struct, and holds as many bytes as it says.
    sys::check(libc::c_long::from(unsafe { libc::ioctl(random.as_raw_fd(), RNDADDENTROPY as _, info.as_ptr()) }))?;
    // SAFETY: takes no argument.
    sys::check(libc::c_long::from(unsafe { libc::ioctl(random.as_raw_fd(), RNDRESEEDCRNG as _, 0) })).map(drop)
}

/// Everything up to the task itself. `images`: numbers of the image disks to mount, on /images/0 and so on.
pub fn settle(machine: &Machine, place: &Place, images: &[usize]) -> Result<(), String> {
    set_moment(&place.entropy, &place.time_ns)?;
    machine.trace("seeded");
    sys::set_hostname(&place.hostname).map_err(|e| format!("cannot set the host name: {}", sys::reason(&e)))?;
    if let Some(network) = &place.network {
        let index = machine.interface.ok_or("the machine has no network interface eth0")?;
        net::guest_up(index, network).map_err(|e| e.message)?;
        machine.trace("network");
    }
    if place.scratch {
        mount_disk(machine, "scratch", SCRATCH, "ext4", libc::MS_NOATIME | libc::MS_NODEV, SCRATCH_OPTIONS)?;
    } else {
        let made = mount::mount("scratch", SCRATCH, "tmpfs", libc::MS_NODEV, "mode=755");
        made.map_err(|e| format!("cannot mount {SCRATCH}: {}", sys::reason(&e)))?;
    }
    for (index, volume) in place.volumes.iter().enumerate() {
        mount_volume(machine, index, volume)?;
    }
    for directory in &place.directories {
        make_volume(Path::new(directory))?;
    }
    machine.trace("scratch");
    let make = |path: &str| fs::create_dir_all(path).map_err(|e| format!("cannot make {path}: {}", sys::reason(&e)));
    for (index, disk) in images.iter().enumerate() {
        let path = image_place(index);
        make(&path)?;
        mount_disk(machine, &format!("image{disk}"), &path, "erofs", libc::MS_RDONLY | libc::MS_NODEV, "")?;
    }
    machine.trace("images");
    Ok(())
}

/// As AWS documents for volumes on Fargate: root's, mode 0755.
fn make_volume(path: &Path) -> Result<(), String> {
    if !path.starts_with(SCRATCH) || !path.components().skip(1).all(|part| matches!(part, Component::Normal(_))) {
        return Err(format!("{path:?} is not a place on the scratch disk"));
    }
    fs::create_dir_all(path).map_err(|e| format!("cannot make {}: {}", path.display(), sys::reason(&e)))
}

/// It outlives the machine: unlike the scratch disk it is written in the order that it was asked to be. A snapshot that it was made of may
/// have been of a smaller one.
fn mount_volume(machine: &Machine, index: usize, volume: &Volume) -> Result<(), String> {
    let kind = volume.file_system.as_str();
    if !["ext3", "ext4", "xfs"].contains(&kind) {
        return Err(format!("a volume's file system is ext3, ext4 or xfs, not {kind:?}"));
    }
    let path = volume_place(index);
    fs::create_dir_all(&path).map_err(|e| format!("cannot make {path}: {}", sys::reason(&e)))?;
    // Nothing of a sparse file has to be zeroed; a copy of a volume has its UUID.
    let options = if kind == "xfs" { "discard,nouuid" } else { "discard,noinit_itable" };
    let serial = format!("volume{index}");
    mount_disk(machine, &serial, &path, kind, libc::MS_NODEV, options)?;
    let grown = disk::grow(machine.disk(&serial)?, Path::new(&path), kind, volume.bytes);
    grown.map_err(|e| format!("cannot grow the volume {index} ({kind}) to its size: {}", sys::reason(&e)))
}

fn volume_place(index: usize) -> String {
    format!("{VOLUMES}/{index}")
}

/// All that was written to volumes is on their disks.
pub fn sync_volumes() {
    for entry in fs::read_dir(VOLUMES).into_iter().flatten().flatten() {
        if let Ok(directory) = fs::File::open(entry.path()) {
            // SAFETY: an open descriptor.
            unsafe { libc::syncfs(directory.as_raw_fd()) };
        }
    }
}

fn image_place(index: usize) -> String {
    format!("/images/{index}")
}

fn mount_disk(machine: &Machine, serial: &str, place: &str, kind: &str, flags: libc::c_ulong, options: &str) -> Result<(), String> {
    let device = machine.disk(serial)?;
    let mounted = mount::mount(&device.to_string_lossy(), place, kind, flags, options);
    mounted.map_err(|e| format!("cannot mount the disk {serial} ({kind}): {}", sys::reason(&e)))
}

/// Takes back what `settle` did, as far as the next would stumble over it.
pub fn unsettle(machine: &Machine, place: &Place, images: &[usize]) {
    let volumes = (0..place.volumes.len()).map(volume_place);
    for path in (0..images.len()).map(image_place).chain(volumes).chain([SCRATCH.to_string()]) {
        let _ = mount::unmount(&path, libc::MNT_DETACH);
    }
    if let (Some(index), Some(network)) = (machine.interface, &place.network) {
        let _ = net::guest_down(index, network);
    }
}
