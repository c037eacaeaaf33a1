//! What a group used, in parts, as far as its layout tells it.
use std::collections::BTreeMap;
use std::path::Path;

use super::{keyed, number, Cgroups, Controller, Layout};
use crate::protocol::{IoStats, UsageDetail};

impl Cgroups {
    pub fn detail(&self, path: &str) -> UsageDetail {
        let at = |controller, file: &str| self.layout.directory(path, controller).map(|dir| dir.join(file));
        let unified = self.layout.unified(path).map(|dir| dir.join("cpu.stat"));
        let of = |file: Option<&Path>, key: &str, unit: u64| file.map_or(0, |file| keyed(file, key) * unit);
        let is_v2 = matches!(self.layout, Layout::V2 { .. });
        let account = |file: &str| at(Controller::Cpuacct, file).filter(|_| !is_v2);
        // Each layout's own words and units.
        let (user_ns, kernel_ns) = match (account("cpuacct.usage_user"), account("cpuacct.usage_sys")) {
            (Some(user), Some(kernel)) => (number(&user), number(&kernel)),
            _ => (of(unified.as_deref(), "user_usec", 1000), of(unified.as_deref(), "system_usec", 1000)),
        };
        let quota = at(Controller::Cpu, "cpu.stat");
        let throttled = if is_v2 { ("throttled_usec", 1000) } else { ("throttled_time", 1) };
        UsageDetail {
            user_ns,
            kernel_ns,
            periods: of(quota.as_deref(), "nr_periods", 1),
            throttled_periods: of(quota.as_deref(), "nr_throttled", 1),
            throttled_ns: of(quota.as_deref(), throttled.0, throttled.1),
            memory: at(Controller::Memory, "memory.stat").map_or_else(BTreeMap::new, |file| numbers(&text(&file))),
            io: unified.filter(|_| is_v2).map_or_else(Vec::new, |file| io(&text(&file.with_file_name("io.stat")))),
        }
    }
}

fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

/// Lines `key number`.
fn numbers(text: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| line.split_once(' ').and_then(|(key, value)| Some((key.to_string(), value.trim().parse().ok()?)));
    text.lines().filter_map(line).collect()
}

/// io.stat (cgroup-v2.rst): lines `MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N ...`; a device that did nothing may have no values.
fn io(text: &str) -> Vec<IoStats> {
    let line = |line: &str| {
        let (device, values) = line.split_once(' ')?;
        let (major, minor) = device.split_once(':')?;
        let value = |key: &str| {
            let found = values.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            found.and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        Some(IoStats {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            read_bytes: value("rbytes"),
            written_bytes: value("wbytes"),
            reads: value("rios"),
            writes: value("wios"),
        })
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_words() {
        let read = io("8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n7:1 \nx\n");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0], IoStats { major: 8, minor: 0, read_bytes: 4096, written_bytes: 0, reads: 1, writes: 0 });
        assert_eq!(numbers("anon 4096\nfile x\n").into_iter().collect::<Vec<_>>(), [("anon".to_string(), 4096)]);
    }
}
