//! Network of VPCs and tasks: namespaces, veth pairs, addresses and routes by netlink.
use std::path::Path;

use crate::protocol::{NetworkBundle, VpcBundle, WorkerError};

/// Called inside the task's fresh network namespace: makes the veth pair, moves the router's end, sets addresses and routes.
pub fn task_up(_network: &NetworkBundle) -> Result<(), WorkerError> {
    Ok(())
}

/// Deletes the router's end of a task's veth pair; missing is fine.
pub fn task_down(_router_netns: &Path, _router_if: &str) -> Result<(), WorkerError> {
    Ok(())
}

/// Makes a VPC's router namespace with its uplink; idempotent.
pub fn vpc_up(_vpc: &VpcBundle) -> Result<(), WorkerError> {
    Ok(())
}

/// Removes a VPC's router namespace and its uplink; idempotent.
pub fn vpc_down(_router_netns: &Path, _host_if: &str) -> Result<(), WorkerError> {
    Ok(())
}
