//! A VPC's router: a network namespace that routes between its tasks, and an uplink to the machine.
use std::net::Ipv4Addr;
use std::path::Path;

use super::netlink::{failed, Batch, Netlink, Present, VethEnd};
use super::netns::Netns;
use super::{nft, parse_address, parse_cidr, parse_name, read_sysctl, write_sysctl};
use crate::protocol::{ErrorCode, VpcBundle, WorkerError};

/// The router's end of every uplink; tasks' links begin with `t`.
const UPLINK: &str = "uplink";
const LOOPBACK: i32 = 1;
const UPLINK_PREFIX: u8 = 30;
const ADDRESS_PREFIX: u8 = 32;
const FORWARDING: &str = "net/ipv4/ip_forward";
/// Alias of the machine's ends of uplinks. The former value of ip_forward stands behind it: kept in the kernel, it is seen by every
/// instance on this machine and is gone after a reboot, as forwarding is.
const ALIAS: &str = "berth uplink, ip_forward was ";

/// Settings of a router's namespace. Strict reverse path filtering keeps a task from sending with another's address.
const ROUTER_SYSCTLS: [(&str, &str); 7] = [
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv4/conf/all/rp_filter", "1"),
    ("net/ipv4/conf/default/rp_filter", "1"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    (FORWARDING, "1"),
];

/// A bundle whose texts have been read.
struct Vpc<'a> {
    bundle: &'a VpcBundle,
    host_if: &'a str,
    host_ip: Ipv4Addr,
    router_ip: Ipv4Addr,
    cidr: (Ipv4Addr, u8),
    service_ips: Vec<Ipv4Addr>,
    addresses: Vec<Ipv4Addr>,
}

/// Makes a VPC's router namespace with its uplink; idempotent. What it could not finish it takes back, unless the router stood before.
pub fn vpc_up(bundle: &VpcBundle) -> Result<(), WorkerError> {
    let vpc = Vpc {
        bundle,
        host_if: parse_name(&bundle.host_if)?,
        host_ip: parse_address(&bundle.host_ip)?,
        router_ip: parse_address(&bundle.router_ip)?,
        cidr: parse_cidr(&bundle.cidr)?,
        service_ips: bundle.service_ips.iter().map(|ip| parse_address(ip)).collect::<Result<_, _>>()?,
        addresses: bundle.addresses.iter().map(|ip| parse_address(ip)).collect::<Result<_, _>>()?,
    };
    let path = Path::new(&bundle.router_netns);
    let standing = Netns::open(path).map_err(failed("open the router's namespace"))?;
    let fresh = standing.is_none();
    let result = match standing {
        Some(router) => vpc.configure(&router),
        None => Netns::create(path).map_err(failed("make the router's namespace")).and_then(|router| vpc.configure(&router)),
    };
    if let (Err(error), true) = (&result, fresh) {
        vpc_down(path, &bundle.host_if).map_err(|undo| with_note(error, &undo))?;
    }
    result
}

/// Removes a VPC's router namespace, its uplink, its routes and its rules in the machine; idempotent.
pub fn vpc_down(router_netns: &Path, host_if: &str) -> Result<(), WorkerError> {
    let name = parse_name(host_if)?;
    let machine = Netlink::open().map_err(failed("open a netlink socket"))?;
    let former = machine.link(name)?.and_then(|link| former_forwarding(link.alias.as_deref()));
    let mut batch = Batch::default();
    batch.delete_link(name);
    machine.run(batch)?;
    if let Some(table) = table_of(name) {
        nft::apply(&format!("add table ip {table}\ndelete table ip {table}\n"), None)?;
    }
    Netns::remove(router_netns).map_err(failed("remove the router's namespace"))?;
    let others = machine.links()?.iter().any(|link| former_forwarding(link.alias.as_deref()).is_some());
    match former {
        Some(value) if !others => write_sysctl(FORWARDING, &value),
        _ => Ok(()),
    }
}

/// Applies a ruleset, with tables of its own, in the namespace of a VPC's router.
pub fn router_rules(router_netns: &Path, rules: &str) -> Result<(), WorkerError> {
    let router = Netns::open(router_netns).map_err(failed("open the router's namespace"))?;
    let router = router.ok_or_else(|| WorkerError::new(ErrorCode::NotFound, format!("{} is no router", router_netns.display())))?;
    nft::apply(rules, Some(&router))
}

impl Vpc<'_> {
    fn configure(&self, router: &Netns) -> Result<(), WorkerError> {
        let machine = Netlink::open().map_err(failed("open a netlink socket"))?;
        let inside = Netlink::open_in(router).map_err(failed("enter the router's namespace"))?;
        router
            .within(|| ROUTER_SYSCTLS.iter().try_for_each(|(name, value)| write_sysctl(name, value)))
            .map_err(failed("enter the router's namespace"))??;
        nft::apply(&self.bundle.router_rules, Some(router))?;
        // The machine's rules stand before anything can come through.
        nft::apply(&self.bundle.host_rules, None)?;
        let stood = machine.link(self.host_if)?.is_some() && inside.link(UPLINK)?.is_some();
        if !stood {
            self.add_uplink(&machine, &inside, router)?;
        }
        self.address_router(&inside)?;
        self.address_machine(&machine, stood)?;
        self.settle_addresses(&machine, &inside)?;
        write_sysctl(FORWARDING, "1")
    }

    fn add_uplink(&self, machine: &Netlink, inside: &Netlink, router: &Netns) -> Result<(), WorkerError> {
        let mut batch = Batch::default();
        batch.delete_link(UPLINK);
        inside.run(batch)?;
        let known = machine.links()?.iter().find_map(|link| former_forwarding(link.alias.as_deref()));
        let former = match known {
            Some(value) => value,
            None => read_sysctl(FORWARDING)?,
        };
        let mut batch = Batch::default();
        batch.delete_link(self.host_if);
        let near = VethEnd { name: self.host_if, index: 0, mac: None, mtu: self.bundle.mtu };
        let far = VethEnd { name: UPLINK, index: 0, mac: None, mtu: self.bundle.mtu };
        batch.add_veth(&near, &far, router.fd());
        machine.run(batch)?;
        write_sysctl(&format!("net/ipv6/conf/{}/disable_ipv6", self.host_if), "1")?;
        let mut batch = Batch::default();
        batch.set_alias(index_of(machine, self.host_if)?, &format!("{ALIAS}{former}"));
        machine.run(batch)
    }

    fn address_router(&self, inside: &Netlink) -> Result<(), WorkerError> {
        let uplink = index_of(inside, UPLINK)?;
        let mut batch = Batch::default();
        batch.set_up(LOOPBACK);
        batch.set_up(uplink);
        for ip in &self.service_ips {
            batch.add_address(LOOPBACK, *ip, 32);
        }
        batch.add_address(uplink, self.router_ip, UPLINK_PREFIX);
        batch.add_route((Ipv4Addr::UNSPECIFIED, 0), Some(self.host_ip), uplink, Present::Keep);
        // An address that no task has would go back to the machine and round: whoever calls it would wait for a time-out.
        batch.add_unreachable(self.cidr);
        inside.run(batch)
    }

    /// A route that is there although the uplink is new belongs to somebody else: that is an error.
    fn address_machine(&self, machine: &Netlink, stood: bool) -> Result<(), WorkerError> {
        let index = index_of(machine, self.host_if)?;
        let mut batch = Batch::default();
        batch.add_address(index, self.host_ip, UPLINK_PREFIX);
        let present = if stood { Present::Keep } else { Present::Refuse };
        batch.add_route(self.cidr, Some(self.router_ip), index, present);
        machine.run(batch)
    }

    /// What is listed is the machine's, and the router leads there; what was and is listed no more is given back.
    fn settle_addresses(&self, machine: &Netlink, inside: &Netlink) -> Result<(), WorkerError> {
        let (index, uplink) = (index_of(machine, self.host_if)?, index_of(inside, UPLINK)?);
        let gone: Vec<Ipv4Addr> =
            machine.addresses(index, ADDRESS_PREFIX)?.into_iter().filter(|address| !self.addresses.contains(address)).collect();
        let (mut routes, mut addresses) = (Batch::default(), Batch::default());
        for address in gone {
            routes.delete_route_by(address, uplink);
            addresses.delete_address(index, address, ADDRESS_PREFIX);
        }
        for address in &self.addresses {
            routes.add_route((*address, ADDRESS_PREFIX), Some(self.host_ip), uplink, Present::Keep);
            addresses.add_address(index, *address, ADDRESS_PREFIX);
        }
        // The address stands for the route: one that is cut off here is found again by it.
        inside.run(routes)?;
        machine.run(addresses)
    }
}

fn index_of(netlink: &Netlink, name: &str) -> Result<i32, WorkerError> {
    let gone = || WorkerError::new(crate::protocol::ErrorCode::Failed, format!("the link {name} is gone"));
    Ok(netlink.link(name)?.ok_or_else(gone)?.index)
}

fn former_forwarding(alias: Option<&str>) -> Option<String> {
    alias?.strip_prefix(ALIAS).map(str::to_owned)
}

/// `brINSTANCEn` -> `berth_INSTANCE_n`: the table that the uplink's rules stand in.
fn table_of(host_if: &str) -> Option<String> {
    let rest = host_if.strip_prefix("br")?;
    let (instance, n) = (rest.get(..6)?, rest.get(6..)?);
    let hex = instance.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let number = !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    (hex && number).then(|| format!("berth_{instance}_{n}"))
}

fn with_note(error: &WorkerError, undo: &WorkerError) -> WorkerError {
    WorkerError::new(error.code, format!("{error}; and taking it back failed: {undo}"))
}

#[cfg(test)]
mod tests {
    use super::table_of;

    #[test]
    fn the_table_follows_from_the_uplink() {
        assert_eq!(table_of("brab12cd0").as_deref(), Some("berth_ab12cd_0"));
        assert_eq!(table_of("brab12cd17").as_deref(), Some("berth_ab12cd_17"));
        assert_eq!(table_of("br0"), None);
        assert_eq!(table_of("brab12cd"), None);
        assert_eq!(table_of("brab12; 0"), None);
    }
}
