//! The keeper's pid file: one keeper per file, by a lock that ends with it.
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys;

pub struct PidFile {
    path: PathBuf,
    _locked: File,
}

impl PidFile {
    /// Fails with who holds it when another keeper does.
    pub fn take(path: &Path) -> Result<PidFile, String> {
        let failed = |error: std::io::Error| format!("can't use {}: {}", path.display(), sys::reason(&error));
        loop {
            let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
            // SAFETY: flock(2) takes no pointers.
            if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } < 0 {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(format!("a keeper is running already: process {} holds {}", holder.trim(), path.display()));
            }
            // A keeper that just ended may have removed the file that we opened.
            let same =
                fs::metadata(path).is_ok_and(|now| file.metadata().is_ok_and(|ours| ours.ino() == now.ino() && ours.dev() == now.dev()));
            if same {
                file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
                return Ok(PidFile { path: path.to_owned(), _locked: file });
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
