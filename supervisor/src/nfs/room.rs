//! What a server may see and do: its volumes as descriptors, an empty root with nothing but its own /proc, no network but the sockets that
//! it listens on, root's rights over files and over ids, and the system calls that it makes.
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use super::creds::Creds;
use super::server::{serve, Server, Volume};
use crate::cgroup::Cgroups;
use crate::container::{privileges, rootfs};
use crate::mount::{self, open_path};
use crate::protocol::FilesBundle;
use crate::{seccomp, sys};

/// Of a server's own; the kernel gives and takes those over files with the user that it acts as.
const CAPABILITIES: [&str; 6] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID", "SETGID"];
const OPEN_FILES: u64 = 64 * 1024;
pub(crate) const CALLS: [&str; 90] = [
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "openat",
    "open",
    "close",
    "fstat",
    "newfstatat",
    "statx",
    "fstatfs",
    "statfs",
    "getdents64",
    "lseek",
    "mkdirat",
    "unlinkat",
    "renameat",
    "renameat2",
    "linkat",
    "symlinkat",
    "readlinkat",
    "readlink",
    "mknodat",
    "fchmod",
    "fchmodat",
    "chmod",
    "fchown",
    "fchownat",
    "utimensat",
    "ftruncate",
    "fsync",
    "fdatasync",
    "flock",
    "fcntl",
    "setfsuid",
    "setfsgid",
    "setgroups",
    "faccessat",
    "faccessat2",
    "futex",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "brk",
    "clone",
    "clone3",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "set_robust_list",
    "rseq",
    "set_tid_address",
    "arch_prctl",
    "sched_getaffinity",
    "sched_yield",
    "exit",
    "exit_group",
    "clock_gettime",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "getpid",
    "gettid",
    "tgkill",
    "getuid",
    "geteuid",
    "accept4",
    "accept",
    "recvfrom",
    "recvmsg",
    "sendto",
    "sendmsg",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "getsockname",
    "getpeername",
    "poll",
    "ppoll",
    "prlimit64",
    "getrandom",
    "restart_syscall",
    "dup",
    "prctl",
    "membarrier",
];

/// Becomes the server, in the first process of its namespaces. A byte on `ready` says that it serves; anything else on it is why not.
pub fn enter(files: &FilesBundle, cgroups: &Cgroups, listener: &TcpListener, ready: &OwnedFd) -> ! {
    let why = match prepare(files, cgroups, listener, ready) {
        Err(why) => why,
        Ok(server) => {
            let _ = sys::write_all(ready.as_fd(), b"\n");
            match serve(listener, server) {
                Err(e) => sys::reason(&e),
                Ok(()) => "it ended".to_string(),
            }
        }
    };
    let _ = sys::write_all(ready.as_fd(), why.as_bytes());
    sys::exit_now(1)
}

fn prepare(files: &FilesBundle, cgroups: &Cgroups, listener: &TcpListener, ready: &OwnedFd) -> Result<Server, String> {
    let failed = |what: &'static str| move |e: io::Error| format!("cannot {what}: {}", sys::reason(&e));
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0).map_err(failed("tie the server to its keeper"))?;
    sys::set_name(c"berth-nfs");
    sys::keep_only(&[listener.as_fd(), ready.as_fd()]);
    sys::reset_signals();
    // SAFETY: no pointers. A client that goes away while it is answered is told by the call.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::umask(0);
    }
    cgroups.join(&files.cgroup.path).map_err(|e| e.to_string())?;
    std::fs::write("/proc/self/oom_score_adj", "0").map_err(failed("set the OOM score"))?;
    mount::mount("", "/", "", libc::MS_REC | libc::MS_PRIVATE, "").map_err(failed("detach the mount namespace"))?;
    let volumes = files.volumes.iter().map(open_volume).collect::<Result<Vec<_>, String>>()?;
    make_root()?;
    privileges::limit("CORE", 0).and_then(|()| privileges::limit("NOFILE", OPEN_FILES)).map_err(|e| e.to_string())?;
    privileges::keep_only(&CAPABILITIES).map_err(|e| e.to_string())?;
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0).map_err(failed("tie the server to its keeper"))?;
    seccomp::allow_only(&CALLS).and_then(|filter| filter.install()).map_err(|e| e.to_string())?;
    Server::new(&files.name, volumes).map_err(failed("open the volumes"))
}

/// A mount of its own, which is nowhere in the file system tree.
fn open_volume(volume: &crate::protocol::FilesVolume) -> Result<Volume, String> {
    let failed = |e: io::Error| format!("cannot open the volume {}: {}", volume.path, sys::reason(&e));
    let tree = mount::clone_tree(open_path(Path::new(&volume.path)).map_err(failed)?.as_fd(), false).map_err(failed)?;
    let read_only = if volume.read_only { mount::RDONLY } else { 0 };
    // Not NOEXEC: the kernel would deny the right to execute to who asks for it.
    let attributes = read_only | mount::NOSUID | mount::NODEV;
    mount::set_attributes(tree.as_fd(), attributes, 0, false).map_err(failed)?;
    let user = volume.user.as_ref().map(|user| Creds { uid: user.uid, gid: user.gid, groups: user.groups.clone() });
    Ok(Volume { root: tree, user })
}

pub(crate) fn make_root() -> Result<(), String> {
    let failed = |e: io::Error| format!("cannot make the server's root: {}", sys::reason(&e));
    let attributes = mount::NOSUID | mount::NODEV | mount::NOEXEC;
    let root = mount::new_detached(c"tmpfs", &["mode=755", "size=4k", "nr_inodes=3"], attributes).map_err(failed)?;
    // SAFETY: the name ends with NUL.
    sys::check(unsafe { libc::mkdirat(root.as_raw_fd(), c"proc".as_ptr(), 0o555) }.into()).map_err(failed)?;
    let own = mount::new_detached(c"proc", &["subset=pid"], attributes | mount::RDONLY).map_err(failed)?;
    // Where every machine has a directory; nobody else sees this mount.
    mount::attach(root.as_fd(), open_path(Path::new("/mnt")).map_err(failed)?.as_fd()).map_err(failed)?;
    let top = open_path(Path::new("/mnt")).map_err(failed)?;
    mount::attach(own.as_fd(), mount::open_in_root(top.as_fd(), Path::new("proc"), libc::O_PATH, 0).map_err(failed)?.as_fd())
        .map_err(failed)?;
    mount::set_attributes(top.as_fd(), mount::RDONLY, 0, false).map_err(failed)?;
    rootfs::pivot(top.as_fd()).map_err(|e| e.to_string())
}
