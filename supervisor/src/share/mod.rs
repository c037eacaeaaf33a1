//! A directory of a shared file system as one user has it, whoever uses it: what an access point of EFS enforces, for containers and gVisor.
//!
//! A bind mount lets everybody be who they are, and an idmapped one only renames users one to one. So the directory is mounted by FUSE
//! (Linux, Documentation/filesystems/fuse), and the process that answers is that user: the machine's kernel checks every access by its
//! rights, and owns what it makes by it. There is one such process for each volume, which ends with the last mount. Killed, it is started again by its
//! parent (keeper.rs), with all that it had open; calls that were under way end with "Software caused connection abort".
mod keeper;
mod locks;
mod memory;
mod nodes;
mod opened;
mod ops;
mod room;
mod server;
mod wire;

pub use room::start;
