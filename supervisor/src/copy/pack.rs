//! Writes a file or a directory as a tar archive: ustar, with PAX headers where a value doesn't fit (POSIX.1-2001).
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::failed;

const BLOCK: usize = 512;
/// What an octal field of eleven and of seven digits holds.
const SIZE_MAX: u64 = 0o77_777_777_777;
const ID_MAX: u32 = 0o7_777_777;
const NAME_BYTES: usize = 100;

pub fn pack(path: &Path, name: &str, follow: bool, out: impl Write) -> Result<(), String> {
    let mut packer = Packer { out: BufWriter::with_capacity(64 * 1024, out), links: HashMap::new() };
    // A path with a slash behind it, and one that ends in `/.`, is what a link there leads to.
    let through = follow || path.as_os_str().as_bytes().ends_with(b"/") || path.as_os_str().as_bytes().ends_with(b"/.");
    let found = if through { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
    packer.entry(path, name.as_bytes(), &found.map_err(|e| failed("read", path, &e))?)?;
    packer.end().map_err(|e| format!("cannot send the archive: {e}"))
}

struct Packer<W: Write> {
    out: BufWriter<W>,
    /// Where a file with several names was written first, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> Packer<W> {
    fn entry(&mut self, path: &Path, name: &[u8], data: &Metadata) -> Result<(), String> {
        let sent = |e: io::Error| format!("cannot send the archive: {e}");
        let kind = data.file_type();
        if kind.is_dir() {
            self.header(&[name, b"/"].concat(), b"", b'5', data, 0).map_err(sent)?;
            return self.children(path, name);
        }
        if kind.is_symlink() {
            let target = std::fs::read_link(path).map_err(|e| failed("read the link", path, &e))?;
            return self.header(name, target.as_os_str().as_bytes(), b'2', data, 0).map_err(sent);
        }
        if kind.is_file() {
            if data.nlink() > 1 {
                if let Some(first) = self.links.get(&(data.dev(), data.ino())).cloned() {
                    return self.header(name, &first, b'1', data, 0).map_err(sent);
                }
                self.links.insert((data.dev(), data.ino()), name.to_vec());
            }
            return self.file(path, name, data);
        }
        let kind = if kind.is_fifo() {
            b'6'
        } else if kind.is_char_device() {
            b'3'
        } else if kind.is_block_device() {
            b'4'
        } else {
            // A socket is nothing without whoever listens at it.
            return Ok(());
        };
        self.header(name, b"", kind, data, 0).map_err(sent)
    }

    fn children(&mut self, path: &Path, name: &[u8]) -> Result<(), String> {
        let listed = std::fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = listed.map_err(|e| failed("read the directory", path, &e))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let below = entry.path();
            match std::fs::symlink_metadata(&below) {
                Ok(data) => self.entry(&below, &[name, b"/", entry.file_name().as_bytes()].concat(), &data)?,
                // It went while this was under way.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed("read", &below, &e)),
            }
        }
        Ok(())
    }

    /// Exactly as many bytes as its header says, whatever is written to it meanwhile.
    fn file(&mut self, path: &Path, name: &[u8], data: &Metadata) -> Result<(), String> {
        let file = File::open(path).map_err(|e| failed("read", path, &e))?;
        let size = data.len();
        self.header(name, b"", b'0', data, size).map_err(|e| format!("cannot send the archive: {e}"))?;
        let copied = io::copy(&mut file.take(size), &mut self.out).map_err(|e| failed("copy", path, &e))?;
        let padding = (size - copied) + (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        io::copy(&mut io::repeat(0).take(padding), &mut self.out).map(drop).map_err(|e| format!("cannot send the archive: {e}"))
    }

    fn header(&mut self, name: &[u8], link: &[u8], kind: u8, data: &Metadata, size: u64) -> io::Result<()> {
        let mut pax = Vec::new();
        for (key, text) in [("path", name), ("linkpath", link)] {
            if text.len() > NAME_BYTES {
                record(&mut pax, key, text);
            }
        }
        for (key, value, most) in
            [("size", size, SIZE_MAX), ("uid", u64::from(data.uid()), u64::from(ID_MAX)), ("gid", u64::from(data.gid()), u64::from(ID_MAX))]
        {
            if value > most {
                record(&mut pax, key, value.to_string().as_bytes());
            }
        }
        if data.mtime() < 0 {
            record(&mut pax, "mtime", data.mtime().to_string().as_bytes());
        }
        if !pax.is_empty() {
            self.out.write_all(&block(
                b"././@PaxHeader",
                b"",
                b'x',
                &Numbers { mode: 0o644, size: pax.len() as u64, ..Numbers::default() },
            ))?;
            pax.resize(pax.len().next_multiple_of(BLOCK), 0);
            self.out.write_all(&pax)?;
        }
        let (uid, gid) = (data.uid().min(ID_MAX), data.gid().min(ID_MAX));
        let device = if matches!(kind, b'3' | b'4') { (libc::major(data.rdev()), libc::minor(data.rdev())) } else { (0, 0) };
        let numbers = Numbers { mode: data.mode() & 0o7777, uid, gid, size: size.min(SIZE_MAX), mtime: data.mtime().max(0) as u64, device };
        self.out.write_all(&block(name, link, kind, &numbers))
    }

    fn end(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()
    }
}

/// `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits too.
fn record(pax: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let digits = |length: usize| length.to_string().len();
    let mut length = rest + digits(rest);
    length = rest + digits(length);
    pax.extend_from_slice(format!("{length} {key}=").as_bytes());
    pax.extend_from_slice(value);
    pax.push(b'\n');
}

#[derive(Default)]
struct Numbers {
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: u64,
    device: (u32, u32),
}

fn block(name: &[u8], link: &[u8], kind: u8, numbers: &Numbers) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(NAME_BYTES)]);
    put(100, format!("{:07o}", numbers.mode).as_bytes());
    put(108, format!("{:07o}", numbers.uid).as_bytes());
    put(116, format!("{:07o}", numbers.gid).as_bytes());
    put(124, format!("{:011o}", numbers.size).as_bytes());
    put(136, format!("{:011o}", numbers.mtime.min(SIZE_MAX)).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(157, &link[..link.len().min(NAME_BYTES)]);
    put(257, b"ustar\x0000");
    put(329, format!("{:07o}", numbers.device.0).as_bytes());
    put(337, format!("{:07o}", numbers.device.1).as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_itself() {
        for (value, expected) in [(1, "11 path=aaa\n".len() - 2), (93, 102), (94, 104)] {
            let mut pax = Vec::new();
            record(&mut pax, "path", &vec![b'a'; value]);
            let said: usize = String::from_utf8_lossy(&pax).split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
            assert_eq!(said, pax.len());
            assert!(expected > 0);
        }
    }
}
