//! The listening sockets: open at the very numbers that HAProxy's configuration names.
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use serde::Serialize;

use super::config::Wanted;
use crate::sys;

/// Connections that may wait while no HAProxy accepts; the kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 65_535;

/// One that is held, as the control plane is told.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Held {
    pub fd: i32,
    pub address: String,
    pub port: u16,
}

pub struct Sockets {
    /// The addresses that whoever started this process chose; all others must be private ones.
    front: Vec<SocketAddr>,
    held: BTreeMap<i32, (SocketAddr, OwnedFd)>,
}

impl Sockets {
    pub fn new(front: Vec<SocketAddr>) -> Self {
        Sockets { front, held: BTreeMap::new() }
    }

    /// Opens what is missing. When one can't be had, none is opened.
    pub fn take(&mut self, wanted: &[Wanted]) -> Result<(), String> {
        let mut opened = Vec::new();
        let result = wanted.iter().try_for_each(|one| {
            if self.take_one(one)? {
                opened.push(one.fd);
            }
            Ok(())
        });
        if result.is_err() {
            self.held.retain(|fd, _| !opened.contains(fd));
        }
        result
    }

    /// Whether it had to be opened.
    fn take_one(&mut self, wanted: &Wanted) -> Result<bool, String> {
        match self.held.get(&wanted.fd) {
            Some((address, _)) if *address == wanted.address => Ok(false),
            Some((address, _)) => Err(format!("number {} is {address} and can't become {}", wanted.fd, wanted.address)),
            None => {
                let socket = self.open(wanted).map_err(|reason| format!("can't listen on {}: {reason}", wanted.address))?;
                self.held.insert(wanted.fd, (wanted.address, socket));
                Ok(true)
            }
        }
    }

    fn open(&self, wanted: &Wanted) -> Result<OwnedFd, String> {
        if !self.front.contains(&wanted.address) && !is_private(wanted.address.ip()) {
            return Err("it is neither the front door nor an address of a VPC".into());
        }
        sys::listen_at(wanted.address, BACKLOG, wanted.fd).map_err(|error: io::Error| sys::reason(&error))
    }

    pub fn keep_only(&mut self, wanted: &[Wanted]) {
        self.held.retain(|fd, _| wanted.iter().any(|one| one.fd == *fd));
    }

    pub fn list(&self) -> Vec<Held> {
        self.held.iter().map(|(fd, (address, _))| Held { fd: *fd, address: address.ip().to_string(), port: address.port() }).collect()
    }
}

/// VPCs have ranges of RFC 1918 and RFC 6598. What belongs to the machine is not for the control plane to listen on.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1])),
        IpAddr::V6(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn opens_at_the_number_keeps_and_closes() {
        let front: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let mut sockets = Sockets::new(vec![front]);
        let (here, there) = (
            Wanted { fd: 1100, address: front },
            Wanted { fd: 1101, address: format!("10.255.254.253:{}", front.port()).parse().unwrap() },
        );
        sockets.take(&[here]).unwrap();
        // The address need not be there: it comes later.
        sockets.take(&[here, there]).unwrap();
        assert_eq!(sockets.list().iter().map(|one| one.fd).collect::<Vec<_>>(), [1100, 1101]);
        TcpStream::connect(front).unwrap();
        sockets.keep_only(&[there]);
        assert!(TcpStream::connect(front).is_err());
    }

    #[test]
    fn opens_all_or_none() {
        let front: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let mut sockets = Sockets::new(vec![front]);
        let here = Wanted { fd: 1110, address: front };
        let error = sockets.take(&[here, Wanted { fd: 1111, address: "127.0.0.1:22".parse().unwrap() }]).unwrap_err();
        assert_eq!(error, "can't listen on 127.0.0.1:22: it is neither the front door nor an address of a VPC");
        assert_eq!(sockets.list(), []);
        sockets.take(&[here]).unwrap();
        let other = Wanted { fd: 1110, address: "10.0.0.1:80".parse().unwrap() };
        assert!(sockets.take(&[other]).unwrap_err().contains("can't become 10.0.0.1:80"));
    }
}
