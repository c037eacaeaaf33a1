//! Real tasks on this machine, through the worker's socket. Needs root and /bin/busybox (static).
mod exec;
mod harness;
mod health;
mod isolation;
mod lifecycle;
mod survival;
