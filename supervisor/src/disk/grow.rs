//! A file system grows to the size that it is to have while it is mounted, asked of the kernel itself: a microVM has no `resize2fs`.
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::Path;

use crate::sys;

/// `_IOW('f', 16, __u64)` (fs/ext4/ext4.h): blocks that the file system is to have.
const EXT4_IOC_RESIZE_FS: u64 = 0x4008_6610;
/// `_IOR('X', 126, struct xfs_fsop_geom)` and `_IOW('X', 110, struct xfs_growfs_data)` (linux/xfs_fs.h).
const XFS_IOC_FSGEOMETRY: u64 = 0x8100_587e;
const XFS_IOC_FSGROWFSDATA: u64 = 0x4010_586e;

/// Of struct xfs_fsop_geom: the fields that count, of 256 bytes.
#[repr(C)]
struct XfsGeometry {
    block_size: u32,
    before: [u32; 5],
    of_inodes: u32,
    most_inodes_percent: u32,
    data_blocks: u64,
    rest: [u64; 27],
}

#[repr(C)]
struct XfsGrowth {
    data_blocks: u64,
    most_inodes_percent: u32,
}

/// Where an ext file system's first superblock is.
const EXT_SUPERBLOCK: u64 = 1024;

/// Brings the file system of `device`, which is mounted on `place`, to `bytes`. Nothing is asked for where it has them.
pub fn grow(device: &Path, place: &Path, kind: &str, bytes: u64) -> io::Result<()> {
    let root = File::open(place)?;
    if kind == "xfs" {
        return grow_xfs(&root, bytes);
    }
    let mut disk = File::open(device)?;
    let mut superblock = [0; 1024];
    disk.seek(SeekFrom::Start(EXT_SUPERBLOCK))?;
    disk.read_exact(&mut superblock)?;
    let (blocks, block_bytes) = ext_size(&superblock);
    let wanted = bytes / block_bytes;
    // What is left of a device behind the last whole group (of as many blocks as a block has bits) may be too little to be used.
    if wanted < blocks + 8 * block_bytes {
        return Ok(());
    }
    // SAFETY: the call reads one u64.
    sys::check(unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_RESIZE_FS as _, &wanted) }.into()).map(drop)
}

/// Blocks of the file system, and the bytes of each.
fn ext_size(superblock: &[u8; 1024]) -> (u64, u64) {
    let word = |at: usize| superblock[at..at + 4].iter().rev().fold(0u64, |all, byte| (all << 8) | u64::from(*byte));
    const INCOMPAT_64BIT: u64 = 0x80;
    let high = if word(0x60) & INCOMPAT_64BIT != 0 { word(0x150) } else { 0 };
    ((high << 32) | word(0x4), 1024 << word(0x18).min(6))
}

fn grow_xfs(root: &File, bytes: u64) -> io::Result<()> {
    // SAFETY: all zeros is a valid value of this plain struct.
    let mut geometry: XfsGeometry = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes one struct of this size.
    sys::check(unsafe { libc::ioctl(root.as_raw_fd(), XFS_IOC_FSGEOMETRY as _, &mut geometry) }.into())?;
    let wanted = bytes / u64::from(geometry.block_size.max(512));
    if wanted <= geometry.data_blocks {
        return Ok(());
    }
    let growth = XfsGrowth { data_blocks: wanted, most_inodes_percent: geometry.most_inodes_percent };
    // SAFETY: the call reads one struct of this size.
    sys::check(unsafe { libc::ioctl(root.as_raw_fd(), XFS_IOC_FSGROWFSDATA as _, &growth) }.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_size_of_an_ext_file_system() {
        let mut superblock = [0; 1024];
        superblock[0x4..0x8].copy_from_slice(&262_144u32.to_le_bytes());
        superblock[0x18] = 2;
        superblock[0x150] = 1;
        assert_eq!(ext_size(&superblock), (262_144, 4096));
        superblock[0x60] = 0x80;
        assert_eq!(ext_size(&superblock), ((1 << 32) + 262_144, 4096));
    }

    #[test]
    fn asks_the_kernel_in_its_own_sizes() {
        assert_eq!((size_of::<XfsGeometry>(), size_of::<XfsGrowth>()), (256, 16));
    }
}
