//! Disks made by the real tools, and looked at through the kernel's own file systems.
#[allow(dead_code)]
#[path = "task/harness.rs"]
mod harness;

use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{chown, symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use berth_supervisor::protocol::*;
use harness::World;
use serde_json::{json, Value};

const LIMITS: DiskLimits = DiskLimits { bytes: 64 << 20, entries: 10_000, seconds: 60 };

fn build(world: &World, layers: &[&str], name: &str, limits: DiskLimits) -> Result<Value, WorkerError> {
    let layers: Vec<PathBuf> = layers.iter().map(|layer| world.dir.join(layer)).collect();
    fs::create_dir_all(world.dir.join("disks")).unwrap();
    let into = world.dir.join("disks").join(name);
    world.call(json!({ "id": 1, "op": "erofs-build", "layers": layers, "into": into, "limits": limits }))
}

/// Mounted read-only until it goes.
struct Mounted(PathBuf);

impl Mounted {
    fn new(disk: &Path, kind: &str) -> Mounted {
        let point = disk.with_extension("mnt");
        fs::create_dir(&point).unwrap();
        let mounted = Mounted(point);
        let output = Command::new("mount").args(["-t", kind, "-o", "ro,loop,nodev"]).args([disk, &mounted.0]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        mounted
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let mut found: Vec<String> =
            fs::read_dir(self.0.join(dir)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        found
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-d").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    let (path, name) = (CString::new(path.as_os_str().as_bytes()).unwrap(), CString::new(name).unwrap());
    // SAFETY: both names end with NUL and `value` is readable for its length.
    let done = unsafe { libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

fn xattr(path: &Path, name: &str) -> Vec<u8> {
    let (path, name) = (CString::new(path.as_os_str().as_bytes()).unwrap(), CString::new(name).unwrap());
    let mut value = vec![0; 256];
    // SAFETY: both names end with NUL and `value` is writable for its length.
    let length = unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    assert!(length >= 0, "{}", std::io::Error::last_os_error());
    value.truncate(length as usize);
    value
}

fn node(path: &Path, mode: u32, device: libc::dev_t) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path ends with NUL.
    assert_eq!(unsafe { libc::mknod(path.as_ptr(), mode, device) }, 0);
}

fn set_time(path: &Path, seconds: i64, nanoseconds: i64) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let time = libc::timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    // SAFETY: the path ends with NUL; two times are given.
    assert_eq!(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), [time, time].as_ptr(), libc::AT_SYMLINK_NOFOLLOW) }, 0);
}

/// VFS_CAP_REVISION_2 with CAP_NET_RAW.
const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Two layers with everything that an image may hold. `order`: whether names come into being forwards or backwards.
fn layers(world: &World, below: &str, above: &str, backwards: bool) {
    let (below, above) = (world.dir.join(below), world.dir.join(above));
    for dir in [&below, &above] {
        fs::create_dir_all(dir.join("etc")).unwrap();
    }
    let mut names: Vec<String> = (0..200).map(|n| format!("file-{n}")).collect();
    if backwards {
        names.reverse();
    }
    fs::create_dir(below.join("many")).unwrap();
    for name in &names {
        fs::write(below.join("many").join(name), name.repeat(100)).unwrap();
        set_time(&below.join("many").join(name), 1_000_000_000, 5);
    }
    fs::write(below.join("etc/secret"), "for root").unwrap();
    fs::set_permissions(below.join("etc/secret"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::write(below.join("ping"), "program").unwrap();
    chown(below.join("ping"), Some(1000), Some(70_000)).unwrap();
    fs::set_permissions(below.join("ping"), fs::Permissions::from_mode(0o4755)).unwrap();
    set_xattr(&below.join("ping"), "security.capability", &NET_RAW);
    set_xattr(&below.join("ping"), "user.note", b"mine");
    fs::hard_link(below.join("ping"), below.join("etc/ping")).unwrap();
    set_time(&below.join("ping"), 981_173_106, 789_000_001);
    symlink("etc/passwd", below.join("link")).unwrap();
    node(&below.join("fifo"), libc::S_IFIFO | 0o640, 0);
    node(&below.join("null"), libc::S_IFCHR | 0o666, libc::makedev(1, 3));
    fs::write(below.join("hole"), "x").unwrap();
    fs::File::options().write(true).open(below.join("hole")).unwrap().set_len(1 << 20).unwrap();
    for name in ["gone", "etc/gone"] {
        fs::write(below.join(name), "deleted above").unwrap();
        node(&above.join(name), libc::S_IFCHR, 0);
    }
    fs::create_dir_all(below.join("opaque/old")).unwrap();
    fs::create_dir(above.join("opaque")).unwrap();
    fs::write(above.join("opaque/new"), "").unwrap();
    set_xattr(&above.join("opaque"), "trusted.overlay.opaque", b"y");
    // A mark for something that never was, in a directory that no other layer has: overlayfs shows it.
    fs::create_dir_all(above.join("only/here")).unwrap();
    node(&above.join("only/here/ghost (1)"), libc::S_IFCHR, 0);
    fs::write(above.join("only/here/real"), "").unwrap();
    for path in ["gone", "etc", "opaque/new", "opaque", "only/here/real", "only/here", "only", ""] {
        set_time(&above.join(path), 1_234_567_890, 0);
    }
    for path in ["etc/secret", "etc/ping", "link", "fifo", "null", "hole", "many", ""] {
        set_time(&below.join(path), 1_234_567_891, 7);
    }
}

#[test]
fn a_disk_is_the_merged_layers_to_the_last_attribute() {
    let world = World::new();
    layers(&world, "below", "above", false);
    let answer = build(&world, &["above", "below"], "disk", LIMITS).unwrap();
    let disk = world.dir.join("disks/disk");
    let meta = fs::metadata(&disk).unwrap();
    assert_eq!((answer["bytes"].as_u64(), meta.uid(), meta.mode() & 0o7777), (Some(meta.len()), 0, 0o444));
    let mounted = Mounted::new(&disk, "erofs");
    assert_eq!(mounted.names(""), ["etc", "fifo", "hole", "link", "many", "null", "only", "opaque", "ping"]);
    assert_eq!(mounted.names("etc"), ["ping", "secret"]);
    assert_eq!(mounted.names("opaque"), ["new"]);
    assert_eq!(mounted.names("only/here"), ["real"]);
    assert_eq!(mounted.names("many").len(), 200);
    let root = &mounted.0;
    let of = |name: &str| fs::symlink_metadata(root.join(name)).unwrap();
    let ping = of("ping");
    assert_eq!((ping.uid(), ping.gid(), ping.mode() & 0o7777, ping.nlink()), (1000, 70_000, 0o4755, 2));
    assert_eq!(ping.ino(), of("etc/ping").ino());
    assert_eq!(xattr(&root.join("ping"), "security.capability"), NET_RAW);
    assert_eq!(xattr(&root.join("ping"), "user.note"), b"mine");
    // The hard link's time was set last.
    assert_eq!((of("etc/secret").mode() & 0o7777, of("etc/secret").mtime(), of("etc/secret").mtime_nsec()), (0o400, 1_234_567_891, 7));
    assert_eq!((of("").mtime(), of("many").mtime()), (1_234_567_890, 1_234_567_891));
    assert_eq!(fs::read_link(root.join("link")).unwrap(), Path::new("etc/passwd"));
    assert_eq!(of("fifo").mode() & 0o170_777, libc::S_IFIFO | 0o640);
    assert_eq!((of("null").mode() & libc::S_IFMT, of("null").rdev()), (libc::S_IFCHR, libc::makedev(1, 3)));
    assert_eq!((of("hole").len(), fs::read(root.join("hole")).unwrap()[..2].to_vec()), (1 << 20, b"x\0".to_vec()));
    assert_eq!(fs::read_to_string(root.join("etc/secret")).unwrap(), "for root");
    assert_eq!(names_in(&world.dir.join("disks")), ["disk", "disk.mnt"]);
}

fn names_in(dir: &Path) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    found
}

#[test]
fn same_layers_make_the_same_bytes() {
    let world = World::new();
    layers(&world, "below", "above", false);
    layers(&world, "below-2", "above-2", true);
    build(&world, &["above", "below"], "one", LIMITS).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    build(&world, &["above-2", "below-2"], "two", LIMITS).unwrap();
    let read = |name: &str| fs::read(world.dir.join("disks").join(name)).unwrap();
    assert!(read("one") == read("two"));
}

#[test]
fn one_layer_alone_loses_its_marks_too() {
    let world = World::new();
    fs::create_dir_all(world.dir.join("one/dir")).unwrap();
    node(&world.dir.join("one/gone"), libc::S_IFCHR, 0);
    node(&world.dir.join("one/dir/gone"), libc::S_IFCHR, 0);
    build(&world, &["one"], "disk", LIMITS).unwrap();
    let mounted = Mounted::new(&world.dir.join("disks/disk"), "erofs");
    assert_eq!((mounted.names(""), mounted.names("dir")), (vec!["dir".to_string()], Vec::new()));
}

#[test]
fn what_is_too_much_is_refused_and_leaves_nothing() {
    let world = World::new();
    layers(&world, "below", "above", false);
    let refused = |limits: DiskLimits, layers: &[&str], code: ErrorCode, text: &str| {
        let error = build(&world, layers, "disk", limits).unwrap_err();
        assert!(error.code == code && error.message.contains(text), "{error:?}");
        assert_eq!(names_in(&world.dir.join("disks")), Vec::<String>::new());
    };
    refused(DiskLimits { bytes: 64 << 10, ..LIMITS }, &["above", "below"], ErrorCode::Limit, "mkfs.erofs failed");
    refused(DiskLimits { entries: 100, ..LIMITS }, &["above", "below"], ErrorCode::Limit, "more than 100 files");
    refused(DiskLimits { seconds: 0, ..LIMITS }, &["above", "below"], ErrorCode::Limit, "was stopped");
    refused(LIMITS, &["above", "nowhere"], ErrorCode::NotFound, "nowhere");
    refused(LIMITS, &[], ErrorCode::Invalid, "without layers");
    // A file that claims 4 TiB: no disk of that size comes of it.
    fs::create_dir(world.dir.join("bomb")).unwrap();
    fs::File::create(world.dir.join("bomb/huge")).unwrap().set_len(4 << 40).unwrap();
    refused(LIMITS, &["bomb"], ErrorCode::Limit, "mkfs.erofs failed");
    fs::create_dir(world.dir.join("ghosts")).unwrap();
    fs::create_dir(world.dir.join("ghosts/d")).unwrap();
    for n in 0..9000 {
        node(&world.dir.join(format!("ghosts/d/{n:040}")), libc::S_IFCHR, 0);
    }
    refused(LIMITS, &["ghosts"], ErrorCode::Hostile, "never were");
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let world = World::new();
    layers(&world, "below", "above", false);
    let small = world.dir.join("small");
    fs::create_dir(&small).unwrap();
    let options = "size=128k";
    assert!(Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&small).status().unwrap().success());
    let layers = ["above", "below"].map(|layer| world.dir.join(layer));
    let request = json!({ "id": 1, "op": "erofs-build", "layers": layers, "into": small.join("disk"), "limits": LIMITS });
    let built = world.call(request);
    let scratch = world.call(scratch(&small.join("scratch"), 20 << 30, &world.dir.join("models/1")));
    let left = names_in(&small);
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert!(built.as_ref().is_err_and(|e| e.code == ErrorCode::NoSpace), "{built:?}");
    assert!(scratch.as_ref().is_err_and(|e| e.code == ErrorCode::NoSpace), "{scratch:?}");
    assert_eq!(left, Vec::<String>::new());
}

fn scratch(path: &Path, bytes: u64, model: &Path) -> Value {
    json!({ "id": 2, "op": "scratch-make", "path": path, "bytes": bytes, "model": model, "uid": 61_234, "gid": 61_235 })
}

#[test]
fn a_scratch_disk_has_its_size_and_next_to_no_blocks() {
    let world = World::new();
    let (path, model) = (world.dir.join("scratch"), world.dir.join("models/20g"));
    let bytes = 20 << 30;
    world.call(scratch(&path, bytes, &model)).unwrap();
    let at = Instant::now();
    world.call(scratch(&world.dir.join("second"), bytes, &model)).unwrap();
    println!("scratch-make: {:?}", at.elapsed());
    for path in [&path, &world.dir.join("second")] {
        let meta = fs::metadata(path).unwrap();
        assert_eq!((meta.len(), meta.uid(), meta.gid(), meta.mode() & 0o7777), (bytes, 61_234, 61_235, 0o600));
        assert!(meta.blocks() * 512 < 1 << 20, "{} bytes on disk", meta.blocks() * 512);
        let checked = Command::new("e2fsck").args(["-fn"]).arg(path).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
    let listed = Command::new("dumpe2fs").arg(&path).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let features = listed.lines().find(|line| line.starts_with("Filesystem features:")).unwrap();
    assert!(!features.contains("has_journal") && features.contains("metadata_csum"), "{features}");
    // Each table is known to be zero: a guest's kernel need not write it.
    assert_eq!(
        listed.matches("ITABLE_ZEROED").count(),
        listed.lines().filter(|line| line.starts_with("Group ") && line.contains("(Blocks")).count()
    );
    let mounted = Mounted::new(&path, "ext4");
    assert_eq!(mounted.names(""), ["lost+found"]);
    drop(mounted);
    // One that a worker was killed over is made anew, whoever has the former one open.
    let former = fs::OpenOptions::new().write(true).open(&path).unwrap();
    former.set_len(4096).unwrap();
    world.call(scratch(&path, bytes, &model)).unwrap();
    assert_eq!((fs::metadata(&path).unwrap().len(), former.metadata().unwrap().len()), (bytes, 4096));
    assert_eq!(world.call(scratch(&world.dir.join("x"), bytes + 4096, &model)).unwrap_err().code, ErrorCode::Invalid);
    assert_eq!(world.call(scratch(&world.dir.join("x"), 12_345, &model)).unwrap_err().code, ErrorCode::Invalid);
    assert!(!world.dir.join("x").exists());
    assert_eq!(names_in(&world.dir.join("models")), ["20g"]);
}

/// Loop devices that stand for a file below `dir`, named or not.
fn devices_of(dir: &Path) -> usize {
    let backing = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("loop/backing_file")).ok();
    let all = fs::read_dir("/sys/block").unwrap().filter_map(|entry| backing(entry.unwrap()));
    all.filter(|file| file.starts_with(&*dir.to_string_lossy())).count()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_mounted_scratch_disk_is_as_large_as_asked_and_nothing_of_it_outlives_its_mount() {
    let world = World::new();
    let (dir, model) = (world.dir.join("disks"), world.dir.join("model"));
    fs::create_dir(&dir).unwrap();
    let tree = berth_supervisor::disk::mount_scratch(&dir, &model, 32 << 20).unwrap();
    let point = world.dir.join("point");
    fs::create_dir(&point).unwrap();
    let target = berth_supervisor::mount::open_path(&point).unwrap();
    berth_supervisor::mount::attach(tree.as_fd(), target.as_fd()).unwrap();
    drop((tree, target));
    let mounted = Mounted(point.clone());
    assert_eq!(devices_of(&dir), 1);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "the file has no name");
    let written = fs::write(point.join("file"), vec![1; 40 << 20]);
    assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    assert!(fs::metadata(point.join("file")).unwrap().len() > 28 << 20, "next to all of it is the task's");
    drop(mounted);
    until("the device is still there", || devices_of(&dir) == 0);
}
