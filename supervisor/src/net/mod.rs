//! Network of VPCs and tasks: namespaces, veth pairs, addresses and routes by raw netlink.
mod guest;
mod latency;
mod netlink;
mod netns;
mod nft;
mod tap;
mod task;
#[cfg(test)]
mod tests;
mod vpc;

use std::io::ErrorKind;
use std::net::Ipv4Addr;

pub use guest::{guest_down, guest_prepare, guest_up};
pub use latency::set_latency;
pub use netns::Netns;
pub use tap::{tap_create, tap_up};
pub use task::{task_down, task_leave, task_up, Addressed, ETH0};
pub use vpc::{router_rules, vpc_down, vpc_up};

use crate::protocol::{ErrorCode, WorkerError};
use netlink::failed;
pub use netlink::Mac;

/// Longest interface name (IFNAMSIZ less its NUL).
const NAME_BYTES: usize = 15;

fn invalid(what: &str, value: &str) -> WorkerError {
    WorkerError::new(ErrorCode::Invalid, format!("{value:?} is not {what}"))
}

fn parse_address(text: &str) -> Result<Ipv4Addr, WorkerError> {
    text.parse().map_err(|_| invalid("an IPv4 address", text))
}

fn parse_cidr(text: &str) -> Result<(Ipv4Addr, u8), WorkerError> {
    let bad = || invalid("an IPv4 range", text);
    let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
    let prefix: u8 = prefix.parse().map_err(|_| bad())?;
    if !(1..=32).contains(&prefix) {
        return Err(bad());
    }
    Ok((parse_address(address)?, prefix))
}

pub fn parse_mac(text: &str) -> Result<Mac, WorkerError> {
    let bad = || invalid("a MAC address", text);
    let bytes: Vec<u8> = text
        .split(':')
        .map(|part| (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok()).flatten())
        .collect::<Option<_>>()
        .ok_or_else(bad)?;
    bytes.try_into().map_err(|_| bad())
}

fn parse_name(text: &str) -> Result<&str, WorkerError> {
    let fits = (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        Ok(text)
    } else {
        Err(invalid("an interface's name of at most 15 letters, digits, dashes or underscores", text))
    }
}

/// Writes a setting of the calling thread's network namespace. Settings of an IPv6 that this kernel lacks need no writing.
fn write_sysctl(name: &str, value: &str) -> Result<(), WorkerError> {
    match std::fs::write(format!("/proc/sys/{name}"), value) {
        Err(error) if error.kind() == ErrorKind::NotFound && name.starts_with("net/ipv6/") => Ok(()),
        result => result.map_err(failed(&format!("set {name} to {value}"))),
    }
}

fn read_sysctl(name: &str) -> Result<String, WorkerError> {
    let value = std::fs::read_to_string(format!("/proc/sys/{name}")).map_err(failed(&format!("read {name}")))?;
    Ok(value.trim().to_owned())
}
