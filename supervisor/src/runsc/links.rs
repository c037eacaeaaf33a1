//! The network of a gVisor sandbox: its own stack inside, tied to the task's veth by a packet socket that it is given.
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use serde_json::{json, Value};

use super::urpc::{Connection, Error};
use crate::base64::encode as base64;
use crate::net;
use crate::protocol::NetworkBundle;
use crate::sys;

const PATIENCE: Duration = Duration::from_secs(10);
/// As runsc takes them: what a packet socket has by default is dropped from at high rates.
const BUFFER_BYTES: libc::c_int = 4 << 20;
/// The kernel's own default for a link (GSO_LEGACY_MAX_SIZE).
const GSO_BYTES: u32 = 65_536;
/// `config.QDiscFIFO` there.
const FIFO: u32 = 1;

/// Gives the sandbox its loopback and, where the task has a network, `eth0` with the task's address. Called in the task's network
/// namespace, whose own end of the veth has no address: the sandbox answers for it.
pub fn create(socket: &Path, network: Option<&NetworkBundle>) -> Result<(), Error> {
    let packets = network.map(|_| packet_socket(net::ETH0)).transpose()?;
    let args = arguments(network)?;
    let files: Vec<_> = packets.iter().map(AsFd::as_fd).collect();
    Connection::open(socket, Some(PATIENCE))?.call("Network.CreateLinksAndRoutes", &args, &files).map(drop)
}

/// boot.CreateLinksAndRoutesArgs.
fn arguments(network: Option<&NetworkBundle>) -> Result<Value, Error> {
    let route = |ip: &str, mask: &[u8]| json!({ "Destination": { "IP": ip, "Mask": base64(mask) } });
    let lo = json!({
        "Name": "lo",
        "Addresses": [{ "Address": "127.0.0.1", "PrefixLen": 8 }, { "Address": "::1", "PrefixLen": 128 }],
        "Routes": [route("127.0.0.0", &[255, 0, 0, 0]), route("::1", &[255; 16])],
    });
    let Some(network) = network else { return Ok(json!({ "LoopbackLinks": [lo] })) };
    let mac = |text: &str| net::parse_mac(text).map_err(|e| Error::Refused(e.message));
    Ok(json!({
        "LoopbackLinks": [lo],
        "FDBasedLinks": [{
            "Name": "eth0",
            "InterfaceIndex": net::ETH0,
            "MTU": network.mtu,
            "Addresses": [{ "Address": network.ip, "PrefixLen": 32 }],
            "Routes": [],
            "GSOMaxSize": GSO_BYTES,
            "RXChecksumOffload": true,
            "LinkAddress": base64(&mac(&network.mac)?),
            "QDisc": FIFO,
            "Neighbors": [{ "IP": network.gateway_ip, "HardwareAddr": base64(&mac(&network.gateway_mac)?) }],
            "NumChannels": 1,
        }],
        "Defaultv4Gateway": {
            "Name": "eth0",
            "Route": { "Destination": { "IP": "0.0.0.0", "Mask": base64(&[0; 4]) }, "Gateway": network.gateway_ip },
        },
    }))
}

/// All that comes in on the link, with the kernel's headers for segments that it may leave whole.
fn packet_socket(index: i32) -> io::Result<OwnedFd> {
    // Without a protocol at first: binding is quick then.
    // SAFETY: no pointers; the descriptor that comes back is ours alone.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        OwnedFd::from_raw_fd(sys::check(libc::c_long::from(fd))? as i32)
    };
    // SAFETY: all zeros is a valid sockaddr_ll; the pointer is to `address`, of the size that is told.
    unsafe {
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index;
        let bound = libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as u32);
        sys::check(libc::c_long::from(bound))?;
    }
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
    for option in [libc::SO_RCVBUFFORCE, libc::SO_SNDBUFFORCE] {
        set_option(&socket, libc::SOL_SOCKET, option, BUFFER_BYTES)?;
    }
    Ok(socket)
}

fn set_option(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the pointer is to `value`, of the size that is told.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size_of::<libc::c_int>() as u32) };
    sys::check(libc::c_long::from(set)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_a_network_has_its_loopback() {
        let args = arguments(None).unwrap();
        assert_eq!(args["LoopbackLinks"][0]["Name"], "lo");
        assert!(args.get("FDBasedLinks").is_none());
    }
}
