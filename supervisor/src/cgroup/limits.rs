//! What limits mean as writes to control files. Pure.
use super::layout::{Controller, Layout};
use crate::protocol::CgroupLimits;

/// One write; `required`: without it the limit would not hold, so a failure is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub controller: Controller,
    pub file: &'static str,
    pub value: String,
    pub required: bool,
}

const PERIOD_US: u64 = 100_000;
/// The kernel refuses a quota under 1 ms.
const LEAST_QUOTA_US: u64 = 1_000;

impl CgroupLimits {
    /// The narrower of both; the weight is this one's, since the other's is among groups below.
    pub fn with(&self, inner: &CgroupLimits) -> CgroupLimits {
        let least = |a: Option<u64>, b: Option<u64>| [a, b].into_iter().flatten().min();
        CgroupLimits {
            cpu_millis: least(self.cpu_millis, inner.cpu_millis),
            cpu_shares: self.cpu_shares,
            memory_bytes: least(self.memory_bytes, inner.memory_bytes),
            memory_reservation_bytes: inner.memory_reservation_bytes,
            pids: least(self.pids, inner.pids),
        }
    }
}

/// The writes for `limits`, in the order in which they must be made.
pub fn writes(layout: &Layout, limits: &CgroupLimits) -> Vec<Write> {
    let mut out = Vec::new();
    let mut put = |controller, file, value: String, required| out.push(Write { controller, file, value, required });
    let quota_us = limits.cpu_millis.map(|millis| (millis * PERIOD_US / 1000).max(LEAST_QUOTA_US));
    match layout {
        Layout::V1 { .. } => {
            if let Some(quota) = quota_us {
                put(Controller::Cpu, "cpu.cfs_period_us", PERIOD_US.to_string(), true);
                put(Controller::Cpu, "cpu.cfs_quota_us", quota.to_string(), true);
            }
            if let Some(shares) = limits.cpu_shares {
                put(Controller::Cpu, "cpu.shares", shares.clamp(2, 262_144).to_string(), true);
            }
            if let Some(bytes) = limits.memory_bytes {
                put(Controller::Memory, "memory.limit_in_bytes", bytes.to_string(), true);
                // Absent without swap accounting; then there is no swap limit to keep.
                put(Controller::Memory, "memory.memsw.limit_in_bytes", bytes.to_string(), false);
            }
            if let Some(bytes) = limits.memory_reservation_bytes {
                put(Controller::Memory, "memory.soft_limit_in_bytes", bytes.to_string(), true);
            }
            if let Some(pids) = limits.pids {
                put(Controller::Pids, "pids.max", pids.to_string(), true);
            }
        }
        Layout::V2 { .. } => {
            if let Some(quota) = quota_us {
                put(Controller::Cpu, "cpu.max", format!("{quota} {PERIOD_US}"), true);
            }
            if let Some(shares) = limits.cpu_shares {
                put(Controller::Cpu, "cpu.weight", weight(shares).to_string(), true);
            }
            if let Some(bytes) = limits.memory_bytes {
                put(Controller::Memory, "memory.max", bytes.to_string(), true);
                put(Controller::Memory, "memory.swap.max", "0".to_string(), false);
            }
            if let Some(bytes) = limits.memory_reservation_bytes {
                put(Controller::Memory, "memory.low", bytes.to_string(), true);
            }
            if let Some(pids) = limits.pids {
                put(Controller::Pids, "pids.max", pids.to_string(), true);
            }
        }
    }
    out
}

/// cpu.shares (2..=262144) to cpu.weight (1..=10000), as runc and systemd convert them.
fn weight(shares: u64) -> u64 {
    1 + ((shares.clamp(2, 262_144) - 2) * 9_999) / 262_142
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const LIMITS: CgroupLimits = CgroupLimits {
        cpu_millis: Some(250),
        cpu_shares: Some(1024),
        memory_bytes: Some(536_870_912),
        memory_reservation_bytes: Some(1 << 20),
        pids: Some(4096),
    };

    fn rendered(layout: &Layout, limits: &CgroupLimits) -> Vec<String> {
        writes(layout, limits).iter().map(|w| format!("{}={}", w.file, w.value)).collect()
    }

    #[test]
    fn the_narrower_limit_holds() {
        let inner = CgroupLimits {
            cpu_millis: None,
            cpu_shares: Some(2),
            memory_bytes: Some(1 << 20),
            memory_reservation_bytes: Some(1 << 19),
            pids: Some(8192),
        };
        let expected = CgroupLimits { memory_bytes: Some(1 << 20), memory_reservation_bytes: Some(1 << 19), ..LIMITS };
        assert_eq!(LIMITS.with(&inner), expected);
        assert_eq!(CgroupLimits::default().with(&CgroupLimits::default()), CgroupLimits::default());
    }

    #[test]
    fn renders_v1() {
        let layout = Layout::V1 { hierarchies: Vec::new(), unified: None };
        let expected = [
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=25000",
            "cpu.shares=1024",
            "memory.limit_in_bytes=536870912",
            "memory.memsw.limit_in_bytes=536870912",
            "memory.soft_limit_in_bytes=1048576",
            "pids.max=4096",
        ];
        assert_eq!(rendered(&layout, &LIMITS), expected);
        assert!(writes(&layout, &CgroupLimits::default()).is_empty());
    }

    #[test]
    fn renders_v2() {
        let layout = Layout::V2 { root: PathBuf::from("/sys/fs/cgroup") };
        let expected =
            ["cpu.max=25000 100000", "cpu.weight=39", "memory.max=536870912", "memory.swap.max=0", "memory.low=1048576", "pids.max=4096"];
        assert_eq!(rendered(&layout, &LIMITS), expected);
        assert_eq!((weight(2), weight(262_144), weight(0)), (1, 10_000, 1));
    }
}
