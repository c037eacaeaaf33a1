//! From the kernel's first process to a machine that waits for its task. Whatever a start can find ready is made here: it is then part
//! of the template that machines are copied from.
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cgroup::Cgroups;
use crate::{mount, net, sys};

/// Name of the virtio-serial port that the host speaks on.
const PORT: &str = "berth.control";
/// Where the root is made before it becomes the root: the initramfs itself can't be left by pivot_root, which containers need.
const NEW_ROOT: &str = "/root";
const DIRECTORIES: [&str; 8] = ["proc", "sys", "dev", "run/berth", "images", "scratch", "tmp", "warm"];
/// Devices come up by themselves once their drivers are there.
const DEVICES_PATIENCE: Duration = Duration::from_secs(20);
/// On the kernel's command line: stamps of the way to a task's start go to the console.
const TRACE: &str = "berth.trace";
/// The task's control group: there from the beginning, so that a start finds its controllers on.
const GROUP: &str = "task";

/// A booted machine.
pub struct Machine {
    /// The control port's device.
    pub port: PathBuf,
    /// Device of each disk, by its serial.
    disks: BTreeMap<String, PathBuf>,
    pub cgroups: Cgroups,
    /// Index of eth0; None in a machine without a network.
    pub interface: Option<i32>,
    /// The directory of the modules that are loaded when they are needed; the root that it was in is gone.
    later: Option<File>,
    traces: bool,
}

impl Machine {
    pub fn disk(&self, serial: &str) -> Result<&Path, String> {
        self.disks.get(serial).map(PathBuf::as_path).ok_or_else(|| format!("the machine has no disk {serial:?}"))
    }

    pub fn make_group(&self) -> Result<(), String> {
        self.cgroups.create_whole(GROUP, &Default::default()).map_err(|e| e.to_string())
    }

    /// Loads what boot left for later; again, it does nothing.
    pub fn load_later(&self) -> Result<(), String> {
        let dir = self.later.as_ref().map(|dir| mount::path_of(dir.as_fd())).ok_or("the machine has no more modules")?;
        let order = fs::read_to_string(format!("{dir}/order")).map_err(|e| format!("/later/order: {}", sys::reason(&e)))?;
        order.lines().try_for_each(|name| {
            let loaded = File::open(format!("{dir}/{name}")).and_then(|file| {
                let mut module = Vec::new();
                flate2::read::GzDecoder::new(file).read_to_end(&mut module)?;
                // SAFETY: `module` is readable for its length; a C string of no parameters.
                sys::check(unsafe { libc::syscall(libc::SYS_init_module, module.as_ptr(), module.len(), c"".as_ptr()) })
            });
            match loaded {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(format!("{name}: {}", sys::reason(&e))),
                _ => Ok(()),
            }
        })
    }

    pub fn trace(&self, what: &str) {
        if self.traces {
            eprintln!("berth-guest: {} us {what}", sys::monotonic_ns() / 1000);
        }
    }
}

pub fn boot() -> Result<Machine, String> {
    let step = |what: &'static str| move |e: io::Error| format!("cannot {what}: {}", sys::reason(&e));
    // SAFETY: no pointers.
    unsafe { libc::umask(0o022) };
    let later = File::open("/later").ok();
    load_modules().map_err(|e| format!("cannot load the modules: {e}"))?;
    make_root().map_err(step("make the root file system"))?;
    let _ = fs::write("/proc/self/oom_score_adj", "-1000");
    let interface = net::guest_prepare().map_err(|e| e.message)?;
    let port = await_port().map_err(step("find the control port"))?;
    let disks = disks().map_err(step("list the disks"))?;
    let cgroups = Cgroups::detect().map_err(|e| e.to_string())?;
    let traces = fs::read_to_string("/proc/cmdline").unwrap_or_default().split_whitespace().any(|word| word == TRACE);
    let machine = Machine { port, disks, cgroups, interface, later, traces };
    machine.make_group()?;
    Ok(machine)
}

/// Those that /modules/order names, in its order.
fn load_modules() -> Result<(), String> {
    let order = fs::read_to_string("/modules/order").map_err(|e| format!("/modules/order: {}", sys::reason(&e)))?;
    order.lines().try_for_each(|name| {
        let loaded = File::open(Path::new("/modules").join(name)).and_then(|file| {
            // SAFETY: an open descriptor, and a C string of no parameters.
            let done = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
            sys::check(done)
        });
        match loaded {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(format!("{name}: {}", sys::reason(&e))),
            _ => Ok(()),
        }
    })
}

/// A root of its own on tmpfs, with the kernel's file systems in their places. What was unpacked from the initramfs is given up.
fn make_root() -> io::Result<()> {
    let inside = |path: &str| format!("{NEW_ROOT}/{path}");
    fs::create_dir_all(NEW_ROOT)?;
    mount::mount("berth", NEW_ROOT, "tmpfs", libc::MS_NOSUID, "mode=755")?;
    DIRECTORIES.iter().try_for_each(|path| fs::create_dir_all(inside(path)))?;
    let quiet = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount::mount("proc", &inside("proc"), "proc", quiet, "")?;
    mount::mount("sysfs", &inside("sys"), "sysfs", quiet, "")?;
    mount::mount("dev", &inside("dev"), "devtmpfs", libc::MS_NOSUID, "mode=755")?;
    fs::create_dir_all(inside("dev/pts"))?;
    mount::mount("devpts", &inside("dev/pts"), "devpts", libc::MS_NOSUID | libc::MS_NOEXEC, "mode=620,ptmxmode=666")?;
    mount::mount("cgroup2", &inside("sys/fs/cgroup"), "cgroup2", quiet, "")?;
    fs::remove_dir_all("/modules")?;
    std::env::set_current_dir(NEW_ROOT)?;
    mount::mount(".", "/", "", libc::MS_MOVE, "")?;
    // SAFETY: a C string.
    sys::check(libc::c_long::from(unsafe { libc::chroot(c".".as_ptr()) }))?;
    std::env::set_current_dir("/")
}

/// The control port's device, once it is there.
fn await_port() -> io::Result<PathBuf> {
    let until = Instant::now() + DEVICES_PATIENCE;
    loop {
        for entry in fs::read_dir("/sys/class/virtio-ports").into_iter().flatten().flatten() {
            if fs::read_to_string(entry.path().join("name")).is_ok_and(|name| name.trim_end() == PORT) {
                return Ok(Path::new("/dev").join(entry.file_name()));
            }
        }
        if Instant::now() >= until {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no virtio-serial port is named {PORT}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks every disk for its serial. Nothing is read from them.
fn disks() -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/sys/block")? {
        let entry = entry?;
        if let Ok(serial) = fs::read_to_string(entry.path().join("serial")) {
            found.insert(serial.trim_end().to_string(), Path::new("/dev").join(entry.file_name()));
        }
    }
    Ok(found)
}
