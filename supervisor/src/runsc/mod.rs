//! Containers in a gVisor sandbox, made with `runsc`.
//!
//! A task has one sandbox (`room`), which `runsc create` makes and whose own first container does nothing. Each of the task's
//! containers is started into it over its control socket (`urpc`) by a keeper: a fork of the supervisor that stands for the container
//! as its process does elsewhere. It takes the supervisor's signals, and ends as the container ends.
mod exec;
mod gofer;
mod keeper;
mod links;
mod room;
mod spec;
mod sysctl;
mod urpc;
mod usage;

pub use exec::enter;
pub use keeper::{carried, spawn};
pub use links::create as create_links;
pub use room::Room;
pub use sysctl::{main as sysctl_main, set as set_sysctls};
pub use usage::of_container as usage_of;
