//! Thin, safe faces of the system calls that the standard library doesn't have.
use std::ffi::{CStr, CString};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a system call gave, or errno.
pub fn check(ret: libc::c_long) -> io::Result<libc::c_long> {
    if ret < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(ret)
    }
}

fn check_int(ret: libc::c_int) -> io::Result<libc::c_int> {
    check(libc::c_long::from(ret)).map(|n| n as libc::c_int)
}

fn owned(ret: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(ret)? as RawFd;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub fn c_string(text: &[u8]) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte inside a path or string"))
}

pub fn c_path(path: &Path) -> io::Result<CString> {
    c_string(path.as_os_str().as_bytes())
}

/// The error's own words without Rust's "(os error N)": `no such file or directory`.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Forks; `Some(pid)` in the parent. Only for single-threaded programs.
pub fn fork() -> io::Result<Option<i32>> {
    // SAFETY: this program has one thread, so the child's copy of all state is whole.
    let pid = check_int(unsafe { libc::fork() })?;
    Ok((pid != 0).then_some(pid))
}

/// libc's constant overflows its type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// clone3 with `flags`, SIGCHLD at the end, and the child put into the cgroup v2 directory `cgroup` at birth. `Some((pid, pidfd))` in
/// the parent. Only for single-threaded programs.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd>) -> io::Result<Option<(i32, OwnedFd)>> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all zeros is a valid clone_args.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(fd) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = fd.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM this is a fork: the child runs on a copy of everything; one thread, as above.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &args, size_of::<libc::clone_args>()) })? as i32;
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: CLONE_PIDFD stored a descriptor that is ours alone.
    Ok(Some((pid, unsafe { OwnedFd::from_raw_fd(pidfd) })))
}

/// Forks a child of this process's own parent. By clone(2), which Docker's seccomp profile lets through where it refuses clone3. Only for
/// single-threaded programs. `Some(pid)`, in the present PID namespace, in the caller.
pub fn fork_sibling() -> io::Result<Option<i32>> {
    let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    // SAFETY: without CLONE_VM this is a fork, as in `clone3`; all pointers are null, so their order (which differs) doesn't matter.
    let pid = check(unsafe {
        libc::syscall(libc::SYS_clone, flags, 0 as libc::c_long, 0 as libc::c_long, 0 as libc::c_long, 0 as libc::c_long)
    })?;
    Ok((pid != 0).then_some(pid as i32))
}

/// Ends the process at once: no destructors, no buffers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for two descriptors.
    check_int(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: both were just made for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

pub fn set_nonblocking(fd: BorrowedFd) -> io::Result<()> {
    // SAFETY: fcntl on a live descriptor, no pointers.
    let flags = check_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    check_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

/// Reads once; `None` when nothing is there yet.
pub fn read(fd: BorrowedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        // SAFETY: `buffer` is writable for its length.
        let n = check(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) } as libc::c_long);
        match n {
            Ok(n) => return Ok(Some(n as usize)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Writes once; `None` when there is no room.
pub fn write(fd: BorrowedFd, data: &[u8]) -> io::Result<Option<usize>> {
    loop {
        // SAFETY: `data` is readable for its length.
        match check(unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len()) } as libc::c_long) {
            Ok(n) => return Ok(Some(n as usize)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Writes all of it to a blocking descriptor.
pub fn write_all(fd: BorrowedFd, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        // SAFETY: `data` is readable for its length.
        match check(unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len()) } as libc::c_long) {
            Ok(n) => data = &data[n as usize..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Makes `fd` also descriptor `number`, which survives exec.
pub fn dup_to(fd: BorrowedFd, number: RawFd) -> io::Result<()> {
    // SAFETY: no pointers; `number` is one of 0..=2, which this program never owns through OwnedFd.
    check_int(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop)
}

/// A copy whose number is `least` or more, which ends at exec.
pub fn high(fd: BorrowedFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl on a live descriptor, no pointers; the descriptor that comes back is ours alone.
    owned(libc::c_long::from(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) }))
}

/// Makes `fds` the descriptors 0, 1, 2, ... that survive exec, and closes all others at exec. Only for a process that goes on to exec.
pub fn set_descriptors(fds: &[BorrowedFd]) -> io::Result<()> {
    let count = fds.len() as RawFd;
    // Out of the way first: one may be where another is to be.
    // SAFETY: fcntl on live descriptors, no pointers.
    let high = |fd: &BorrowedFd| check_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, count.max(3)) });
    let copies = fds.iter().map(high).collect::<io::Result<Vec<_>>>()?;
    for (number, copy) in (0..).zip(copies) {
        // SAFETY: no pointers; what `number` was before is not used any more in this process.
        check_int(unsafe { libc::dup2(copy, number) })?;
    }
    const CLOSE_ON_EXEC: libc::c_uint = 4;
    // SAFETY: no pointers.
    check(unsafe { libc::syscall(libc::SYS_close_range, count, u32::MAX, CLOSE_ON_EXEC) }).map(drop)
}

/// Closes every descriptor from `first` on.
pub fn close_from(first: RawFd) {
    // SAFETY: used only in a fresh child that touches none of its parent's descriptors afterwards.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// Closes every descriptor from 3 on but these two, which are different ones.
pub fn close_all_but_two(one: RawFd, other: RawFd) {
    let (low, high) = (one.min(other), one.max(other));
    // SAFETY: as in `close_from`.
    unsafe {
        if low > 3 {
            libc::syscall(libc::SYS_close_range, 3, low - 1, 0);
        }
        if high > low + 1 {
            libc::syscall(libc::SYS_close_range, low + 1, high - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, high + 1, u32::MAX, 0);
    }
}

/// Lets this process, and those that it starts, open as many files as the kernel allows anybody, or else as many as it may.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open")?.trim().parse().unwrap_or(1 << 20);
    let mut limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: `limit` is readable.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } == 0 {
        return Ok(());
    }
    // SAFETY: `limit` is writable, then readable.
    unsafe {
        check_int(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check_int(libc::setrlimit(libc::RLIMIT_NOFILE, &limit)).map(drop)
    }
}

/// Listens on an address that this machine need not have yet, with a socket of exactly this number. Closed at exec.
pub fn listen_at(address: SocketAddr, backlog: i32, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 {
        return Err(io::Error::other(format!("the descriptor {number} is taken")));
    }
    let (family, level, freebind) = match address {
        SocketAddr::V4(_) => (libc::AF_INET, libc::IPPROTO_IP, libc::IP_FREEBIND),
        SocketAddr::V6(_) => (libc::AF_INET6, libc::IPPROTO_IPV6, libc::IPV6_FREEBIND),
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let socket = owned(libc::c_long::from(unsafe { libc::socket(family, kind, 0) }))?;
    for (level, option) in [(libc::SOL_SOCKET, libc::SO_REUSEADDR), (level, freebind)] {
        let on: libc::c_int = 1;
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: `on` is readable for `size`.
        check_int(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(&on).cast(), size) })?;
    }
    bind(&socket, address)?;
    // SAFETY: no pointers.
    check_int(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    // SAFETY: no pointers; the number was free.
    owned(libc::c_long::from(unsafe { libc::dup3(socket.as_raw_fd(), number, libc::O_CLOEXEC) }))
}

fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let result = match address {
        SocketAddr::V4(v4) => {
            let name = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            // SAFETY: `name` is a whole sockaddr_in.
            unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&name).cast(), size) }
        }
        SocketAddr::V6(v6) => {
            let name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            let size = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            // SAFETY: `name` is a whole sockaddr_in6.
            unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&name).cast(), size) }
        }
    };
    check_int(result).map(drop)
}

/// Lets the descriptor outlive exec.
pub fn survive_exec(fd: BorrowedFd) -> io::Result<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) }).map(drop)
}

/// Lets the descriptor be closed at exec.
pub fn end_at_exec(fd: BorrowedFd) -> io::Result<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }).map(drop)
}

/// Closes every descriptor from 3 on but these.
pub fn keep_only(keep: &[BorrowedFd]) {
    let mut numbers: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).filter(|fd| *fd >= 3).collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers {
        if number > first {
            // SAFETY: as in `close_from`.
            unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0) };
        }
        first = number + 1;
    }
    close_from(first);
}

/// Closes every descriptor from 3 on but `keep`.
pub fn close_all_but(keep: RawFd) {
    // SAFETY: as in `close_from`.
    unsafe {
        if keep > 3 {
            libc::syscall(libc::SYS_close_range, 3, keep - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, keep + 1, u32::MAX, 0);
    }
}

/// Whether the file lies on a file system or a mount that can't be written to.
pub fn is_read_only(file: BorrowedFd) -> io::Result<bool> {
    // SAFETY: `found` is writable, and plain numbers for which zero is valid.
    let found = unsafe {
        let mut found: libc::statvfs = std::mem::zeroed();
        check_int(libc::fstatvfs(file.as_raw_fd(), &mut found))?;
        found
    };
    Ok(found.f_flag & libc::ST_RDONLY != 0)
}

/// Becomes the program behind `file`, with `env` or else this process's environment. Comes back only with the reason why not.
pub fn exec_descriptor(file: BorrowedFd, args: &[CString], env: Option<&[CString]>) -> io::Result<()> {
    let pointers = |strings: &[CString]| {
        let mut all: Vec<*const libc::c_char> = strings.iter().map(|string| string.as_ptr()).collect();
        all.push(std::ptr::null());
        all
    };
    let (args, env) = (pointers(args), env.map(pointers));
    extern "C" {
        static environ: *const *const libc::c_char;
    }
    // SAFETY: the path is an empty C string; both arrays end with null and point at C strings.
    check(unsafe {
        let env = env.as_ref().map_or(environ, |env| env.as_ptr());
        libc::syscall(libc::SYS_execveat, file.as_raw_fd(), c"".as_ptr(), args.as_ptr(), env, libc::AT_EMPTY_PATH)
    })
    .map(drop)
}

pub fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::unshare(flags) }).map(drop)
}

pub fn set_namespace(fd: BorrowedFd, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::setns(fd.as_raw_fd(), kind) }).map(drop)
}

pub fn set_hostname(name: &str) -> io::Result<()> {
    // SAFETY: `name` is readable for its length.
    check_int(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// prctl with plain numbers.
pub fn prctl(option: libc::c_int, a: libc::c_ulong, b: libc::c_ulong) -> io::Result<libc::c_int> {
    // SAFETY: only used with options whose arguments are numbers.
    check_int(unsafe { libc::prctl(option, a, b, 0 as libc::c_ulong, 0 as libc::c_ulong) })
}

pub fn set_name(name: &CStr) {
    // SAFETY: `name` ends with NUL; the kernel copies 16 bytes at most.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

pub fn signal_by_pidfd(pidfd: BorrowedFd, signal: i32) -> io::Result<()> {
    // SAFETY: a null siginfo is allowed.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<u8>(), 0) }).map(drop)
}

pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Blocks every signal and gives a descriptor that reads those in `signals`.
pub fn signal_fd(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: the sets are initialised by sigfillset and sigemptyset before they are read.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        check_int(libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut()))?;
        let mut wanted: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut wanted);
        for signal in signals {
            libc::sigaddset(&mut wanted, *signal);
        }
        owned(libc::c_long::from(libc::signalfd(-1, &wanted, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)))
    }
}

/// The numbers of the signals that are waiting in a signalfd.
pub fn read_signals(fd: BorrowedFd) -> Vec<i32> {
    const SIZE: usize = size_of::<libc::signalfd_siginfo>();
    let mut buffer = [0u8; SIZE * 8];
    let mut found = Vec::new();
    while let Ok(Some(n)) = read(fd, &mut buffer) {
        if n < SIZE {
            break;
        }
        // ssi_signo is the first member, 32 bits.
        found.extend(buffer[..n].chunks_exact(SIZE).map(|s| i32::from_ne_bytes([s[0], s[1], s[2], s[3]])));
    }
    found
}

/// Unblocks every signal and gives each its default action back, as a program expects them after exec.
pub fn reset_signals() {
    // SAFETY: the set is initialised by sigemptyset; SIG_DFL is a valid disposition.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// Reaps one child that has ended: its pid and wait status.
pub fn reap() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: `status` is writable.
    let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
    (pid > 0).then_some((pid, status))
}

/// The exit code as shells have it: 128 + n for signal n.
pub fn exit_code(status: i32) -> i32 {
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        128 + libc::WTERMSIG(status)
    }
}

/// poll; gives up early on a signal. `timeout_ms` below 0 waits for ever.
pub fn poll(fds: &mut [libc::pollfd], timeout_ms: i32) -> io::Result<()> {
    // SAFETY: `fds` is a valid array of its length.
    match check_int(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) }) {
        Err(e) if e.kind() != io::ErrorKind::Interrupted => Err(e),
        _ => Ok(()),
    }
}

pub fn poll_entry(fd: BorrowedFd, events: i16) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 }
}

/// Of the file system that `path` is on.
pub fn used_bytes(path: &Path) -> io::Result<u64> {
    let text = c_path(path)?;
    // SAFETY: statfs is plain data, for which all zeroes is a value.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `text` ends with NUL and `found` is writable.
    check_int(unsafe { libc::statfs(text.as_ptr(), &mut found) })?;
    Ok((found.f_blocks - found.f_bfree) * found.f_bsize as u64)
}

/// Where `byte` first is. The C library looks at many bytes at once.
pub fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    // SAFETY: the range is the slice's own, and only read.
    let found = unsafe { libc::memchr(bytes.as_ptr().cast(), byte.into(), bytes.len()) };
    (!found.is_null()).then(|| found as usize - bytes.as_ptr() as usize)
}

/// Nanoseconds since the epoch.
pub fn realtime_ns() -> u64 {
    clock_ns(libc::CLOCK_REALTIME)
}

/// Nanoseconds of the clock that never jumps.
pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is writable; both clocks always exist.
    unsafe { libc::clock_gettime(clock, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// Gives freed memory back to the kernel.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// syncfs(2): all of the file system that `file` is on.
pub fn sync_file_system(file: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::syncfs(file.as_raw_fd()) }).map(drop)
}
