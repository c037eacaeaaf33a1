//! What one container of a gVisor sandbox takes, as its kernel counts it.
use std::time::Duration;

use serde_json::{json, Value};

use super::room::Room;
use super::urpc::Connection;
use crate::protocol::CgroupStats;

/// The supervisor waits for this: a sandbox that doesn't answer at once is stopped or overloaded, and then nothing is said.
const PATIENCE: Duration = Duration::from_millis(200);

/// None when the sandbox doesn't say.
pub fn of_container(room: &Room, index: usize) -> Option<CgroupStats> {
    let cid = room.cid(index);
    let mut control = Connection::open(&room.control(), Some(PATIENCE)).ok()?;
    parse(&control.call("containerManager.Event", &json!(cid), &[]).ok()?, &cid)
}

/// boot.EventOut.
fn parse(said: &Value, cid: &str) -> Option<CgroupStats> {
    let number = |path: &str| said.pointer(path).and_then(Value::as_u64);
    let total = number("/event/data/cpu/usage/total").filter(|total| *total > 0);
    let apart = said.get("containerUsage").and_then(|all| all.get(cid)).and_then(Value::as_u64);
    Some(CgroupStats {
        cpu_ns: total.or(apart).unwrap_or(0),
        memory_bytes: number("/event/data/memory/usage/usage")?,
        pids: number("/event/data/pids/current")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_gvisor_says() {
        let data = json!({ "cpu": { "usage": { "total": 0 } }, "memory": { "usage": { "usage": 4096 } }, "pids": { "current": 2 } });
        let said = json!({ "event": { "type": "stats", "id": "c0", "data": data }, "containerUsage": { "c0": 7, "c1": 8 } });
        assert_eq!(parse(&said, "c1"), Some(CgroupStats { cpu_ns: 8, memory_bytes: 4096, pids: 2 }));
        assert_eq!(parse(&json!({}), "c0"), None);
    }
}
