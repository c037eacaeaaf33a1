//! Raw rtnetlink (rtnetlink(7)): batches of requests in one send, one acknowledgement each.
use std::ffi::CStr;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::netns::Netns;
use crate::protocol::{ErrorCode, WorkerError};

/// Kernel's `VETH_INFO_PEER` (linux/veth.h), which libc lacks.
const VETH_INFO_PEER: u16 = 1;
/// Kernel's `RTNH_F_ONLINK`: the gateway is on the link although no address says so.
const ONLINK: u32 = 4;
const RECEIVE_BYTES: usize = 64 * 1024;

pub type Mac = [u8; 6];

/// What to do about a route to the same destination that is there already.
pub enum Present {
    Refuse,
    Keep,
    Replace,
}

/// One end of a veth pair.
pub struct VethEnd<'a> {
    pub name: &'a str,
    /// Interface index to take; 0 lets the kernel choose.
    pub index: i32,
    pub mac: Option<Mac>,
    pub mtu: u32,
}

/// A link as the kernel lists it.
pub struct Link {
    pub index: i32,
    pub alias: Option<String>,
}

struct Message {
    sequence: u32,
    what: String,
    /// An errno that means the wish is already fulfilled; 0 for none.
    tolerated: i32,
}

/// Requests that are sent together. The kernel works on all of them even when an early one fails.
#[derive(Default)]
pub struct Batch {
    buffer: Vec<u8>,
    messages: Vec<Message>,
    start: usize,
}

impl Batch {
    pub(super) fn begin(&mut self, kind: u16, flags: i32, what: String, tolerated: i32) {
        self.start = self.buffer.len();
        let sequence = self.messages.len() as u32 + 1;
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16;
        self.buffer.extend_from_slice(&0u32.to_ne_bytes());
        self.buffer.extend_from_slice(&kind.to_ne_bytes());
        self.buffer.extend_from_slice(&flags.to_ne_bytes());
        self.buffer.extend_from_slice(&sequence.to_ne_bytes());
        self.buffer.extend_from_slice(&0u32.to_ne_bytes());
        self.messages.push(Message { sequence, what, tolerated });
    }

    pub(super) fn end(&mut self) {
        let length = (self.buffer.len() - self.start) as u32;
        self.buffer[self.start..self.start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.buffer.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
        self.buffer.extend_from_slice(&kind.to_ne_bytes());
        self.buffer.extend_from_slice(value);
        self.buffer.resize(self.buffer.len().next_multiple_of(4), 0);
    }

    fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes);
    }

    pub(super) fn open(&mut self, kind: u16) -> usize {
        let at = self.buffer.len();
        self.attribute(kind, &[]);
        at
    }

    pub(super) fn close(&mut self, at: usize) {
        let length = (self.buffer.len() - at) as u16;
        self.buffer[at..at + 2].copy_from_slice(&length.to_ne_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// struct ifinfomsg.
    fn link_header(&mut self, index: i32, up: bool) {
        let flag = if up { libc::IFF_UP as u32 } else { 0 };
        self.buffer.extend_from_slice(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        self.buffer.extend_from_slice(&index.to_ne_bytes());
        self.buffer.extend_from_slice(&flag.to_ne_bytes());
        self.buffer.extend_from_slice(&flag.to_ne_bytes());
    }

    fn veth_end(&mut self, end: &VethEnd) {
        self.text(libc::IFLA_IFNAME, end.name);
        self.attribute(libc::IFLA_MTU, &end.mtu.to_ne_bytes());
        if let Some(mac) = end.mac {
            self.attribute(libc::IFLA_ADDRESS, &mac);
        }
    }

    /// A veth pair: `near`, up, in the socket's namespace, `far` in the namespace behind `far_netns`, down (the kernel refuses to make
    /// it up: ENOTCONN).
    pub fn add_veth(&mut self, near: &VethEnd, far: &VethEnd, far_netns: RawFd) {
        let what = format!("create the link {} to {}", near.name, far.name);
        self.begin(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, what, 0);
        self.link_header(near.index, true);
        self.veth_end(near);
        let info = self.open(libc::IFLA_LINKINFO);
        self.attribute(libc::IFLA_INFO_KIND, b"veth");
        let data = self.open(libc::IFLA_INFO_DATA);
        let peer = self.open(VETH_INFO_PEER);
        self.link_header(far.index, false);
        self.veth_end(far);
        self.attribute(libc::IFLA_NET_NS_FD, &far_netns.to_ne_bytes());
        self.close(peer);
        self.close(data);
        self.close(info);
        self.end();
    }

    /// Names a link: IFLA_IFALIAS is not looked at when a link is made.
    pub fn set_alias(&mut self, index: i32, alias: &str) {
        self.begin(libc::RTM_NEWLINK, 0, format!("name the link {index}"), 0);
        self.link_header(index, true);
        self.attribute(libc::IFLA_IFALIAS, alias.as_bytes());
        self.end();
    }

    pub fn set_up(&mut self, index: i32) {
        self.begin(libc::RTM_NEWLINK, 0, format!("bring the link {index} up"), 0);
        self.link_header(index, true);
        self.end();
    }

    /// To the namespace behind `netns`, where it gets another name and is down.
    pub fn move_link(&mut self, index: i32, netns: RawFd, name: &str) {
        self.begin(libc::RTM_NEWLINK, 0, format!("move the link {name} to the router"), 0);
        self.link_header(index, false);
        self.text(libc::IFLA_IFNAME, name);
        self.attribute(libc::IFLA_NET_NS_FD, &netns.to_ne_bytes());
        self.end();
    }

    /// Up, with this address and size of packets.
    pub fn set_up_as(&mut self, index: i32, mac: Mac, mtu: u32) {
        self.begin(libc::RTM_NEWLINK, 0, format!("bring the link {index} up"), 0);
        self.link_header(index, true);
        self.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
        self.attribute(libc::IFLA_ADDRESS, &mac);
        self.end();
    }

    /// Missing is fine.
    pub fn delete_link(&mut self, name: &str) {
        self.begin(libc::RTM_DELLINK, 0, format!("delete the link {name}"), libc::ENODEV);
        self.link_header(0, false);
        self.text(libc::IFLA_IFNAME, name);
        self.end();
    }

    /// Present is fine.
    pub fn add_address(&mut self, index: i32, address: Ipv4Addr, prefix: u8) {
        let what = format!("add the address {address}/{prefix}");
        self.begin(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, what, libc::EEXIST);
        // struct ifaddrmsg: family, prefix, flags, scope (universe), index.
        self.buffer.extend_from_slice(&[libc::AF_INET as u8, prefix, 0, 0]);
        self.buffer.extend_from_slice(&index.to_ne_bytes());
        self.attribute(libc::IFA_LOCAL, &address.octets());
        self.attribute(libc::IFA_ADDRESS, &address.octets());
        self.end();
    }

    /// Missing is fine.
    pub fn delete_address(&mut self, index: i32, address: Ipv4Addr, prefix: u8) {
        self.begin(libc::RTM_DELADDR, 0, format!("delete the address {address}/{prefix}"), libc::EADDRNOTAVAIL);
        self.buffer.extend_from_slice(&[libc::AF_INET as u8, prefix, 0, 0]);
        self.buffer.extend_from_slice(&index.to_ne_bytes());
        self.attribute(libc::IFA_LOCAL, &address.octets());
        self.end();
    }

    /// A route out of the link `index`; without a gateway the destination is on the link itself.
    pub fn add_route(&mut self, destination: (Ipv4Addr, u8), gateway: Option<Ipv4Addr>, index: i32, present: Present) {
        let (address, prefix) = destination;
        let what = format!("add the route to {address}/{prefix}");
        let (flag, tolerated) = match present {
            Present::Refuse => (libc::NLM_F_EXCL, 0),
            Present::Keep => (libc::NLM_F_EXCL, libc::EEXIST),
            Present::Replace => (libc::NLM_F_REPLACE, 0),
        };
        self.begin(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | flag, what, tolerated);
        let scope = if gateway.is_some() { libc::RT_SCOPE_UNIVERSE } else { libc::RT_SCOPE_LINK };
        // struct rtmsg: family, destination and source prefix, TOS, table, protocol, scope, type, flags.
        let family = libc::AF_INET as u8;
        self.buffer.extend_from_slice(&[family, prefix, 0, 0, libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, scope, libc::RTN_UNICAST]);
        self.buffer.extend_from_slice(&(if gateway.is_some() { ONLINK } else { 0 }).to_ne_bytes());
        if prefix > 0 {
            self.attribute(libc::RTA_DST, &address.octets());
        }
        if let Some(gateway) = gateway {
            self.attribute(libc::RTA_GATEWAY, &gateway.octets());
        }
        self.attribute(libc::RTA_OIF, &index.to_ne_bytes());
        self.end();
    }

    /// What no narrower route leads to is answered with "unreachable" at once; kept when it is there already.
    pub fn add_unreachable(&mut self, destination: (Ipv4Addr, u8)) {
        let (address, prefix) = destination;
        let what = format!("add the unreachable route to {address}/{prefix}");
        self.begin(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, what, libc::EEXIST);
        let (family, scope) = (libc::AF_INET as u8, libc::RT_SCOPE_UNIVERSE);
        self.buffer.extend_from_slice(&[family, prefix, 0, 0, libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, scope, libc::RTN_UNREACHABLE]);
        self.buffer.extend_from_slice(&0u32.to_ne_bytes());
        self.attribute(libc::RTA_DST, &address.octets());
        self.end();
    }

    /// Whatever link it leads to; missing is fine.
    pub fn delete_route(&mut self, destination: (Ipv4Addr, u8)) {
        let (address, prefix) = destination;
        self.begin(libc::RTM_DELROUTE, 0, format!("delete the route to {address}/{prefix}"), libc::ESRCH);
        let family = libc::AF_INET as u8;
        // Protocol and type 0, scope "nowhere": any.
        self.buffer.extend_from_slice(&[family, prefix, 0, 0, libc::RT_TABLE_MAIN, 0, libc::RT_SCOPE_NOWHERE, 0]);
        self.buffer.extend_from_slice(&0u32.to_ne_bytes());
        self.attribute(libc::RTA_DST, &address.octets());
        self.end();
    }

    /// The route to `address` alone that leads out of the link `index`; missing is fine.
    pub fn delete_route_by(&mut self, address: Ipv4Addr, index: i32) {
        self.begin(libc::RTM_DELROUTE, 0, format!("delete the route to {address}"), libc::ESRCH);
        self.buffer.extend_from_slice(&[libc::AF_INET as u8, 32, 0, 0, libc::RT_TABLE_MAIN, 0, libc::RT_SCOPE_NOWHERE, 0]);
        self.buffer.extend_from_slice(&0u32.to_ne_bytes());
        self.attribute(libc::RTA_DST, &address.octets());
        self.attribute(libc::RTA_OIF, &index.to_ne_bytes());
        self.end();
    }

    /// A permanent neighbour: nobody needs to ask for `address` by ARP.
    pub fn add_neighbour(&mut self, index: i32, address: Ipv4Addr, mac: Mac) {
        let what = format!("add the neighbour {address}");
        self.begin(libc::RTM_NEWNEIGH, libc::NLM_F_CREATE | libc::NLM_F_REPLACE, what, 0);
        // struct ndmsg: family, padding, index, state, flags, type.
        self.buffer.extend_from_slice(&[libc::AF_INET as u8, 0, 0, 0]);
        self.buffer.extend_from_slice(&index.to_ne_bytes());
        self.buffer.extend_from_slice(&libc::NUD_PERMANENT.to_ne_bytes());
        self.buffer.extend_from_slice(&[0, 0]);
        self.attribute(libc::NDA_DST, &address.octets());
        self.attribute(libc::NDA_LLADDR, &mac);
        self.end();
    }
}

/// A netlink socket; it stays in the network namespace that it was opened in.
pub struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    /// In the calling thread's namespace.
    pub fn open() -> io::Result<Netlink> {
        // SAFETY: socket(2) takes no pointers.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just gave this descriptor to us alone.
        Ok(Netlink { socket: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    pub fn open_in(netns: &Netns) -> io::Result<Netlink> {
        netns.within(Netlink::open)?
    }

    /// Sends all and waits for every acknowledgement; the error is the first request's that failed.
    pub fn run(&self, batch: Batch) -> Result<(), WorkerError> {
        if batch.messages.is_empty() {
            return Ok(());
        }
        self.send(&batch.buffer).map_err(failed("talk to the kernel's routing"))?;
        let mut buffer = vec![0u8; RECEIVE_BYTES];
        let mut first: Option<WorkerError> = None;
        let mut open = batch.messages.len();
        while open > 0 {
            let length = self.receive(&mut buffer).map_err(failed("talk to the kernel's routing"))?;
            for (kind, sequence, payload) in messages(&buffer[..length]) {
                let Some(message) = batch.messages.iter().find(|m| m.sequence == sequence) else { continue };
                if kind != libc::NLMSG_ERROR as u16 {
                    continue;
                }
                open -= 1;
                let errno = -read_i32(payload, 0);
                if errno != 0 && errno != message.tolerated && first.is_none() {
                    first = Some(failed(&message.what)(io::Error::from_raw_os_error(errno)));
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// The link of this name; None when there is none.
    pub fn link(&self, name: &str) -> Result<Option<Link>, WorkerError> {
        let mut batch = Batch::default();
        batch.begin(libc::RTM_GETLINK, 0, String::new(), 0);
        batch.link_header(0, false);
        batch.text(libc::IFLA_IFNAME, name);
        batch.end();
        match self.ask(&batch.buffer, libc::RTM_NEWLINK, read_link) {
            Ok(mut links) => Ok(links.pop()),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(failed(&format!("look for the link {name}"))(error)),
        }
    }

    pub fn links(&self) -> Result<Vec<Link>, WorkerError> {
        let mut batch = Batch::default();
        batch.begin(libc::RTM_GETLINK, libc::NLM_F_DUMP, String::new(), 0);
        batch.link_header(0, false);
        batch.end();
        self.ask(&batch.buffer, libc::RTM_NEWLINK, read_link).map_err(failed("list the links"))
    }

    /// The link's addresses with this prefix.
    pub fn addresses(&self, index: i32, prefix: u8) -> Result<Vec<Ipv4Addr>, WorkerError> {
        let mut batch = Batch::default();
        batch.begin(libc::RTM_GETADDR, libc::NLM_F_DUMP, String::new(), 0);
        batch.buffer.extend_from_slice(&[libc::AF_INET as u8, 0, 0, 0]);
        batch.buffer.extend_from_slice(&0u32.to_ne_bytes());
        batch.end();
        let all = self.ask(&batch.buffer, libc::RTM_NEWADDR, read_address).map_err(failed("list the addresses"))?;
        Ok(all.into_iter().flatten().filter(|one| one.index == index && one.prefix == prefix).map(|one| one.address).collect())
    }

    /// What `read` makes of the answers of one kind, up to the acknowledgement or the end of a dump.
    fn ask<T>(&self, request: &[u8], wanted: u16, read: fn(&[u8]) -> T) -> io::Result<Vec<T>> {
        self.send(request)?;
        let mut buffer = vec![0u8; RECEIVE_BYTES];
        let mut found = Vec::new();
        loop {
            let length = self.receive(&mut buffer)?;
            for (kind, _, payload) in messages(&buffer[..length]) {
                if kind == wanted {
                    found.push(read(payload));
                } else if kind == libc::NLMSG_DONE as u16 {
                    return Ok(found);
                } else if kind == libc::NLMSG_ERROR as u16 {
                    return match -read_i32(payload, 0) {
                        0 => Ok(found),
                        errno => Err(io::Error::from_raw_os_error(errno)),
                    };
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        // SAFETY: the pointer and length are those of a live slice.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // SAFETY: the pointer and length are those of a live, writable slice.
            let got = unsafe { libc::recv(self.socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            if got >= 0 {
                return Ok(got as usize);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

/// Turns an error of the operating system into the answer `can't WHAT: REASON`.
pub fn failed(what: &str) -> impl Fn(io::Error) -> WorkerError + '_ {
    move |error| {
        let code = match error.raw_os_error() {
            Some(libc::EEXIST) => ErrorCode::Exists,
            Some(libc::ENOSPC) => ErrorCode::NoSpace,
            _ => ErrorCode::Failed,
        };
        WorkerError::new(code, format!("can't {what}: {error}"))
    }
}

/// (type, sequence, payload) of each message in a datagram.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, u32, &[u8])> {
    std::iter::from_fn(move || {
        let length = read_i32(bytes, 0) as usize;
        if bytes.len() < 16 || length < 16 || length > bytes.len() {
            return None;
        }
        let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
        let message = (kind, read_i32(bytes, 8) as u32, &bytes[16..length]);
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
        Some(message)
    })
}

fn read_i32(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, i32::from_ne_bytes)
}

/// (type, value) of each attribute.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        if rest.len() < 4 {
            return None;
        }
        let length = u16::from_ne_bytes([rest[0], rest[1]]) as usize;
        if length < 4 || length > rest.len() {
            return None;
        }
        let attribute = (u16::from_ne_bytes([rest[2], rest[3]]), &rest[4..length]);
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        Some(attribute)
    })
}

fn read_link(payload: &[u8]) -> Link {
    let mut link = Link { index: read_i32(payload, 4), alias: None };
    for (kind, value) in attributes(payload.get(16..).unwrap_or_default()) {
        if kind == libc::IFLA_IFALIAS {
            let value = CStr::from_bytes_until_nul(value).map_or(value, CStr::to_bytes);
            link.alias = Some(String::from_utf8_lossy(value).into_owned());
        }
    }
    link
}

struct LinkAddress {
    index: i32,
    prefix: u8,
    address: Ipv4Addr,
}

/// struct ifaddrmsg: family, prefix, flags, scope, index.
fn read_address(payload: &[u8]) -> Option<LinkAddress> {
    let (prefix, index) = (*payload.get(1)?, read_i32(payload, 4));
    let (_, value) = attributes(payload.get(8..)?).find(|(kind, _)| *kind == libc::IFA_LOCAL)?;
    let octets: [u8; 4] = value.try_into().ok()?;
    Some(LinkAddress { index, prefix, address: Ipv4Addr::from(octets) })
}
