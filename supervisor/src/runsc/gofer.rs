//! The process that serves one container's files to the sandbox (`runsc gofer`): it sees nothing but that container's root and mounts.
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::room::{self, Room};
use super::spec::Spec;
use crate::cgroup::Cgroups;
use crate::container::config::Config;
use crate::container::{mounts, privileges, rootfs, Error};
use crate::mount;
use crate::protocol::RunscBundle;
use crate::sys;

const MOUNTS_BYTES: usize = 1024 * 1024;
/// The gofer answers within some 40 ms.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Gofer {
    /// The sandbox's ends: the root's, then those of the mounts.
    pub connections: Vec<OwnedFd>,
    /// Gives the list of mounts as the gofer resolved it.
    mounts: OwnedFd,
}

/// Starts a container's gofer in the room, which the calling process has entered.
pub fn start(runtime: &RunscBundle, spec: &Spec, bundle: &str, cgroups: &Cgroups, group: &str) -> io::Result<Gofer> {
    let count = 1 + spec.gofer_mounts();
    let pairs = (0..count).map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>()?;
    let (connections, served): (Vec<OwnedFd>, Vec<OwnedFd>) = pairs.into_iter().map(|(ours, theirs)| (ours.into(), theirs.into())).unzip();
    let (mounts, mounts_write) = sys::pipe()?;
    let text = memory_file(&serde_json::to_vec(spec.value()).map_err(io::Error::other)?)?;
    let null: OwnedFd = File::open("/dev/null")?.into();

    let mut args = room::command(runtime);
    args[0] = "runsc-gofer".to_string();
    args.extend(["gofer".to_string(), format!("--bundle={bundle}")]);
    args.push(format!("--gofer-mount-confs={}", vec!["lisafs:none"; count].join(",")));
    args.extend(["--spec-fd=3".to_string(), "--mounts-fd=4".to_string()]);
    args.extend((0..count).map(|index| format!("--io-fds={}", 5 + index)));
    let mut fds: Vec<BorrowedFd> = vec![null.as_fd(), null.as_fd(), null.as_fd(), text.as_fd(), mounts_write.as_fd()];
    fds.extend(served.iter().map(AsFd::as_fd));
    // Its root is made and its rights are given up before it begins: it would start itself anew for each of the two.
    args.extend(["--setup-root=false", "--apply-caps=false"].map(str::to_string));
    let birthplace = cgroups.birthplace(group).map_err(io::Error::other)?;
    let cloned = sys::clone3(libc::CLONE_NEWNS as u64, birthplace.as_ref().map(AsFd::as_fd))?;
    if cloned.is_none() {
        let Err(error) = become_gofer(&runtime.binary, &args, (bundle, spec), (cgroups, group), &fds);
        let (Error::Create(why) | Error::Start(why)) = error;
        let _ = sys::write_all(mounts_write.as_fd(), format!("{FAILED}{why}").as_bytes());
        sys::exit_now(127)
    }
    Ok(Gofer { connections, mounts })
}

/// What begins with this on the pipe of the mounts is why there are none.
const FAILED: char = '!';
const MIN_ADDR: &str = "/proc/sys/vm/mmap_min_addr";
/// As runsc gives them (goferCaps there).
const CAPABILITIES: [&str; 6] = ["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "SYS_CHROOT"];

fn become_gofer(
    binary: &str,
    args: &[String],
    (bundle, spec): (&str, &Spec),
    (cgroups, group): (&Cgroups, &str),
    fds: &[BorrowedFd],
) -> Result<Infallible, Error> {
    let failed = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
    let file = || failed("start gVisor's file server");
    cgroups.join(group).map_err(|e| Error::Create(e.to_string()))?;
    let args = args.iter().map(|arg| sys::c_string(arg.as_bytes())).collect::<io::Result<Vec<_>>>().map_err(file())?;
    let program = sys::high(File::open(binary).map_err(file())?.as_fd(), fds.len() as i32).map_err(file())?;
    enter_root(bundle, spec)?;
    sys::set_descriptors(fds).map_err(file())?;
    sys::reset_signals();
    privileges::keep_only(&CAPABILITIES)?;
    sys::prctl(libc::PR_SET_DUMPABLE, 1, 0).map_err(file())?;
    sys::exec_descriptor(program.as_fd(), &args, Some(&[])).map_err(file())?;
    Err(Error::Create("gVisor's file server did not start".to_string()))
}

/// Makes a root of its own in the calling process's mount namespace, as runsc has it: the container's with all that is bound into it at
/// /root, this process's descriptors at /proc/fs, and nothing else.
fn enter_root(bundle: &str, spec: &Spec) -> Result<(), Error> {
    let failed = |e: io::Error| Error::Create(format!("cannot make the root of gVisor's file server: {}", sys::reason(&e)));
    let config: Config = serde_json::from_value(spec.value().clone()).map_err(|e| Error::Create(e.to_string()))?;
    // Some directory that every machine has; nobody else sees this mount.
    let top = Path::new("/proc/fs");
    let place = |name: &str| top.join(name).to_string_lossy().into_owned();
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount::mount("runsc-root", &place(""), "tmpfs", flags, "mode=755,size=64k").map_err(failed)?;
    for name in ["proc", "proc/fs", "proc/sys", "proc/sys/vm", "root", "etc"] {
        std::fs::create_dir(place(name)).map_err(failed)?;
    }
    // The one file of the machine that every runsc reads when it begins.
    std::fs::write(place(&MIN_ADDR[1..]), "").map_err(failed)?;
    mount::mount(MIN_ADDR, &place(&MIN_ADDR[1..]), "", libc::MS_BIND, "").map_err(failed)?;
    mount::mount("/proc/self/fd", &place("proc/fs"), "", libc::MS_BIND, "").map_err(failed)?;
    mount::mount(bundle, &place("root"), "", libc::MS_BIND | libc::MS_REC, "").map_err(failed)?;
    let root = mount::open_path(Path::new(&place("root"))).map_err(failed)?;
    mounts::bind_all(root.as_fd(), &config.mounts)?;
    if config.root.readonly {
        mount::set_attributes(root.as_fd(), mount::RDONLY | mount::NOSUID | mount::NODEV, 0, false).map_err(failed)?;
    }
    rootfs::pivot(mount::open_path(top).map_err(failed)?.as_fd())
}

impl Gofer {
    /// The container's mounts with all links followed, once the gofer has made them.
    pub fn mounts(&self) -> Result<serde_json::Value, Error> {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let mut entry = [sys::poll_entry(self.mounts.as_fd(), libc::POLLIN)];
            let read = sys::poll(&mut entry, PATIENCE.as_millis() as i32).and_then(|()| match entry[0].revents {
                0 => Err(io::ErrorKind::TimedOut.into()),
                _ => sys::read(self.mounts.as_fd(), &mut buffer),
            });
            match read {
                Ok(Some(n)) if n > 0 && text.len() < MOUNTS_BYTES => text.extend_from_slice(&buffer[..n]),
                Ok(_) => break,
                Err(e) => return Err(Error::Create(format!("gVisor's file server does not start: {}", sys::reason(&e)))),
            }
        }
        if let Some(why) = text.strip_prefix(&[FAILED as u8]) {
            return Err(Error::Create(String::from_utf8_lossy(why).into_owned()));
        }
        serde_json::from_slice(&text).map_err(|_| {
            // It says why only into its log, which is nowhere: the usual reason is a mount point that can't be made.
            Error::Create("gVisor's file server could not make the container's mounts".to_string())
        })
    }
}

fn memory_file(text: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: the name ends with NUL; the descriptor that comes back is ours alone.
    let fd =
        unsafe { OwnedFd::from_raw_fd(sys::check(libc::c_long::from(libc::memfd_create(c"spec".as_ptr(), libc::MFD_CLOEXEC)))? as i32) };
    let mut file = File::from(fd);
    file.write_all(text)?;
    file.rewind()?;
    Ok(file.into())
}

/// The calling process goes into the room, so that what it starts is in there.
pub fn enter(room: &Room) -> Result<(), Error> {
    room.enter().map_err(|e| Error::Create(format!("cannot enter the sandbox's namespaces: {}", sys::reason(&e))))
}
