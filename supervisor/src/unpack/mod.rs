//! Unpacks one layer into a directory that overlayfs takes as a lower one.
mod extract;
mod path;
mod remove;
pub(crate) mod stream;
pub(crate) mod sys;
pub(crate) mod tar;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::{json, Value};

use crate::protocol::{ErrorCode, UnpackRequest, WorkerError};
use extract::Extractor;
pub use remove::remove_tree;
use stream::{Stream, Summary};

const ROOT_MODE: u32 = 0o755;

/// Unpacks one layer and answers `{diffId, bytes, entries}`. Runs in a child of its own, for it changes root into `into`, which must not
/// be there yet and is removed when anything fails.
///
/// A hostile layer meets two walls: every path is walked below the layer's root without leaving it (openat2), and the process can't see
/// anything outside.
pub fn unpack(request: &UnpackRequest) -> Result<Value, WorkerError> {
    let blob = File::open(&request.blob).map_err(|error| path_error(&request.blob, &error))?;
    let into = Path::new(&request.into);
    let (Some(parent), Some(name)) = (into.parent(), into.file_name()) else {
        return Err(WorkerError::new(ErrorCode::Invalid, format!("{:?} is not a directory to unpack into", request.into)));
    };
    let above = File::open(parent).map_err(|error| path_error(&request.into, &error))?;
    let name = sys::c_string(name.as_bytes()).map_err(|error| path_error(&request.into, &error))?;
    sys::create_directory(above.as_fd(), &name, ROOT_MODE).map_err(|error| path_error(&request.into, &error))?;
    let result = sys::open_directory(above.as_fd(), &name)
        .map_err(|error| path_error(&request.into, &error))
        .and_then(|root| fill(request, blob, root.as_fd()));
    if result.is_err() {
        // The descriptor from before the change of root still reaches it. The first error is the one to tell.
        let _ = remove::remove_at(above.as_fd(), &name);
    }
    result
}

fn fill(request: &UnpackRequest, blob: File, root: BorrowedFd) -> Result<Value, WorkerError> {
    // SAFETY: umask(2) takes no pointers. Modes come from the archive, nothing is to be taken off them.
    unsafe { libc::umask(0) };
    sys::change_root(root)
        .map_err(|error| WorkerError::new(ErrorCode::Failed, format!("can't change root to {}: {error}", request.into)))?;
    let top = root.try_clone_to_owned().map_err(|error| path_error(&request.into, &error))?;
    let (summary, entries) = std::thread::scope(|scope| {
        let (mut stream, worker) = Stream::start(scope, blob, request.compression, request.limits.bytes);
        let entries = extract_all(&mut stream, Extractor::new(top), request.limits.entries);
        // Lets the thread end when the archive was given up half-way.
        drop(stream);
        let summary = worker.join().ok().flatten();
        entries.map(|entries| (summary, entries))
    })?;
    let summary = summary.ok_or_else(|| WorkerError::new(ErrorCode::Failed, "the layer's blob could not be read to its end"))?;
    verify(request, &summary)?;
    Ok(json!({ "diffId": summary.diff_id, "bytes": summary.bytes, "entries": entries }))
}

fn extract_all(stream: &mut Stream, mut extractor: Extractor, limit: u64) -> Result<u64, WorkerError> {
    let mut reader = tar::Reader::default();
    let mut entries = 0;
    while let Some(entry) = reader.next(stream, limit)? {
        extractor.write(&entry, stream)?;
        entries += 1;
    }
    stream.drain()?;
    extractor.finish()?;
    Ok(entries)
}

fn verify(request: &UnpackRequest, summary: &Summary) -> Result<(), WorkerError> {
    match &request.diff_id {
        Some(wanted) if *wanted != summary.diff_id => {
            let message = format!(
                "the layer's content is {} and not {wanted}, as its image says: it is damaged or was tampered with",
                summary.diff_id
            );
            Err(WorkerError::new(ErrorCode::Digest, message))
        }
        _ => Ok(()),
    }
}

fn path_error(path: &str, error: &io::Error) -> WorkerError {
    let code = match error.raw_os_error() {
        Some(libc::EEXIST) => ErrorCode::Exists,
        Some(libc::ENOENT) => ErrorCode::NotFound,
        Some(libc::ENOSPC | libc::EDQUOT) => ErrorCode::NoSpace,
        _ => ErrorCode::Failed,
    };
    WorkerError::new(code, format!("{path}: {error}"))
}
