//! What a task sends to some addresses comes later: netem (tc-netem(8)) behind its interface, in the calling thread's network namespace. The
//! same as the ECS agent's `tc` makes: bands, of which the second delays, and filters that say what goes there.
use std::net::Ipv4Addr;

use super::netlink::{failed, Batch, Netlink};
use super::parse_cidr;
use crate::protocol::{ErrorCode, Latency, WorkerError};

const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_NEWTFILTER: u16 = 44;
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
/// A task has one interface, whichever its kind of sandbox.
const NAME: &str = "eth0";
const ROOT: u32 = 0xffff_ffff;
/// `1:`, and its bands `1:1` and `1:2`.
const BANDS: u32 = 0x1_0000;
const STRAIGHT: u32 = BANDS + 1;
const DELAYED: u32 = BANDS + 2;
const NETEM: u32 = 0x10_0000;
const NETEM_LATENCY64: u16 = 10;
const NETEM_JITTER64: u16 = 11;
const U32_CLASSID: u16 = 1;
const U32_SEL: u16 = 5;
/// Packets that are on their way at most, as `tc` has it.
const LIMIT: u32 = 1000;
const DESTINATION: i32 = 16;

impl Batch {
    /// struct tcmsg.
    fn begin_traffic(&mut self, kind: u16, flags: i32, what: &str, tolerated: i32, (index, handle, parent, info): (i32, u32, u32, u32)) {
        self.begin(kind, flags, what.to_string(), tolerated);
        let head = [&[libc::AF_UNSPEC as u8, 0, 0, 0][..], &index.to_ne_bytes(), &handle.to_ne_bytes(), &parent.to_ne_bytes()].concat();
        self.raw(&head);
        self.raw(&info.to_ne_bytes());
    }

    fn delete_queue(&mut self, index: i32) {
        // Of one that is not there the kernel says ENOENT.
        self.begin_traffic(RTM_DELQDISC, 0, "take the latency away", libc::ENOENT, (index, 0, ROOT, 0));
        self.end();
    }

    /// struct tc_prio_qopt: all goes to the first of two bands, unless a filter says otherwise.
    fn add_bands(&mut self, index: i32) {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.begin_traffic(RTM_NEWQDISC, flags, "divide what the interface sends (sch_prio)", 0, (index, BANDS, ROOT, 0));
        self.attribute(KIND, b"prio\0");
        self.attribute(OPTIONS, &[&2_i32.to_ne_bytes()[..], &[0; 16]].concat());
        self.end();
    }

    /// struct tc_netem_qopt, and the times in nanoseconds.
    fn add_delay(&mut self, index: i32, latency: &Latency) {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.begin_traffic(RTM_NEWQDISC, flags, "delay what the interface sends (sch_netem)", 0, (index, NETEM, DELAYED, 0));
        self.attribute(KIND, b"netem\0");
        let at = self.open(OPTIONS);
        self.raw(&[&0_u32.to_ne_bytes()[..], &LIMIT.to_ne_bytes(), &[0; 16]].concat());
        let nanoseconds = |ms: u64| ms.saturating_mul(1_000_000).min(i64::MAX as u64).to_ne_bytes();
        self.attribute(NETEM_LATENCY64, &nanoseconds(latency.delay_ms));
        self.attribute(NETEM_JITTER64, &nanoseconds(latency.jitter_ms));
        self.close(at);
        self.end();
    }

    /// struct tc_u32_sel with one key: the destination's address. The lower `priority` is asked first.
    fn add_filter(&mut self, index: i32, priority: u32, (address, prefix): (Ipv4Addr, u8), class: u32) {
        let info = (priority << 16) | u32::from((libc::ETH_P_IP as u16).to_be());
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.begin_traffic(RTM_NEWTFILTER, flags, "choose what is delayed (cls_u32)", 0, (index, 0, BANDS, info));
        self.attribute(KIND, b"u32\0");
        let at = self.open(OPTIONS);
        self.attribute(U32_CLASSID, &class.to_ne_bytes());
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        let (terminal, keys) = (1, 1);
        let key = [&mask.to_be_bytes()[..], &(u32::from(address) & mask).to_be_bytes(), &DESTINATION.to_ne_bytes(), &[0; 4]].concat();
        self.attribute(U32_SEL, &[&[terminal, 0, keys, 0][..], &[0; 12], &key].concat());
        self.close(at);
        self.end();
    }
}

fn parse_block(text: &str) -> Result<(Ipv4Addr, u8), WorkerError> {
    match text.split_once('/') {
        Some((address, "0")) => parse_cidr(&format!("{address}/1")).map(|(address, _)| (address, 0)),
        Some(_) => parse_cidr(text),
        None => parse_cidr(&format!("{text}/32")),
    }
}

/// Replaces what was there; None takes it away. Fails where this kernel lacks netem, and says so.
pub fn set_latency(latency: Option<&Latency>) -> Result<(), WorkerError> {
    let netlink = Netlink::open().map_err(failed("open a netlink socket"))?;
    let index = netlink.link(NAME)?.ok_or_else(|| WorkerError::new(ErrorCode::NotFound, "the task has no interface"))?.index;
    let clear = || {
        let mut batch = Batch::default();
        batch.delete_queue(index);
        netlink.run(batch)
    };
    clear()?;
    let Some(latency) = latency else { return Ok(()) };
    let mut batch = Batch::default();
    batch.add_bands(index);
    batch.add_delay(index, latency);
    for block in &latency.except {
        batch.add_filter(index, 1, parse_block(block)?, STRAIGHT);
    }
    for block in &latency.to {
        batch.add_filter(index, 2, parse_block(block)?, DELAYED);
    }
    netlink.run(batch).map_err(|e| {
        let _ = clear();
        WorkerError::new(e.code, format!("this kernel can't: {}", e.message))
    })
}
