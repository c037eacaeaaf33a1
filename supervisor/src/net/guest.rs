//! The network of a microVM: the one interface that the host gave it.
use std::net::Ipv4Addr;

use super::netlink::{failed, Batch, Netlink, Present};
use super::task::{LOOPBACK, TASK_SYSCTLS};
use super::{parse_address, parse_mac, write_sysctl};
use crate::guest::Network;
use crate::protocol::WorkerError;

const NAME: &str = "eth0";

/// What needs no address. Gives the interface's index; None without one.
pub fn guest_prepare() -> Result<Option<i32>, WorkerError> {
    TASK_SYSCTLS.iter().try_for_each(|(name, value)| write_sysctl(name, value))?;
    write_sysctl("net/ipv6/conf/eth0/disable_ipv6", "1")?;
    let netlink = Netlink::open().map_err(failed("open a netlink socket"))?;
    let index = netlink.link(NAME)?.map(|link| link.index);
    let mut batch = Batch::default();
    batch.set_up(LOOPBACK);
    // Up already: its buffers are then part of the template. Without an address it says and answers nothing.
    index.into_iter().for_each(|index| batch.set_up(index));
    netlink.run(batch)?;
    Ok(index)
}

/// Address and routes of the interface `index`, and up.
pub fn guest_up(index: i32, network: &Network) -> Result<(), WorkerError> {
    let ip = parse_address(&network.ip)?;
    let gateway = parse_address(&network.gateway_ip)?;
    let gateway_mac = parse_mac(&network.gateway_mac)?;
    let mut batch = Batch::default();
    batch.set_up_as(index, parse_mac(&network.mac)?, network.mtu);
    batch.add_address(index, ip, 32);
    batch.add_neighbour(index, gateway, gateway_mac);
    batch.add_route((Ipv4Addr::UNSPECIFIED, 0), Some(gateway), index, Present::Replace);
    Netlink::open().map_err(failed("open a netlink socket"))?.run(batch)
}

/// Takes the address away again, and the routes with it.
pub fn guest_down(index: i32, network: &Network) -> Result<(), WorkerError> {
    let mut batch = Batch::default();
    batch.delete_address(index, parse_address(&network.ip)?, 32);
    Netlink::open().map_err(failed("open a netlink socket"))?.run(batch)
}
