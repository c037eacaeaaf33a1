//! What a QEMU process may see and do: from the clone to its exec. Whoever breaks out of the guest finds an empty room.
//!
//! Its root is the room (read-only: QEMU, its libraries, firmware), with the machine's directory on /vm and two or three device nodes
//! in /dev. There is no /proc and no network; it is a user of its own, without a capability, and can win none.
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::opens;
use crate::cgroup::Cgroups;
use crate::container::{privileges, rootfs};
use crate::mount::{self, open_in_root, open_path};
use crate::protocol::VmBundle;
use crate::sys::{self, c_string, check};

/// Descriptors that a bundle may ask for lie below; everything of ours is kept above until exec closes it.
pub const HIGHEST_FD: RawFd = 255;
const OPEN_FILES: u64 = 4096;
const HOSTNAME: &str = "berth-vm";

pub struct Jail<'a> {
    pub vm: &'a VmBundle,
    pub cgroups: &'a Cgroups,
    /// The number that each is to have in QEMU.
    pub fds: Vec<(RawFd, OwnedFd)>,
    /// Takes the place of standard output and error.
    pub output: OwnedFd,
    /// A socket: gives the monitor the listener for QEMU's openings, and tells it why something failed. Closed by exec.
    pub status: OwnedFd,
}

impl Jail<'_> {
    /// Becomes QEMU. Runs in the first process of its namespaces.
    pub fn enter(mut self) -> ! {
        let moved = above(self.status.as_fd()).map(|status| self.status = status).map_err(|e| e.to_string());
        let Err(reason) = moved.and_then(|()| self.become_qemu());
        // If the monitor is gone nobody wants to know.
        let _ = sys::write_all(self.status.as_fd(), reason.as_bytes());
        sys::exit_now(127)
    }

    fn become_qemu(&self) -> Result<Infallible, String> {
        let failed = |what: &'static str| move |e: io::Error| format!("cannot {what}: {}", sys::reason(&e));
        self.own_process().map_err(failed("prepare the process"))?;
        self.cgroups.join(&self.vm.cgroup.path).map_err(|e| e.to_string())?;
        // The monitor's own protection is not for QEMU.
        std::fs::write("/proc/self/oom_score_adj", "0").map_err(failed("set the OOM score"))?;
        sys::set_hostname(HOSTNAME).map_err(failed("set the host name"))?;
        self.make_root()?;
        self.place_descriptors().map_err(failed("place the descriptors"))?;
        std::env::set_current_dir("/vm").map_err(failed("enter /vm"))?;
        privileges::limit("CORE", 0).and_then(|()| privileges::limit("NOFILE", OPEN_FILES)).map_err(|e| e.to_string())?;
        privileges::drop_to_user(self.vm.uid, self.vm.gid).map_err(|e| e.to_string())?;
        // A change of ids forgot it; the monitor may have died since.
        sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0).map_err(failed("tie QEMU to its monitor"))?;
        end_without_reader(self.status.as_fd()).map_err(failed("look for the monitor"))?;
        sys::reset_signals();
        // From here on the monitor must answer for every file that is opened, and it only does when exec has closed the status.
        let listener = opens::install().map_err(failed("watch over what QEMU opens (Linux 5.14 or newer is wanted)"))?;
        opens::send_descriptor(self.status.as_fd(), listener.as_fd()).map_err(failed("hand over QEMU's openings"))?;
        exec(&self.vm.program, &self.vm.args)
            .map_err(|e| format!("cannot start {} in {}: {}", self.vm.program, self.vm.room, sys::reason(&e)))
    }

    fn own_process(&self) -> io::Result<()> {
        sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0)?;
        end_without_reader(self.status.as_fd())?;
        // SAFETY: no pointers.
        unsafe {
            libc::setsid();
            libc::umask(0);
        }
        for number in [1, 2] {
            sys::dup_to(self.output.as_fd(), number)?;
        }
        Ok(())
    }

    fn make_root(&self) -> Result<(), String> {
        let failed = |what: String| move |e: io::Error| format!("cannot {what}: {}", sys::reason(&e));
        let place = |path: &str| open_path(Path::new(path)).map_err(failed(format!("open {path}")));
        mount::mount("", "/", "", libc::MS_REC | libc::MS_PRIVATE, "").map_err(failed("detach the mount namespace".to_string()))?;
        let (room, dir) = (place(&self.vm.room)?, place(&self.vm.dir)?);
        bind(room.as_fd(), room.as_fd(), mount::RDONLY | mount::NOSUID | mount::NODEV)
            .map_err(failed(format!("mount the room {}", self.vm.room)))?;
        let root = place(&self.vm.room)?;
        let inside = |path: &str| {
            let opened = open_in_root(root.as_fd(), Path::new(path), libc::O_PATH | libc::O_DIRECTORY, 0);
            opened.map_err(failed(format!("open {path} in the room {}", self.vm.room)))
        };
        bind(dir.as_fd(), inside("vm")?.as_fd(), mount::NOSUID | mount::NODEV | mount::NOEXEC)
            .map_err(failed("mount the machine's directory".to_string()))?;
        self.make_devices(inside("dev")?.as_fd()).map_err(failed("make the room's devices".to_string()))?;
        rootfs::pivot(root.as_fd()).map_err(|e| e.to_string())
    }

    /// Nodes of our own: the machine's /dev/kvm may belong to a group, or to root alone.
    fn make_devices(&self, dev: BorrowedFd) -> io::Result<()> {
        let files = mount::new_detached(c"tmpfs", &["mode=755", "size=4k", "nr_inodes=8"], mount::NOSUID | mount::NOEXEC)?;
        let node = |name: &std::ffi::CStr, mode: u32, device: libc::dev_t| {
            // SAFETY: `name` ends with NUL.
            check(unsafe { libc::mknodat(files.as_raw_fd(), name.as_ptr(), libc::S_IFCHR | mode, device) }.into()).map(drop)
        };
        node(c"null", 0o666, libc::makedev(1, 3))?;
        node(c"urandom", 0o444, libc::makedev(1, 9))?;
        if self.vm.kvm {
            node(c"kvm", 0o600, std::fs::metadata("/dev/kvm")?.rdev())?;
            // SAFETY: the name ends with NUL.
            check(unsafe { libc::fchownat(files.as_raw_fd(), c"kvm".as_ptr(), self.vm.uid, self.vm.gid, 0) }.into())?;
        }
        mount::set_attributes(files.as_fd(), mount::RDONLY, 0, false)?;
        mount::attach(files.as_fd(), dev)
    }

    /// Gives every descriptor its number and closes what is not QEMU's.
    fn place_descriptors(&self) -> io::Result<()> {
        let all = self.fds.iter().map(|(number, fd)| Ok((*number, above(fd.as_fd())?))).collect::<io::Result<Vec<_>>>()?;
        // SAFETY: what lies there is closed by nobody in this process afterwards: it ends by exec or _exit.
        unsafe { libc::syscall(libc::SYS_close_range, 3, HIGHEST_FD, 0) };
        for (number, fd) in &all {
            sys::dup_to(fd.as_fd(), *number)?;
        }
        Ok(())
    }
}

fn end_without_reader(pipe: BorrowedFd) -> io::Result<()> {
    let mut reader = [sys::poll_entry(pipe, 0)];
    sys::poll(&mut reader, 0)?;
    if reader[0].revents & libc::POLLERR != 0 {
        sys::exit_now(127)
    }
    Ok(())
}

/// A copy above all numbers that QEMU gets; exec closes it.
fn above(fd: BorrowedFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let copy = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, HIGHEST_FD + 1) }.into())?;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as RawFd) })
}

fn bind(source: BorrowedFd, target: BorrowedFd, attributes: u64) -> io::Result<()> {
    let tree = mount::clone_tree(source, false)?;
    mount::set_attributes(tree.as_fd(), attributes, 0, false)?;
    mount::attach(tree.as_fd(), target)
}

/// Comes back only with the reason why not. The environment is empty.
fn exec(program: &str, args: &[String]) -> io::Result<Infallible> {
    let program = c_string(program.as_bytes())?;
    let args = args.iter().map(|arg| c_string(arg.as_bytes())).collect::<io::Result<Vec<_>>>()?;
    let mut pointers = vec![program.as_ptr()];
    pointers.extend(args.iter().map(|arg| arg.as_ptr()));
    pointers.push(std::ptr::null());
    let environment: [*const libc::c_char; 1] = [std::ptr::null()];
    // SAFETY: `program` ends with NUL; both lists end with null and point at C strings that live on.
    unsafe { libc::execve(program.as_ptr(), pointers.as_ptr(), environment.as_ptr()) };
    Err(io::Error::last_os_error())
}
