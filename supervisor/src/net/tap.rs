//! One virtual machine's tap: made in the machine's own network namespace, moved into the router's when a task takes the machine.
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::netlink::{failed, Batch, Netlink, Present};
use super::netns::Netns;
use super::{parse_address, parse_mac, parse_name};
use crate::protocol::{ErrorCode, NetworkBundle, WorkerError};
use crate::sys;

const TUN: &str = "/dev/net/tun";

/// struct ifreq, as TUNSETIFF reads it.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

/// A tap in the calling thread's network namespace. It is there as long as anybody holds the descriptor, wherever it is moved to.
pub fn tap_create(name: &str) -> Result<OwnedFd, WorkerError> {
    let name = parse_name(name)?;
    let device =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(TUN).map_err(failed(&format!("open {TUN}")))?;
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL;
    let mut request = Request { name: [0; libc::IFNAMSIZ], flags: flags as libc::c_short, rest: [0; 22] };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF reads and writes a struct ifreq, whose size and layout `Request` has.
    let made = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF as _, &mut request) };
    sys::check(made.into()).map_err(failed(&format!("make the tap {name}")))?;
    Ok(device.into())
}

/// Moves `tap` out of `machine` into the router, under the router's name for it; afterwards it is the way to the task's address.
pub fn tap_up(machine: &Netns, tap: &str, network: &NetworkBundle) -> Result<(), WorkerError> {
    let tap = parse_name(tap)?;
    let ip = parse_address(&network.ip)?;
    let mac = parse_mac(&network.mac)?;
    let gateway_mac = parse_mac(&network.gateway_mac)?;
    let router_if = parse_name(&network.router_if)?;
    let router = Netns::open(Path::new(&network.router_netns)).map_err(failed("open the router's namespace"))?.ok_or_else(|| {
        WorkerError::new(ErrorCode::NotFound, format!("there is no router namespace at {}: bring the VPC up first", network.router_netns))
    })?;

    let inside = Netlink::open_in(machine).map_err(failed("enter the machine's namespace"))?;
    if let Some(link) = inside.link(tap)? {
        let mut batch = Batch::default();
        batch.move_link(link.index, router.fd(), router_if);
        inside.run(batch)?;
    }
    let netlink = Netlink::open_in(&router).map_err(failed("enter the router's namespace"))?;
    let gone = || failed(&format!("find the tap {tap}"))(io::Error::from_raw_os_error(libc::ENODEV));
    let link = netlink.link(router_if)?.ok_or_else(gone)?;
    let mut batch = Batch::default();
    batch.set_up_as(link.index, gateway_mac, network.mtu);
    batch.add_neighbour(link.index, ip, mac);
    batch.add_route((ip, 32), None, link.index, Present::Replace);
    netlink.run(batch)
}
