//! Layers as builders write them, and as an attacker would.
use std::fs;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::os::unix::fs::{symlink, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::protocol::{Compression, UnpackLimits};

mod hostile;

/// A directory of the test's own: `blob`, `layer`, and `outside`, which nothing may touch.
struct Place {
    dir: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        remove_tree(&self.dir, &std::env::temp_dir()).unwrap();
    }
}

impl Place {
    fn new() -> Place {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let dir = std::env::temp_dir().join(format!("berth-unpack-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(dir.join("outside")).unwrap();
        fs::write(dir.join("outside/secret"), "untouched").unwrap();
        Place { dir }
    }

    fn layer(&self) -> PathBuf {
        self.dir.join("layer")
    }

    fn request(&self, blob: &[u8], compression: Compression) -> UnpackRequest {
        fs::write(self.dir.join("blob"), blob).unwrap();
        UnpackRequest {
            blob: self.dir.join("blob").to_str().unwrap().into(),
            compression,
            into: self.layer().to_str().unwrap().into(),
            diff_id: None,
            limits: UnpackLimits { bytes: 8 << 20, entries: 2_000 },
        }
    }

    fn unpack(&self, tar: &Tar) -> Result<Value, WorkerError> {
        in_child(|| unpack(&self.request(&tar.finished(), Compression::None)))
    }

    #[track_caller]
    fn refused(&self, tar: &Tar, code: ErrorCode) -> String {
        let error = self.unpack(tar).expect_err("was unpacked");
        assert_eq!(error.code, code, "{error}");
        self.assert_clean();
        error.message
    }

    #[track_caller]
    fn assert_clean(&self) {
        assert!(!self.layer().exists(), "the layer was left behind");
        assert_eq!(fs::read_to_string(self.dir.join("outside/secret")).unwrap(), "untouched");
        assert_eq!(fs::read_dir(self.dir.join("outside")).unwrap().count(), 1);
    }
}

/// Runs `work` in a forked child, as the worker does.
fn in_child(work: impl FnOnce() -> Result<Value, WorkerError>) -> Result<Value, WorkerError> {
    let mut ends = [0; 2];
    // SAFETY: the pointer is to two ints.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: the child only runs `work` and leaves by _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: the descriptor is this process's own copy.
        let mut pipe = unsafe { fs::File::from_raw_fd(ends[1]) };
        let _ = pipe.write_all(&serde_json::to_vec(&work()).unwrap());
        // SAFETY: leaves without running what belongs to the parent.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: the descriptor is ours alone.
    unsafe { libc::close(ends[1]) };
    let mut answer = Vec::new();
    // SAFETY: the descriptor is ours alone.
    unsafe { fs::File::from_raw_fd(ends[0]) }.read_to_end(&mut answer).unwrap();
    // SAFETY: the status may be null.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
    serde_json::from_slice(&answer).unwrap()
}

/// Writes archives that no ordinary tool would.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn header(mut self, kind: u8, path: &str, link: &str, size: usize, edit: impl FnOnce(&mut [u8; 512])) -> Self {
        let mut block = [0u8; 512];
        block[..path.len()].copy_from_slice(path.as_bytes());
        block[100..107].copy_from_slice(b"0000644");
        block[108..115].copy_from_slice(b"0000000");
        block[116..123].copy_from_slice(b"0000000");
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[136..147].copy_from_slice(b"00000000001");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        edit(&mut block);
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.0.extend_from_slice(&block);
        self
    }

    fn data(mut self, data: &[u8]) -> Self {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, path: &str, data: &str) -> Self {
        self.header(b'0', path, "", data.len(), |_| {}).data(data.as_bytes())
    }

    fn dir(self, path: &str) -> Self {
        self.header(b'5', path, "", 0, |block| block[100..107].copy_from_slice(b"0000755"))
    }

    fn symlink(self, path: &str, target: &str) -> Self {
        self.header(b'2', path, target, 0, |_| {})
    }

    fn hard_link(self, path: &str, target: &str) -> Self {
        self.header(b'1', path, target, 0, |_| {})
    }

    fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            data.extend_from_slice(format!("{length} {key}=").as_bytes());
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.header(b'x', "pax", "", data.len(), |_| {}).data(&data)
    }

    fn finished(&self) -> Vec<u8> {
        [self.0.as_slice(), &[0; 1024]].concat()
    }
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let (path, name) = (sys::c_string(path.as_os_str().as_bytes()).unwrap(), sys::c_string(name.as_bytes()).unwrap());
    let mut value = vec![0u8; 256];
    // SAFETY: both strings end with NUL; the pointer and length are those of a live buffer.
    let length = unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    (length >= 0).then(|| value[..length as usize].to_vec())
}

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|stat| stat.file_type().is_char_device() && stat.rdev() == 0)
}

fn is_opaque(path: &Path) -> bool {
    xattr(path, "trusted.overlay.opaque").as_deref() == Some(b"y")
}

fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// One line per file: all that must survive.
fn listing(root: &Path) -> Vec<String> {
    fn walk(root: &Path, dir: &Path, lines: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let stat = fs::symlink_metadata(&path).unwrap();
            let content = match stat.file_type() {
                kind if kind.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
                kind if kind.is_file() => format!("{:?}", fs::read(&path).unwrap()),
                _ => String::new(),
            };
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let links = if stat.is_dir() { 0 } else { stat.nlink() };
            let capability = xattr(&path, "security.capability");
            lines.push(format!(
                "{name} {:o} {}:{} links {links} dev {} time {}.{} {capability:?} {content}",
                stat.mode(),
                stat.uid(),
                stat.gid(),
                stat.rdev(),
                stat.mtime(),
                stat.mtime_nsec()
            ));
            if stat.is_dir() {
                walk(root, &path, lines);
            }
        }
    }
    let mut lines = Vec::new();
    walk(root, root, &mut lines);
    lines.sort();
    lines
}

/// A tree with all that real layers have, and its archive by GNU tar.
fn real_tree(place: &Place, format: &str) -> (PathBuf, Vec<u8>) {
    let tree = place.dir.join("tree");
    let deep = tree.join("a-directory-with-a-rather-long-name".repeat(3)).join("another-one".repeat(8));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file with spaces and ümläuts"), "deep").unwrap();
    fs::write(tree.join("big"), vec![7u8; 700_001]).unwrap();
    fs::write(tree.join("empty"), "").unwrap();
    fs::write(tree.join("setuid"), "x").unwrap();
    fs::hard_link(tree.join("big"), tree.join("big-too")).unwrap();
    symlink("/absolute/nowhere", tree.join("link")).unwrap();
    symlink("x".repeat(180), tree.join("long-link")).unwrap();
    let script = "mknod null c 1 3; mknod disk b 7 200; mkfifo pipe; chown 1000:2000 empty; chown -h 5:6 link; chmod 4755 setuid; mkdir sticky; chmod 1777 sticky; mkdir closed; chmod 0 closed; setcap cap_net_raw+ep setuid 2>/dev/null; touch -d '2001-02-03 04:05:06.789' big; touch -d '1999-01-01' sticky";
    run("sh", &["-c", &format!("PATH=$PATH:/sbin:/usr/sbin; cd {} && {script}; true", tree.display())]);
    let tar = run(
        "tar",
        &["-C", tree.to_str().unwrap(), &format!("--format={format}"), "--xattrs", "--xattrs-include=*", "--sort=name", "-c", "."],
    );
    (tree, tar)
}

#[test]
fn what_tar_packs_comes_out_the_same() {
    for format in ["pax", "gnu"] {
        let place = Place::new();
        let (tree, tar) = real_tree(&place, format);
        // Only PAX has fractions of a second and capabilities.
        let expected = listing(&tree).into_iter().map(|line| if format == "pax" { line } else { without_fractions(&line) });
        let result = in_child(|| unpack(&place.request(&tar, Compression::None))).unwrap();
        assert_eq!(result["bytes"], tar.len());
        let found = listing(&place.layer()).into_iter().map(|line| if format == "pax" { line } else { without_fractions(&line) });
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{format}");
    }
}

fn without_fractions(line: &str) -> String {
    let (head, tail) = line.split_once(" time ").unwrap();
    let (seconds, _) = tail.split_once('.').unwrap();
    format!("{head} {seconds}")
}

#[test]
fn every_compression_gives_the_same_layer_and_digest() {
    let place = Place::new();
    let (tree, tar) = real_tree(&place, "pax");
    let half = tar.len() / 2;
    let gzip = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |data: &[u8]| ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest);
    let skippable = [&0x184D_2A50u32.to_le_bytes()[..], &5u32.to_le_bytes(), b"notes"].concat();
    let blobs = [
        (Compression::None, tar.clone()),
        (Compression::Gzip, gzip(&tar)),
        (Compression::Gzip, [gzip(&tar[..half]), gzip(&tar[half..])].concat()),
        (Compression::Zstd, zstd(&tar)),
        (Compression::Zstd, [zstd(&tar[..half]), skippable.clone(), zstd(&tar[half..]), skippable].concat()),
    ];
    fs::write(place.dir.join("plain.tar"), &tar).unwrap();
    let digest = String::from_utf8(run("sha256sum", &[place.dir.join("plain.tar").to_str().unwrap()])).unwrap();
    let diff_id = format!("sha256:{}", &digest[..64]);
    for (compression, blob) in blobs {
        let mut request = place.request(&blob, compression);
        request.diff_id = Some(diff_id.clone());
        let result = in_child(|| unpack(&request)).unwrap();
        assert_eq!(result["diffId"], diff_id);
        assert_eq!(listing(&place.layer()), listing(&tree), "{compression:?}");
        remove_tree(&place.layer(), &place.dir).unwrap();
        for cut in [blob.len() / 3, blob.len() - blob.len() / 4] {
            let request = place.request(&blob[..cut], compression);
            let error = in_child(|| unpack(&request)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Failed, "{compression:?} cut at {cut}: {error}");
            place.assert_clean();
        }
    }
    let mut request = place.request(&tar, Compression::None);
    request.diff_id = Some(format!("sha256:{}", "0".repeat(64)));
    assert_eq!(in_child(|| unpack(&request)).unwrap_err().code, ErrorCode::Digest);
    place.assert_clean();
}

#[test]
fn whiteouts_become_those_of_overlayfs() {
    let place = Place::new();
    let tar = Tar::default()
        .dir("./")
        .file("etc/.wh.gone", "")
        .dir("opaque/")
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/kept", "x")
        // A directory that was deleted and made anew hides what it had.
        .file(".wh.again", "")
        .dir("again/")
        .dir("first/")
        .file(".wh.first", "")
        // A layer's own file stays.
        .file("own", "x")
        .file(".wh.own", "")
        .file(".wh.parent", "")
        .file("parent/child", "x")
        .file(".wh..wh.plnk/123", "aufs")
        .file(".wh..wh.aufs", "aufs");
    place.unpack(&tar).unwrap();
    let layer = place.layer();
    assert!(is_whiteout(&layer.join("etc/gone")));
    assert!(is_opaque(&layer.join("opaque")) && layer.join("opaque/kept").exists());
    for name in ["again", "first", "parent"] {
        assert!(is_opaque(&layer.join(name)), "{name}");
    }
    assert_eq!(fs::read_to_string(layer.join("own")).unwrap(), "x");
    let names: Vec<_> = listing(&layer).into_iter().filter(|line| line.contains(".wh.")).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn later_entries_replace_earlier_ones_and_missing_parents_are_made() {
    let place = Place::new();
    let tar = Tar::default()
        .file("a/b/c/file", "one")
        .file("a/b/c/file", "two")
        .file("x", "file")
        .dir("x/")
        .file("x/inside", "1")
        .dir("y/")
        .file("y/inside", "1")
        .symlink("y", "x")
        .file("y/through", "by a link that stays inside")
        .file("z/below", "1")
        .file("z", "now a file")
        .hard_link("same", "same")
        .file("/absolute", "at the root")
        .dir("a/b");
    place.unpack(&tar).unwrap();
    let layer = place.layer();
    assert_eq!(fs::read_to_string(layer.join("a/b/c/file")).unwrap(), "two");
    assert_eq!(fs::read_to_string(layer.join("x/through")).unwrap(), "by a link that stays inside");
    assert!(fs::symlink_metadata(layer.join("y")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(layer.join("z")).unwrap(), "now a file");
    assert_eq!(fs::read_to_string(layer.join("absolute")).unwrap(), "at the root");
    assert_eq!(fs::metadata(layer.join("a/b")).unwrap().mtime(), 1);
}

#[test]
fn extended_attributes_are_kept_where_they_are_harmless() {
    let place = Place::new();
    // VFS_CAP_REVISION_2, cap_net_bind_service permitted and effective.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let tar = Tar::default()
        .pax(&[
            ("SCHILY.xattr.user.note", b"a=b\nc"),
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
            ("path", "a-name-from-pax".as_bytes()),
            ("uid", b"70000"),
            ("mtime", b"-2.5"),
        ])
        .file("ignored", "x")
        .pax(&[("SCHILY.xattr.trusted.overlay.opaque", b"y"), ("SCHILY.xattr.user.note", b"d")])
        .dir("dir/")
        .pax(&[("SCHILY.xattr.user.note", b"not on links")])
        .symlink("link", "nowhere");
    place.unpack(&tar).unwrap();
    let file = place.layer().join("a-name-from-pax");
    assert_eq!(xattr(&file, "user.note").as_deref(), Some(&b"a=b\nc"[..]));
    assert_eq!(xattr(&file, "security.capability").as_deref(), Some(&capability[..]));
    assert_eq!(xattr(&file, "trusted.overlay.redirect"), None);
    let stat = fs::metadata(&file).unwrap();
    assert_eq!((stat.uid(), stat.mtime(), stat.mtime_nsec()), (70_000, -3, 500_000_000));
    assert_eq!(xattr(&place.layer().join("dir"), "user.note").as_deref(), Some(&b"d"[..]));
    assert!(!is_opaque(&place.layer().join("dir")));
}

#[test]
fn a_full_disk_is_told_apart() {
    let place = Place::new();
    let request = place.request(&Tar::default().file("file", &"x".repeat(300_000)).finished(), Compression::None);
    let error = in_child(|| {
        let dir = sys::c_string(place.dir.as_os_str().as_bytes()).unwrap();
        // SAFETY: the paths end with NUL; the mount is seen by this child only and ends with it.
        unsafe {
            assert_eq!(libc::unshare(libc::CLONE_NEWNS), 0);
            assert_eq!(
                libc::mount(c"none".as_ptr(), c"/".as_ptr(), std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE, std::ptr::null()),
                0
            );
            let small = c"size=64k".as_ptr().cast();
            let blob = fs::read(&request.blob).unwrap();
            assert_eq!(libc::mount(c"tmpfs".as_ptr(), dir.as_ptr(), c"tmpfs".as_ptr(), 0, small), 0);
            let memory = libc::memfd_create(c"blob".as_ptr(), 0);
            assert_eq!(libc::write(memory, blob.as_ptr().cast(), blob.len()), blob.len() as isize);
            std::os::unix::fs::symlink(format!("/proc/self/fd/{memory}"), place.dir.join("blob")).unwrap();
        }
        unpack(&request)
    })
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::NoSpace, "{error}");
    place.assert_clean();
}

#[test]
fn what_is_there_already_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.layer()).unwrap();
    fs::write(place.layer().join("mine"), "x").unwrap();
    assert_eq!(place.unpack(&Tar::default().file("a", "x")).unwrap_err().code, ErrorCode::Exists);
    assert!(place.layer().join("mine").exists());
    let mut request = place.request(&[], Compression::None);
    request.blob = "/nonexistent/blob".into();
    assert_eq!(in_child(|| unpack(&request)).unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn trees_are_removed_without_following_anything() {
    let place = Place::new();
    let tree = place.dir.join("tree");
    fs::create_dir_all(tree.join("a/b")).unwrap();
    symlink(place.dir.join("outside"), tree.join("a/out")).unwrap();
    symlink(place.dir.join("outside"), place.dir.join("via")).unwrap();
    // Deeper than a process may have descriptors, and than any path may be long.
    let mut dir = std::os::fd::OwnedFd::from(fs::File::open(tree.join("a")).unwrap());
    for _ in 0..3000 {
        sys::create_directory(dir.as_fd(), c"deep", 0o700).unwrap();
        dir = sys::open_directory(dir.as_fd(), c"deep").unwrap();
    }
    let code = |path: &str| remove_tree(&place.dir.join(path), &place.dir).unwrap_err().code;
    assert_eq!(code(""), ErrorCode::Invalid);
    assert_eq!(code("../elsewhere"), ErrorCode::Invalid);
    assert_eq!(code("tree/../outside"), ErrorCode::Invalid);
    assert_eq!(code("/etc"), ErrorCode::Invalid);
    assert_eq!(code("via/secret"), ErrorCode::Hostile);
    remove_tree(&tree, &place.dir).unwrap();
    remove_tree(&tree, &place.dir).unwrap();
    remove_tree(&place.dir.join("no/such/parent"), &place.dir).unwrap();
    assert!(!tree.exists());
    remove_tree(&place.dir.join("via"), &place.dir).unwrap();
    assert_eq!(fs::read_dir(place.dir.join("outside")).unwrap().count(), 1);
}
