//! The parts of `berth-supervisor`.
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(clippy::undocumented_unsafe_blocks, clippy::unwrap_used)]

pub mod balance;
pub mod base64;
pub mod cgroup;
pub mod container;
pub mod copy;
pub mod disk;
pub mod frames;
pub mod guest;
pub mod keep;
pub mod launch;
pub mod mount;
pub mod net;
pub mod nfs;
pub mod probe;
pub mod protocol;
pub mod runsc;
pub mod seccomp;
pub mod serve;
pub mod share;
pub mod signals;
pub mod spool;
pub mod sys;
pub mod task;
pub mod unpack;
pub mod vm;
