//! One task's routed veth.
use std::net::Ipv4Addr;
use std::path::Path;

use super::netlink::{failed, Batch, Netlink, Present, VethEnd};
use super::netns::Netns;
use super::{parse_address, parse_mac, parse_name, write_sysctl};
use crate::protocol::{ErrorCode, NetworkBundle, WorkerError};

pub const LOOPBACK: i32 = 1;
/// Chosen by us, so that everything in the task's namespace goes to the kernel in one batch.
pub const ETH0: i32 = 16;

/// Tasks have IPv4 addresses only, while ::1 on the loopback stays. The other two are what Docker gives every container: images that run
/// as an ordinary user expect to listen on port 80 and to ping.
pub const TASK_SYSCTLS: [(&str, &str); 3] = [
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    ("net/ipv4/ping_group_range", "0 2147483647"),
];

/// Who answers for the task's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressed {
    /// The kernel, in the task's network namespace.
    Here,
    /// A network stack behind a packet socket on the link.
    Behind,
}

/// Called inside the task's fresh network namespace: makes the veth pair with its far end in the router, sets addresses and routes.
pub fn task_up(network: &NetworkBundle, addressed: Addressed) -> Result<(), WorkerError> {
    let ip = parse_address(&network.ip)?;
    let mac = parse_mac(&network.mac)?;
    let gateway = parse_address(&network.gateway_ip)?;
    let gateway_mac = parse_mac(&network.gateway_mac)?;
    let router_if = parse_name(&network.router_if)?;
    let netns_path = Path::new(&network.router_netns);
    let router = Netns::open(netns_path).map_err(failed("open the router's namespace"))?.ok_or_else(|| {
        WorkerError::new(ErrorCode::NotFound, format!("there is no router namespace at {}: bring the VPC up first", network.router_netns))
    })?;

    TASK_SYSCTLS.iter().try_for_each(|(name, value)| write_sysctl(name, value))?;
    let mut batch = Batch::default();
    batch.add_veth(
        &VethEnd { name: "eth0", index: ETH0, mac: Some(mac), mtu: network.mtu },
        &VethEnd { name: router_if, index: 0, mac: Some(gateway_mac), mtu: network.mtu },
        router.fd(),
    );
    batch.set_up(LOOPBACK);
    if addressed == Addressed::Here {
        batch.add_address(ETH0, ip, 32);
        batch.add_neighbour(ETH0, gateway, gateway_mac);
        batch.add_route((Ipv4Addr::UNSPECIFIED, 0), Some(gateway), ETH0, Present::Refuse);
    } else {
        batch.set_up(ETH0);
    }
    Netlink::open().map_err(failed("open a netlink socket"))?.run(batch)?;

    let netlink = Netlink::open_in(&router).map_err(failed("enter the router's namespace"))?;
    let link = netlink.link(router_if)?.ok_or_else(|| WorkerError::new(ErrorCode::Failed, format!("the link {router_if} is gone")))?;
    let mut batch = Batch::default();
    batch.set_up(link.index);
    batch.add_neighbour(link.index, ip, mac);
    // A former task's link, with a route to the same address, may still be going away: namespaces end some time after their processes.
    batch.add_route((ip, 32), None, link.index, Present::Replace);
    netlink.run(batch)
}

/// Called by the task's supervisor as one of its last acts: from here on the router answers for the address that nobody is there. The
/// links go with the task's namespace, which ends with the process; the kernel takes down many at once.
pub fn task_leave(network: &NetworkBundle) -> Result<(), WorkerError> {
    let ip = parse_address(&network.ip)?;
    let netns_path = Path::new(&network.router_netns);
    let Some(router) = Netns::open(netns_path).map_err(failed("open the router's namespace"))? else { return Ok(()) };
    let mut batch = Batch::default();
    batch.delete_route((ip, 32));
    Netlink::open_in(&router).map_err(failed("enter the router's namespace"))?.run(batch)
}

/// For a task whose supervisor died: deletes the router's end of its veth pair, and so both; a missing link or router is fine. Takes some
/// 16 ms, in which the kernel waits.
pub fn task_down(router_netns: &Path, router_if: &str) -> Result<(), WorkerError> {
    let name = parse_name(router_if)?;
    let Some(router) = Netns::open(router_netns).map_err(failed("open the router's namespace"))? else { return Ok(()) };
    let mut batch = Batch::default();
    batch.delete_link(name);
    Netlink::open_in(&router).map_err(failed("enter the router's namespace"))?.run(batch)
}
