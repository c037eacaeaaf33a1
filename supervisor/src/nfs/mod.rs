//! A server of NFS 4.1 (RFC 8881) in user space, one for each microVM task that has volumes on shared file systems.
//!
//! The guest's kernel mounts them from here over the VPC's network: its memory is a copy-on-write mapping, which rules out sharing by
//! virtiofs. A server knows the volumes of its one task and nothing else, sees no other file of the machine, and is reached from the task's own
//! interface alone (rules of the router). What tasks share, the machine's kernel keeps in order: a lock is the kernel's lock, a rename its
//! rename, whichever way a task has the directory.
//!
//! Left out, as Amazon EFS leaves it out: delegations, pNFS, share reservations (deny modes), named attributes, ACLs, devices.
mod attributes;
mod clients;
mod compound;
mod creds;
pub(crate) mod files;
#[cfg(test)]
mod fuzz;
mod handles;
mod input;
mod keeper;
mod locks;
mod names;
mod nodes;
mod opens;
pub(crate) mod room;
mod rpc;
mod server;
mod state;
mod status;
mod transfer;
mod xdr;

pub use keeper::start;

/// Most bytes of one READ or WRITE, as EFS's mounts ask for (rsize, wsize).
pub const IO_BYTES: usize = 1024 * 1024;
/// What clients are told to renew in; nothing here ever expires.
pub const LEASE_SECONDS: u32 = 90;
