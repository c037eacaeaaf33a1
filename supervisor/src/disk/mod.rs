//! Disks: an image's layers as one EROFS file system, an empty ext4 of any size to write on, and files as block devices.
mod erofs;
mod ext4;
mod grow;
pub mod loopback;
mod pool;
mod sandbox;
mod scratch;
mod tool;

pub use erofs::build;
pub use ext4::make;
pub use grow::grow;
pub use pool::{Pool, Ready};
pub use scratch::{forget, mount_scratch};

use std::io;

use crate::protocol::{ErrorCode, WorkerError};
use crate::sys;

fn failed(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> WorkerError {
    move |e| {
        let code = match e.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => ErrorCode::NoSpace,
            Some(libc::EEXIST) => ErrorCode::Exists,
            Some(libc::ENOENT) => ErrorCode::NotFound,
            _ => ErrorCode::Failed,
        };
        WorkerError::new(code, format!("cannot {what}: {}", sys::reason(&e)))
    }
}
