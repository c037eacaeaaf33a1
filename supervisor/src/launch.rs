//! Starts one process as another user, in a mount namespace of its own where it can reach what it needs below closed directories.
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde::Deserialize;

use crate::mount;
use crate::sys::{self, prctl};

const USAGE: &str = "usage: berth-supervisor launch --uid N --gid N [--reachable PATH]... -- PROGRAM [ARG]...";
/// Holds a few empty directories.
const STAND_IN_OPTIONS: [&str; 4] = ["mode=0755", "size=64k", "nr_inodes=1k", "source=berth"];
/// Past the last capability of any kernel.
const CAPABILITIES: u64 = 64;
const PR_CAP_AMBIENT_CLEAR_ALL: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// Runs `berth-supervisor launch ARGS`: becomes the program.
pub fn main(args: &[String]) -> ExitCode {
    let Some((user, reachable, program)) = parse(args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let error = match isolate(Some(user), &reachable).and_then(|()| become_user(user)) {
        Ok(()) => Command::new(&program[0]).args(&program[1..]).exec(),
        Err(error) => error,
    };
    eprintln!("berth-supervisor: can't start {}: {}", program[0], sys::reason(&error));
    ExitCode::from(127)
}

fn parse(args: &[String]) -> Option<(User, Vec<PathBuf>, &[String])> {
    let split = args.iter().position(|arg| arg == "--")?;
    let (options, program) = (&args[..split], &args[split + 1..]);
    let (mut uid, mut gid, mut reachable) = (None, None, Vec::new());
    for pair in options.chunks(2) {
        let [name, value] = pair else { return None };
        match name.as_str() {
            "--uid" => uid = Some(value.parse().ok()?),
            "--gid" => gid = Some(value.parse().ok()?),
            "--reachable" => reachable.push(PathBuf::from(value)),
            _ => return None,
        }
    }
    (!program.is_empty()).then_some((User { uid: uid?, gid: gid? }, reachable, program))
}

/// Gives the calling process a mount namespace of its own. In it, each path of `reachable` that lies below a directory which `user`
/// may not search keeps its place, while the rest of that directory is hidden behind an empty one.
pub fn isolate(user: Option<User>, reachable: &[PathBuf]) -> io::Result<()> {
    sys::unshare(libc::CLONE_NEWNS)?;
    // What the machine mounts and unmounts later is seen here too, never the other way round.
    mount::mount("none", "/", "", libc::MS_REC | libc::MS_SLAVE, "")?;
    drop_namespace_mounts()?;
    let Some(user) = user.filter(|user| user.uid != 0) else { return Ok(()) };
    let mut closed = BTreeSet::new();
    let mut kept: Vec<(PathBuf, OwnedFd)> = Vec::new();
    for path in reachable {
        let path = path.canonicalize().map_err(|error| about(path, &error))?;
        if let Some(ancestor) = first_closed(&path, user)? {
            let source =
                mount::open_path(&path).and_then(|fd| mount::clone_tree(fd.as_fd(), true)).map_err(|error| about(&path, &error))?;
            closed.insert(ancestor);
            kept.push((path, source));
        }
    }
    // An outer path first: an inner one is there already once the outer is in place.
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    for ancestor in &closed {
        stand_in(ancestor).map_err(|error| about(ancestor, &error))?;
    }
    for (path, source) in &kept {
        put_back(path, source).map_err(|error| about(path, &error))?;
    }
    for ancestor in &closed {
        let cover = mount::open_path(ancestor).map_err(|error| about(ancestor, &error))?;
        mount::set_attributes(cover.as_fd(), mount::RDONLY, 0, false).map_err(|error| about(ancestor, &error))?;
    }
    reachable.iter().try_for_each(|path| check_readable(path, user))
}

/// Becomes `user` for good: no other groups, no capabilities, none to be had by running another program.
pub fn become_user(user: User) -> io::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    for capability in 0..CAPABILITIES {
        match prctl(libc::PR_CAPBSET_DROP, capability, 0) {
            // The kernel knows fewer.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            result => result.map(drop)?,
        }
    }
    // SAFETY: no groups: the pointer is not read. The other two calls take no pointers.
    let results = unsafe {
        [libc::setgroups(0, std::ptr::null()), libc::setresgid(user.gid, user.gid, user.gid), libc::setresuid(user.uid, user.uid, user.uid)]
    };
    if results.iter().any(|result| *result < 0) {
        return Err(io::Error::other(format!("the user {}:{} can't be taken: root is needed", user.uid, user.gid)));
    }
    clear_capabilities()?;
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// capset(2): effective, permitted and inheritable sets emptied.
fn clear_capabilities() -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0u32];
    let none = [0u32; 6];
    // SAFETY: the header and the two times three words are laid out as the kernel's structs of version 3.
    sys::check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }).map(drop)
}

/// Namespaces that are bound to files live as long as somebody sees the mount: this process shall not keep any alive.
fn drop_namespace_mounts() -> io::Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let kind = fields.iter().position(|field| *field == "-").and_then(|at| fields.get(at + 1));
        if let (Some(&"nsfs"), Some(point)) = (kind, fields.get(4)) {
            mount::unmount(&mount::unescape(point), libc::MNT_DETACH)?;
        }
    }
    Ok(())
}

/// The outermost directory above `path` that `user` may not search, by its mode (access control lists are not looked at).
fn first_closed(path: &Path, user: User) -> io::Result<Option<PathBuf>> {
    let mut ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
    ancestors.reverse();
    for ancestor in ancestors {
        if !permits(ancestor, user, 0o1)? {
            return Ok(Some(ancestor.to_owned()));
        }
    }
    Ok(None)
}

/// Whether the mode gives the user all of `wanted` (4 read, 2 write, 1 search or execute).
fn permits(path: &Path, user: User, wanted: u32) -> io::Result<bool> {
    let stat = std::fs::metadata(path).map_err(|error| about(path, &error))?;
    let shift = match () {
        () if stat.uid() == user.uid => 6,
        () if stat.gid() == user.gid => 3,
        () => 0,
    };
    Ok((stat.mode() >> shift) & wanted == wanted)
}

fn stand_in(directory: &Path) -> io::Result<()> {
    let cover = mount::new_detached(c"tmpfs", &STAND_IN_OPTIONS, mount::NOSUID | mount::NODEV)?;
    let target = mount::open_path(directory)?;
    mount::attach(cover.as_fd(), target.as_fd())
}

fn put_back(path: &Path, source: &OwnedFd) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    // A descriptor of O_PATH knows what it leads to without opening it.
    let is_directory = std::fs::metadata(format!("/proc/self/fd/{}", source.as_raw_fd()))?.is_dir();
    if is_directory {
        std::fs::create_dir_all(path)?;
    } else {
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::File::create(path)?;
    }
    let target = mount::open_path(path)?;
    mount::attach(source.as_fd(), target.as_fd())
}

/// A path whose own mode keeps the user out can't be helped by mounts: better said now than found out by the process.
fn check_readable(path: &Path, user: User) -> io::Result<()> {
    let is_directory = std::fs::metadata(path).map_err(|error| about(path, &error))?.is_dir();
    let wanted = if is_directory { 0o5 } else { 0o4 };
    if permits(path, user, wanted)? {
        return Ok(());
    }
    let text =
        format!("{} can't be read by user {}: its mode forbids it (try `chmod -R o+rX {}`)", path.display(), user.uid, path.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {}", path.display(), sys::reason(error)))
}
