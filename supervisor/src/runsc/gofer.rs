//! The process that serves one container's files to the sandbox (`runsc gofer`): it sees nothing but that container's root and mounts.
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::room::{self, Program, Room};
use super::spec::Spec;
use crate::cgroup::Cgroups;
use crate::container::Error;
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
    let program = Program { path: &runtime.binary, args: &args, cgroups, group };
    room::spawn(&program, &fds, libc::CLONE_NEWNS)?;
    Ok(Gofer { connections, mounts })
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
