//! Files as block devices (loop(4)), and the file systems on them.
//!
//! Nothing here has to be undone by hand: a device is cleared by the kernel (LO_FLAGS_AUTOCLEAR) once its last user lets go, be that a
//! descriptor or a mount, and however it ends. Where the file has no name any more its space goes with it.
use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::mount;
use crate::sys::{self, c_path, check};

const CONTROL: &str = "/dev/loop-control";
const MAJOR: u32 = 7;
// linux/loop.h
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
const LO_FLAGS_DIRECT_IO: u32 = 16;
/// Between asking for a free device and taking it somebody else may have taken it.
const TRIES: u32 = 1000;

#[repr(C)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// How a file is made a device.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attach {
    pub read_only: bool,
    /// Of a sector; 0: the kernel's own choice, 512. A file system must have been made for it.
    pub block_size: u32,
    /// Past the page cache, which would hold everything twice; where the file's own file system can't, the kernel goes without.
    pub direct: bool,
}

/// A device with a file behind it, as long as this lives or it is mounted.
pub struct Device {
    /// Held open, so that it isn't cleared before it is mounted.
    _held: File,
    path: PathBuf,
}

impl Device {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes `file` a device. Fails with ENOENT or EACCES where this machine (or the container it is) has no loop devices to give.
pub fn attach(file: &File, how: Attach) -> io::Result<Device> {
    let control = OpenOptions::new().read(true).write(true).open(CONTROL)?;
    for _ in 0..TRIES {
        // SAFETY: no pointers.
        let number = check(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) }.into())? as u32;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = open_device(&path, number, how.read_only)?;
        match configure(&device, file, how) {
            Ok(()) => return Ok(Device { _held: device, path }),
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

/// In a container /dev may not know a device that the kernel just made.
fn open_device(path: &Path, number: u32, read_only: bool) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).write(!read_only).custom_flags(libc::O_CLOEXEC).open(path);
    match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let text = c_path(path)?;
    // SAFETY: `text` ends with NUL.
    match check(unsafe { libc::mknod(text.as_ptr(), libc::S_IFBLK | 0o600, libc::makedev(MAJOR, number)) }.into()) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => open(),
    }
}

fn configure(device: &File, file: &File, how: Attach) -> io::Result<()> {
    let flags = LO_FLAGS_AUTOCLEAR | if how.read_only { LO_FLAGS_READ_ONLY } else { 0 } | if how.direct { LO_FLAGS_DIRECT_IO } else { 0 };
    // SAFETY: plain numbers, for which all zeros is a value.
    let mut config: LoopConfig = unsafe { std::mem::zeroed() };
    config.fd = file.as_raw_fd() as u32;
    config.block_size = how.block_size;
    config.info.flags = flags;
    // SAFETY: `config` is laid out as the kernel's struct loop_config.
    check(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &config) }.into()).map(drop)
}

/// The file system of `kind` in `image`, mounted nowhere yet: `mount::attach` gives it its place. It lives as long as a mount of it or this
/// descriptor. `options` as `mount::new_detached` takes them; `attributes`: `mount::RDONLY` and its like.
pub fn mount_image(image: &File, kind: &CStr, how: Attach, options: &[&str], attributes: u64) -> io::Result<OwnedFd> {
    let device = attach(image, how)?;
    let source = format!("source={}", device.path().display());
    let all: Vec<&str> = std::iter::once(source.as_str()).chain(options.iter().copied()).collect();
    mount::new_detached(kind, &all, attributes)
}

/// Whether this machine has loop devices to give, and else why not, in words for its administrator.
pub fn available() -> Result<(), String> {
    OpenOptions::new().read(true).write(true).open(CONTROL).map(drop).map_err(|e| format!("{CONTROL} can't be opened: {}", sys::reason(&e)))
}
