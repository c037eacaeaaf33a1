//! This program, started anew in place of a process that was forked from the supervisor and goes on inside a container: so that nobody who
//! may trace it there finds the supervisor's memory.
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::mount::open_path;
use crate::sys;

/// The program's file, for its place only; found while the machine's /proc is at hand.
pub struct Program(OwnedFd);

impl Program {
    pub fn find() -> io::Result<Program> {
        open_path(Path::new("/proc/self/exe")).map(Program)
    }

    /// Closes every descriptor beyond the standard streams but this one and `status`.
    pub fn close_others(&self, status: BorrowedFd) {
        sys::close_all_but_two(status.as_raw_fd(), self.0.as_raw_fd());
    }

    /// Becomes `berth-supervisor ROLE STATUS WORDS...`. Comes back only with the reason why not.
    pub fn begin(&self, role: &str, status: BorrowedFd, words: &[CString], env: &[CString]) -> io::Error {
        let head = [format!("berth-{role}"), role.to_string(), status.as_raw_fd().to_string()];
        let args = head.iter().map(|text| sys::c_string(text.as_bytes())).collect::<io::Result<Vec<CString>>>();
        let begun = sys::survive_exec(status).and(args).and_then(|mut args| {
            args.extend_from_slice(words);
            sys::exec_descriptor(self.0.as_fd(), &args, Some(env))
        });
        begun.err().unwrap_or_else(io::Error::last_os_error)
    }
}

/// The descriptor that `begin` left to the new program, which keeps it from its own heirs.
pub fn status(word: &str) -> Option<OwnedFd> {
    let number = word.parse().ok().filter(|number| *number > 2)?;
    // SAFETY: whoever started this left that descriptor to it alone; if there is none, nothing can be said and nothing is.
    let status = unsafe { OwnedFd::from_raw_fd(number) };
    sys::end_at_exec(status.as_fd()).ok().map(|()| status)
}
