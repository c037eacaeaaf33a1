//! `nfsstat4` (RFC 8881, section 15).
use std::io;

use super::xdr::Garbage;

pub const PERM: u32 = 1;
pub const NOENT: u32 = 2;
pub const IO: u32 = 5;
pub const ACCESS: u32 = 13;
pub const EXIST: u32 = 17;
pub const XDEV: u32 = 18;
pub const NOTDIR: u32 = 20;
pub const ISDIR: u32 = 21;
pub const INVAL: u32 = 22;
pub const FBIG: u32 = 27;
pub const NOSPC: u32 = 28;
pub const ROFS: u32 = 30;
pub const MLINK: u32 = 31;
pub const NAMETOOLONG: u32 = 63;
pub const NOTEMPTY: u32 = 66;
pub const DQUOT: u32 = 69;
pub const STALE: u32 = 70;
pub const BADHANDLE: u32 = 10001;
pub const NOTSUPP: u32 = 10004;
pub const TOOSMALL: u32 = 10005;
pub const DELAY: u32 = 10008;
pub const DENIED: u32 = 10010;
pub const MINOR_VERS_MISMATCH: u32 = 10021;
pub const NOFILEHANDLE: u32 = 10020;
pub const STALE_CLIENTID: u32 = 10022;
pub const OLD_STATEID: u32 = 10024;
pub const BAD_STATEID: u32 = 10025;
pub const SYMLINK: u32 = 10029;
pub const RESTOREFH: u32 = 10030;
pub const ATTRNOTSUPP: u32 = 10032;
pub const NO_GRACE: u32 = 10033;
pub const BADXDR: u32 = 10036;
pub const LOCKS_HELD: u32 = 10037;
pub const OPENMODE: u32 = 10038;
pub const BADOWNER: u32 = 10039;
pub const BADNAME: u32 = 10041;
pub const BAD_RANGE: u32 = 10042;
pub const OP_ILLEGAL: u32 = 10044;
pub const FILE_OPEN: u32 = 10046;
pub const BADSESSION: u32 = 10052;
pub const BADSLOT: u32 = 10053;
pub const COMPLETE_ALREADY: u32 = 10054;
pub const SEQ_MISORDERED: u32 = 10063;
pub const SEQUENCE_POS: u32 = 10064;
pub const RETRY_UNCACHED_REP: u32 = 10068;
pub const TOO_MANY_OPS: u32 = 10070;
pub const REP_TOO_BIG: u32 = 10066;
pub const OP_NOT_IN_SESSION: u32 = 10071;
pub const CLIENTID_BUSY: u32 = 10074;
pub const NOT_ONLY_OP: u32 = 10081;

/// Why an operation failed, and what its result has beside the status.
#[derive(Debug)]
pub struct Failure {
    pub status: u32,
    pub body: Vec<u8>,
}

impl From<u32> for Failure {
    fn from(status: u32) -> Self {
        Failure { status, body: Vec::new() }
    }
}

impl From<Garbage> for Failure {
    fn from(_: Garbage) -> Self {
        BADXDR.into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        of_error(&error).into()
    }
}

pub fn of_error(error: &io::Error) -> u32 {
    match error.raw_os_error().unwrap_or(libc::EIO) {
        libc::EPERM => PERM,
        libc::ENOENT => NOENT,
        libc::EACCES | libc::ETXTBSY => ACCESS,
        libc::EEXIST => EXIST,
        libc::EXDEV => XDEV,
        libc::ENOTDIR => NOTDIR,
        libc::EISDIR => ISDIR,
        libc::EINVAL => INVAL,
        libc::EFBIG => FBIG,
        libc::ENOSPC => NOSPC,
        libc::EROFS => ROFS,
        libc::EMLINK => MLINK,
        libc::ENAMETOOLONG => NAMETOOLONG,
        libc::ENOTEMPTY => NOTEMPTY,
        libc::EDQUOT => DQUOT,
        libc::ESTALE => STALE,
        libc::ELOOP => SYMLINK,
        libc::EOPNOTSUPP => NOTSUPP,
        libc::EBUSY => FILE_OPEN,
        // The client tries again.
        libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOMEM => DELAY,
        _ => IO,
    }
}
