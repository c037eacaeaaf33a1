//! What is mounted inside a container: the bundle's list, the usual device nodes, and the paths that are hidden or read-only.
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::config::Mount;
use super::rootfs::{directory_in, file_in};
use super::Error;
use crate::cgroup::{Cgroups, Layout};
use crate::mount::{self, attach, clone_tree, open_in_root, open_path, path_of, set_attributes};
use crate::sys::{self, c_string};

fn failed<'a>(what: &'a str, path: &'a str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |e| Error::Create(format!("cannot {what} {path}: {}", sys::reason(&e)))
}

/// A mount's options, sorted by what they are for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    flags: libc::c_ulong,
    attributes: u64,
    recursive_attributes: u64,
    bind: bool,
    recursive: bool,
    propagation: u64,
    data: Vec<String>,
}

fn options(list: &[String]) -> Options {
    let mut o = Options::default();
    for option in list {
        match option.as_str() {
            "bind" => o.bind = true,
            "rbind" => (o.bind, o.recursive) = (true, true),
            "ro" => (o.flags, o.attributes) = (o.flags | libc::MS_RDONLY, o.attributes | mount::RDONLY),
            "rro" => o.recursive_attributes |= mount::RDONLY,
            "nosuid" => (o.flags, o.attributes) = (o.flags | libc::MS_NOSUID, o.attributes | mount::NOSUID),
            "noexec" => (o.flags, o.attributes) = (o.flags | libc::MS_NOEXEC, o.attributes | mount::NOEXEC),
            "nodev" => (o.flags, o.attributes) = (o.flags | libc::MS_NODEV, o.attributes | mount::NODEV),
            "strictatime" => o.flags |= libc::MS_STRICTATIME,
            "relatime" => o.flags |= libc::MS_RELATIME,
            "noatime" => o.flags |= libc::MS_NOATIME,
            "private" | "rprivate" => o.propagation = libc::MS_PRIVATE,
            "slave" | "rslave" => o.propagation = libc::MS_SLAVE,
            "shared" | "rshared" => o.propagation = libc::MS_SHARED,
            // The last word counts.
            "rw" => (o.flags, o.attributes) = (o.flags & !libc::MS_RDONLY, o.attributes & !mount::RDONLY),
            "suid" => (o.flags, o.attributes) = (o.flags & !libc::MS_NOSUID, o.attributes & !mount::NOSUID),
            "exec" => (o.flags, o.attributes) = (o.flags & !libc::MS_NOEXEC, o.attributes & !mount::NOEXEC),
            "defaults" | "dev" | "async" | "diratime" => {}
            other => o.data.push(other.to_string()),
        }
    }
    o
}

/// Makes every mount of the bundle below `root`, in order.
pub fn make_all(root: BorrowedFd, mounts: &[Mount], cgroups: &Cgroups, group: &str) -> Result<(), Error> {
    for one in mounts {
        let options = options(&one.options);
        if options.bind || one.kind == "bind" {
            bind(root, one, &options)?;
        } else if one.kind == "cgroup" || one.kind == "cgroup2" {
            control_groups(root, one, &options, cgroups, group)?;
        } else {
            file_system(root, one, &options)?;
        }
    }
    Ok(())
}

/// Only those of its mounts that bind something of the machine.
pub fn bind_all(root: BorrowedFd, mounts: &[Mount]) -> Result<(), Error> {
    mounts.iter().filter(|one| one.kind == "bind").try_for_each(|one| bind(root, one, &options(&one.options)))
}

fn inside(destination: &str) -> &Path {
    Path::new(destination.trim_start_matches('/'))
}

fn bind(root: BorrowedFd, one: &Mount, options: &Options) -> Result<(), Error> {
    let source = open_path(Path::new(&one.source)).map_err(failed("open the source of a mount,", &one.source))?;
    let is_dir = Path::new(&path_of(source.as_fd())).is_dir();
    let target = if is_dir { directory_in(root, inside(&one.destination)) } else { file_in(root, inside(&one.destination)) };
    let target = target.map_err(failed("make the mount point", &one.destination))?;
    let error = || failed("bind-mount", &one.destination);
    let tree = clone_tree(source.as_fd(), options.recursive).map_err(error())?;
    // Without a word of it a mount is private: nothing travels back to the machine.
    let propagation = if options.propagation == 0 { libc::MS_PRIVATE } else { options.propagation };
    let all = mount::NODEV | options.recursive_attributes;
    set_attributes(tree.as_fd(), all, propagation, true).map_err(error())?;
    set_attributes(tree.as_fd(), options.attributes, 0, false).map_err(error())?;
    attach(tree.as_fd(), target.as_fd()).map_err(error())
}

fn file_system(root: BorrowedFd, one: &Mount, options: &Options) -> Result<(), Error> {
    let target = directory_in(root, inside(&one.destination)).map_err(failed("make the mount point", &one.destination))?;
    // Terminals of devpts must open; it holds no other nodes.
    let nodev = if one.kind == "devpts" { 0 } else { libc::MS_NODEV };
    let source = if one.source.is_empty() { &one.kind } else { &one.source };
    let made = mount::mount(source, &path_of(target.as_fd()), &one.kind, options.flags | nodev, &options.data.join(","));
    made.map_err(|e| Error::Create(format!("cannot mount {} on {}: {}", one.kind, one.destination, sys::reason(&e))))
}

/// The container's own control groups: the v2 tree as its namespace shows it, or each v1 hierarchy's part of it.
fn control_groups(root: BorrowedFd, one: &Mount, options: &Options, cgroups: &Cgroups, group: &str) -> Result<(), Error> {
    let error = || failed("mount control groups on", &one.destination);
    let target = directory_in(root, inside(&one.destination)).map_err(error())?;
    let flags = options.flags | libc::MS_NODEV | libc::MS_NOSUID | libc::MS_NOEXEC;
    let Layout::V1 { hierarchies, .. } = cgroups.layout() else {
        return mount::mount("cgroup", &path_of(target.as_fd()), "cgroup2", flags, "").map_err(error());
    };
    let attributes = options.attributes | mount::NODEV | mount::NOSUID | mount::NOEXEC;
    let top = mount::new_detached(c"tmpfs", &["mode=755"], 0).map_err(error())?;
    attach(top.as_fd(), target.as_fd()).map_err(error())?;
    for hierarchy in hierarchies {
        let Some(name) = hierarchy.mountpoint.file_name() else { continue };
        let place = directory_in(root, &inside(&one.destination).join(name)).map_err(error())?;
        let source = open_path(&hierarchy.mountpoint.join(group)).map_err(error())?;
        let tree = clone_tree(source.as_fd(), false).map_err(error())?;
        set_attributes(tree.as_fd(), attributes, libc::MS_PRIVATE, false).map_err(error())?;
        attach(tree.as_fd(), place.as_fd()).map_err(error())?;
    }
    set_attributes(top.as_fd(), attributes, 0, false).map_err(error())
}

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The device nodes and links that the runtime specification wants in /dev; with `terminal` standard input is /dev/console, too.
///
/// They are bound from the machine's own, and everything else is mounted nodev: a node that a container makes never opens, and no
/// device control group has to say so.
pub fn make_devices(root: BorrowedFd, terminal: bool) -> Result<(), Error> {
    let dev = directory_in(root, Path::new("dev")).map_err(failed("make", "/dev"))?;
    let give = |name: &str, source: BorrowedFd| {
        let target = file_in(root, &Path::new("dev").join(name))?;
        let tree = clone_tree(source, false)?;
        set_attributes(tree.as_fd(), mount::NOSUID | mount::NOEXEC, libc::MS_PRIVATE, false)?;
        attach(tree.as_fd(), target.as_fd())
    };
    for name in DEVICES {
        let path = format!("/dev/{name}");
        open_path(Path::new(&path)).and_then(|source| give(name, source.as_fd())).map_err(failed("bind", &path))?;
    }
    if terminal {
        // By its path: the descriptor's own mount belongs to another namespace.
        let path = std::fs::read_link("/proc/self/fd/0").map_err(failed("find", "the terminal"))?;
        open_path(&path).and_then(|source| give("console", source.as_fd())).map_err(failed("bind", "/dev/console"))?;
    }
    for (name, to) in LINKS {
        let (name, to) = (c_string(name.as_bytes()), c_string(to.as_bytes()));
        let (Ok(name), Ok(to)) = (name, to) else { continue };
        // What the image has there stays.
        // SAFETY: both end with NUL.
        unsafe { libc::symlinkat(to.as_ptr(), dev.as_raw_fd(), name.as_ptr()) };
    }
    Ok(())
}

/// Makes each path read-only as it is. Missing ones are fine.
pub fn make_readonly(root: BorrowedFd, paths: &[String]) -> Result<(), Error> {
    for path in paths {
        let Some(place) = existing(root, path)? else { continue };
        let error = || failed("make read-only", path);
        let tree = clone_tree(place.as_fd(), true).map_err(error())?;
        set_attributes(tree.as_fd(), mount::RDONLY, libc::MS_PRIVATE, true).map_err(error())?;
        attach(tree.as_fd(), place.as_fd()).map_err(error())?;
    }
    Ok(())
}

/// Hides each path: a file behind /dev/null, a directory behind an empty read-only one. Missing ones are fine.
pub fn mask(root: BorrowedFd, paths: &[String]) -> Result<(), Error> {
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let Some(place) = existing(root, path)? else { continue };
        let error = || failed("mask", path);
        let is_dir = Path::new(&path_of(place.as_fd())).is_dir();
        let cover = match (&empty, is_dir) {
            (Some(first), true) => clone_tree(first.as_fd(), false),
            (None, true) => {
                let attributes = mount::RDONLY | mount::NODEV | mount::NOSUID | mount::NOEXEC;
                mount::new_detached(c"tmpfs", &["mode=755"], attributes)
            }
            (_, false) => open_path(Path::new("/dev/null")).and_then(|null| clone_tree(null.as_fd(), false)),
        };
        let cover = cover.map_err(error())?;
        attach(cover.as_fd(), place.as_fd()).map_err(error())?;
        if is_dir && empty.is_none() {
            // One file system covers all. Before Linux 6.15 only a mount that is attached can be cloned.
            empty = existing(root, path)?;
        }
    }
    Ok(())
}

fn existing(root: BorrowedFd, path: &str) -> Result<Option<OwnedFd>, Error> {
    match open_in_root(root, inside(path), libc::O_PATH, 0) {
        Ok(place) => Ok(Some(place)),
        Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ENOTDIR) => Ok(None),
        Err(e) => Err(failed("open", path)(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_options() {
        let list = ["rbind", "ro", "nosuid", "rslave", "mode=755", "size=64k"].map(str::to_string);
        let expected = Options {
            flags: libc::MS_RDONLY | libc::MS_NOSUID,
            attributes: mount::RDONLY | mount::NOSUID,
            recursive_attributes: 0,
            bind: true,
            recursive: true,
            propagation: libc::MS_SLAVE,
            data: vec!["mode=755".to_string(), "size=64k".to_string()],
        };
        assert_eq!(options(&list), expected);
    }
}
