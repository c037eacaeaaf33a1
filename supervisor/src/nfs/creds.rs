//! In whose name a thread touches files. The system calls are a thread's own: the C library's would change all threads.
use std::io;

use crate::sys::check;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creds {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

const NOBODY: u32 = 65_534;

impl Creds {
    pub fn nobody() -> Creds {
        Creds { uid: NOBODY, gid: NOBODY, groups: Vec::new() }
    }

    /// Until what comes back is dropped, the thread's access to files is that of this user. The kernel takes root's rights over files away
    /// with the change of the file system's uid, and gives them back with it.
    pub fn assume(&self) -> io::Result<Acting> {
        let acting = Acting;
        // SAFETY: the pointer is to `groups`, of that length; the rest are numbers.
        unsafe {
            check(libc::syscall(libc::SYS_setgroups, self.groups.len(), self.groups.as_ptr()))?;
            libc::syscall(libc::SYS_setfsgid, self.gid);
            libc::syscall(libc::SYS_setfsuid, self.uid);
            // They say nothing of failure: an impossible id is asked for to hear what is set.
            let now = (libc::syscall(libc::SYS_setfsuid, -1) as u32, libc::syscall(libc::SYS_setfsgid, -1) as u32);
            if now != (self.uid, self.gid) {
                return Err(io::Error::from_raw_os_error(libc::EPERM));
            }
        }
        Ok(acting)
    }
}

#[must_use]
pub struct Acting;

impl Drop for Acting {
    fn drop(&mut self) {
        // SAFETY: no pointers but an empty list's.
        unsafe {
            libc::syscall(libc::SYS_setfsuid, 0);
            libc::syscall(libc::SYS_setfsgid, 0);
            libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<u32>());
        }
    }
}
