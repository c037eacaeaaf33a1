//! Device nodes beyond the usual six: only in a microVM, whose devices are its own.
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;

use super::rootfs::{directory_in, file_in};
use super::Error;
use crate::mount::{self, attach, clear_attributes, clone_tree, open_in_root, open_path, set_attributes};
use crate::sys;

/// Annotation of a bundle: `all`, or a JSON list of `Device`.
pub const DEVICES_ANNOTATION: &str = "berth.devices";

/// Set once, by the program that is PID 1 of its machine.
static IN_GUEST: AtomicBool = AtomicBool::new(false);

/// From now on, containers may have this machine's devices.
pub fn allow() {
    IN_GUEST.store(true, Ordering::Relaxed);
}

/// Permissions stand in the bundle too, and aren't read: no device group holds anybody to them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    host_path: String,
    container_path: String,
}

/// Gives the container below `root` what its bundle asks for. Called once its own /dev is there.
pub fn give(root: BorrowedFd, wish: &str) -> Result<(), Error> {
    if !IN_GUEST.load(Ordering::Relaxed) {
        return Err(Error::Create("devices beyond the usual are only for a container of a microVM".to_string()));
    }
    if wish == "all" {
        return give_all(root).map_err(|e| Error::Create(format!("cannot give the machine's devices: {}", sys::reason(&e))));
    }
    let devices: Vec<Device> =
        serde_json::from_str(wish).map_err(|e| Error::Create(format!("the annotation {DEVICES_ANNOTATION}: {e}")))?;
    devices.iter().try_for_each(|device| {
        let failed = |e: io::Error| Error::Create(format!("cannot give the device {}: {}", device.host_path, sys::reason(&e)));
        give_one(root, Path::new(&device.host_path), Path::new(&device.container_path)).map_err(failed)
    })
}

fn give_one(root: BorrowedFd, from: &Path, to: &Path) -> io::Result<()> {
    let kind = std::fs::metadata(from)?.file_type();
    if !from.starts_with("/dev") || !(kind.is_char_device() || kind.is_block_device()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no device below /dev"));
    }
    let tree = clone_tree(open_path(from)?.as_fd(), false)?;
    set_attributes(tree.as_fd(), mount::NOSUID | mount::NOEXEC, libc::MS_PRIVATE, false)?;
    attach(tree.as_fd(), file_in(root, to.strip_prefix("/").unwrap_or(to))?.as_fd())
}

/// Every node of the machine's /dev that the container's doesn't have already, and nodes that it makes itself open.
fn give_all(root: BorrowedFd) -> io::Result<()> {
    clear_attributes(root, mount::NODEV)?;
    let dev = directory_in(root, Path::new("dev"))?;
    clear_attributes(dev.as_fd(), mount::NODEV)?;
    for entry in std::fs::read_dir("/dev")? {
        let entry = entry?;
        let place = Path::new("dev").join(entry.file_name());
        // Its own terminals, shared memory, queues and links stay.
        if open_in_root(root, &place, libc::O_PATH | libc::O_NOFOLLOW, 0).is_ok() {
            continue;
        }
        let kind = entry.file_type()?;
        let target = if kind.is_dir() {
            directory_in(root, &place)?
        } else if kind.is_char_device() || kind.is_block_device() {
            file_in(root, &place)?
        } else {
            continue;
        };
        let tree = clone_tree(open_path(&entry.path())?.as_fd(), false)?;
        set_attributes(tree.as_fd(), mount::NOSUID | mount::NOEXEC, libc::MS_PRIVATE, false)?;
        attach(tree.as_fd(), target.as_fd())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_of_all_tasks_gives_nothing() {
        let root = open_path(Path::new("/tmp")).unwrap();
        for wish in ["all", "[]", r#"[{"hostPath":"/dev/kmsg","containerPath":"/dev/kmsg","permissions":"rwm"}]"#] {
            let Err(Error::Create(why)) = give(root.as_fd(), wish) else { panic!("{wish} was given") };
            assert!(why.contains("only for a container of a microVM"));
        }
    }
}
