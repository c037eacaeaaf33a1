//! QEMU's openings of `/dev/fd/N`, answered by its monitor. The room has no /proc, so such a path leads nowhere in there; and it must not:
//! opened anew by its own rights, the memory of a template would have to be a file that QEMU's user may write to, and a QEMU that a guest
//! took over could write into the machines of every task to come.
//!
//! So a seccomp filter hands every openat to the monitor (seccomp_unotify(2)). What is one of the bundle's files is opened by the monitor
//! as the bundle says, reading only where it says `read`, even when QEMU asks for more: a private mapping needs no more than that. All
//! other openings go on in the kernel, by QEMU's own rights.
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::mount::path_of;
use crate::protocol::FileMode;
use crate::sys::{self, check};

const NEW_LISTENER: libc::c_ulong = 8;
// linux/seccomp.h: _IOWR('!', 0, 80), _IOWR('!', 1, 24), _IOW('!', 3, 24).
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const ADD_FD: libc::c_ulong = 0x4018_2103;
const ADD_FD_SEND: u32 = 2;
const CONTINUE: u32 = 1;
const PREFIX: &[u8] = b"/dev/fd/";
/// The prefix, three digits, and the NUL.
const PATH_BYTES: usize = 12;
const PAGE: u64 = 4096;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// struct seccomp_notif.
#[repr(C)]
#[derive(Default)]
struct Notice {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction: u64,
    args: [u64; 6],
}

/// struct seccomp_notif_resp.
#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// struct seccomp_notif_addfd.
#[repr(C)]
struct AddFd {
    id: u64,
    flags: u32,
    source: u32,
    number: u32,
    number_flags: u32,
}

/// What a QEMU that was taken over could want of the kernel, and QEMU itself never does. Its own filter (-sandbox) lets some of it pass;
/// and all machines are one user, whose keys they would share.
const DENIED: [libc::c_long; 14] = [
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
];

fn program() -> Vec<libc::sock_filter> {
    let op = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |at: u32| op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at);
    let skip_unless = |number: libc::c_long, count: u8| op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, count, number as u32);
    let answer = |with: u32| op(libc::BPF_RET | libc::BPF_K, 0, 0, with);
    let errno = |number: i32| answer(libc::SECCOMP_RET_ERRNO | number as u32);
    // seccomp_data: nr at 0, arch at 4, the low half of the first argument at 16.
    let is_ours = op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, AUDIT_ARCH);
    let mut out = vec![load(4), is_ours, answer(libc::SECCOMP_RET_KILL_PROCESS), load(0)];
    // x32 on x86-64: the same calls by other numbers.
    out.extend([op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, 0x4000_0000), errno(libc::ENOSYS)]);
    out.extend([skip_unless(libc::SYS_openat, 1), answer(libc::SECCOMP_RET_USER_NOTIF)]);
    for denied in DENIED {
        out.extend([skip_unless(denied, 1), errno(libc::EPERM)]);
    }
    // Its flags can't be seen here; the C library falls back to clone.
    out.extend([skip_unless(libc::SYS_clone3, 1), errno(libc::ENOSYS)]);
    let user_namespace = op(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, libc::CLONE_NEWUSER as u32);
    out.extend([skip_unless(libc::SYS_clone, 3), load(16), user_namespace, errno(libc::EPERM)]);
    out.push(answer(libc::SECCOMP_RET_ALLOW));
    out
}

/// Installs the filter in the calling process, which has set no_new_privs, and gives what the monitor listens on.
pub fn install() -> io::Result<OwnedFd> {
    let mut filters = program();
    let program = libc::sock_fprog { len: filters.len() as u16, filter: filters.as_mut_ptr() };
    // SAFETY: `program` describes a live array of filters, which the kernel copies.
    let fd = check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, NEW_LISTENER, &program) })?;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// The monitor's end.
pub struct Opens {
    listener: OwnedFd,
    /// By their numbers in QEMU. Open as they were when the machine was made: a name may have changed hands since.
    files: Vec<(RawFd, OwnedFd, FileMode)>,
}

impl Opens {
    pub fn new(listener: OwnedFd, files: Vec<(RawFd, OwnedFd, FileMode)>) -> Opens {
        Opens { listener, files }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Answers one opening. What goes wrong here is QEMU's to find out.
    pub fn answer(&self) {
        let mut notice = Notice::default();
        // SAFETY: the kernel fills a struct seccomp_notif, whose size and layout `Notice` has.
        if unsafe { libc::ioctl(self.listener.as_raw_fd(), RECEIVE as _, &mut notice) } != 0 {
            return; // whoever asked was killed
        }
        let path = read_path(notice.pid as i32, notice.args[1]);
        let given = number(&path).and_then(|n| self.files.iter().find(|(number, ..)| *number == n));
        let outcome = given.map(|(_, file, mode)| open_again(file.as_fd(), *mode));
        let answer = match outcome {
            Some(Ok(file)) => {
                let cloexec = notice.args[2] as u32 & libc::O_CLOEXEC as u32;
                let add = AddFd { id: notice.id, flags: ADD_FD_SEND, source: file.as_raw_fd() as u32, number: 0, number_flags: cloexec };
                // SAFETY: the kernel reads a struct seccomp_notif_addfd, which `AddFd` is; `file` lives on.
                if unsafe { libc::ioctl(self.listener.as_raw_fd(), ADD_FD as _, &add) } >= 0 {
                    return;
                }
                Answer { id: notice.id, value: 0, error: -libc::EMFILE, flags: 0 }
            }
            Some(Err(e)) => Answer { id: notice.id, value: 0, error: -e.raw_os_error().unwrap_or(libc::EIO), flags: 0 },
            // The kernel goes on with whatever the path says by then, which is all the same: the process has no more rights by it.
            None => Answer { id: notice.id, value: 0, error: 0, flags: CONTINUE },
        };
        // SAFETY: the kernel reads a struct seccomp_notif_resp, which `Answer` is.
        unsafe { libc::ioctl(self.listener.as_raw_fd(), SEND as _, &answer) };
    }
}

/// A new opening of the same file, with an offset of its own.
fn open_again(file: BorrowedFd, mode: FileMode) -> io::Result<File> {
    OpenOptions::new().read(mode != FileMode::Write).write(mode != FileMode::Read).open(path_of(file))
}

/// What stands at `address` of the process, as far as a path of ours may reach. Empty when it can't be read.
fn read_path(pid: i32, address: u64) -> Vec<u8> {
    let mut buffer = [0u8; PATH_BYTES];
    let first = (PATH_BYTES as u64).min(PAGE - address % PAGE) as usize;
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: PATH_BYTES };
    // Two pieces when a page ends in between: the second may not be there.
    let remote = [(0, first), (first, PATH_BYTES - first)]
        .map(|(at, length)| libc::iovec { iov_base: address.wrapping_add(at as u64) as *mut libc::c_void, iov_len: length });
    // SAFETY: `buffer` is writable for its length; the other process's memory is only read, by the kernel.
    let read = unsafe { libc::process_vm_readv(pid, &local, 1, remote.as_ptr(), 2, 0) };
    let read = usize::try_from(read).unwrap_or(0);
    buffer[..read].iter().copied().take_while(|byte| *byte != 0).collect()
}

/// The N of `/dev/fd/N`.
fn number(path: &[u8]) -> Option<RawFd> {
    let digits = path.strip_prefix(PREFIX)?;
    let is_number = (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// Sends a descriptor over a Unix socket, with one byte.
pub fn send_descriptor(socket: BorrowedFd, fd: BorrowedFd) -> io::Result<()> {
    with_message(|message, control| {
        // SAFETY: `control` has room for one header and one descriptor, and is what `message` points at.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd.as_raw_fd());
        }
        let _ = control;
        // SAFETY: all that `message` points at lives on.
        check(unsafe { libc::sendmsg(socket.as_raw_fd(), message, libc::MSG_NOSIGNAL) } as libc::c_long).map(drop)
    })
}

/// Receives bytes, and a descriptor if one came along.
pub fn receive(socket: BorrowedFd, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    with_message(|message, _| {
        let part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        message.msg_iov = std::ptr::from_ref(&part).cast_mut();
        // SAFETY: all that `message` points at is writable and lives on.
        let length = check(unsafe { libc::recvmsg(socket.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC) } as libc::c_long)?;
        // SAFETY: the kernel filled the control buffer up to msg_controllen; CMSG_FIRSTHDR looks at that. A descriptor that came is ours.
        let fd = unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            let came = !header.is_null() && (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS;
            came.then(|| OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned()))
        };
        Ok((length as usize, fd))
    })
}

/// Runs `work` with a message of one byte that has room for one descriptor.
fn with_message<T>(work: impl FnOnce(&mut libc::msghdr, &mut [u64; 4]) -> T) -> T {
    let mut byte = 0u8;
    let part = libc::iovec { iov_base: std::ptr::from_mut(&mut byte).cast(), iov_len: 1 };
    let mut control = [0u64; 4];
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = std::ptr::from_ref(&part).cast_mut();
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: no pointers.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as _;
    work(&mut message, &mut control)
}

pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for two descriptors.
    sys::check(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr()) }.into())?;
    // SAFETY: both were just made for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_paths() {
        for (path, expected) in [("/dev/fd/13", Some(13)), ("/dev/fd/255", Some(255)), ("/dev/fd/3", Some(3))] {
            assert_eq!(number(path.as_bytes()), expected, "{path}");
        }
        for path in ["/dev/fd/", "/dev/fd/1x", "/dev/fd/-1", "/dev/fd/1234", "/dev/fdset/1", "dev/fd/1", ""] {
            assert_eq!(number(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn reads_a_path_that_ends_with_its_page() {
        // SAFETY: a fresh anonymous mapping of two pages; the second is taken away.
        let page = unsafe {
            let size = 2 * PAGE as usize;
            let at =
                libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            assert_ne!(at, libc::MAP_FAILED);
            libc::munmap(at.byte_add(PAGE as usize), PAGE as usize);
            at
        };
        let path = b"/dev/fd/7\0";
        let at = page as usize + PAGE as usize - path.len();
        // SAFETY: the last bytes of the page that is still there.
        unsafe { std::ptr::copy_nonoverlapping(path.as_ptr(), at as *mut u8, path.len()) };
        let own = std::process::id() as i32;
        assert_eq!(read_path(own, at as u64), b"/dev/fd/7");
        assert_eq!(read_path(own, 8), b"");
    }

    /// Tried in a child that never execs: it ends with the number of the first thing that went through, or with that of success.
    #[test]
    fn what_qemu_never_wants_is_denied() {
        use std::os::unix::process::CommandExt;
        const FINE: i32 = 99;
        let attempts = || {
            sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)?;
            let listener = install()?;
            let denied = |ret: libc::c_long, errno: i32| ret == -1 && io::Error::last_os_error().raw_os_error() == Some(errno);
            // SAFETY: no pointers but null ones; each call is refused before the kernel looks at them.
            let calls = unsafe {
                [
                    denied(libc::syscall(libc::SYS_unshare, libc::CLONE_NEWUSER), libc::EPERM),
                    denied(libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0), libc::EPERM),
                    denied(libc::syscall(libc::SYS_clone3, 0, 0), libc::ENOSYS),
                    denied(libc::syscall(libc::SYS_keyctl, 0, -3, 0), libc::EPERM),
                    denied(libc::syscall(libc::SYS_pidfd_getfd, 0, 0, 0), libc::EPERM),
                    denied(libc::syscall(0x4000_0000 | libc::SYS_getpid), libc::ENOSYS),
                    libc::syscall(libc::SYS_getppid) > 0,
                ]
            };
            drop(listener);
            let first = calls.iter().position(|fine| !fine).map_or(FINE, |at| 100 + at as i32);
            Err(io::Error::from_raw_os_error(first))
        };
        // SAFETY: the closure makes system calls only.
        let error = unsafe { std::process::Command::new("/bin/true").pre_exec(attempts) }.spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(FINE));
    }

    #[test]
    fn a_descriptor_comes_through_a_socket() {
        let (a, b) = socket_pair().unwrap();
        let (read, write) = sys::pipe().unwrap();
        send_descriptor(a.as_fd(), write.as_fd()).unwrap();
        drop((write, a));
        let mut buffer = [0; 16];
        let (length, fd) = receive(b.as_fd(), &mut buffer).unwrap();
        assert_eq!(length, 1);
        sys::write_all(fd.unwrap().as_fd(), b"through").unwrap();
        assert_eq!(sys::read(read.as_fd(), &mut buffer).unwrap(), Some(7));
        assert!(matches!(receive(b.as_fd(), &mut buffer), Ok((0, None))));
    }
}
