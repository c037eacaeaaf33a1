//! Every golden message parses, and comes out again as it went in; so each half of the protocol reads what the other writes.
use std::path::Path;

use berth_supervisor::protocol::*;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::Value;

fn round<T: DeserializeOwned + Serialize>(text: &str) -> Value {
    serde_json::to_value(serde_json::from_str::<T>(text).unwrap()).unwrap()
}

#[test]
fn messages_survive_a_round() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/golden/supervisor");
    let mut seen = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        let again = match name.as_str() {
            n if n.starts_with("bundle") => round::<TaskBundle>(&text),
            n if n.starts_with("to-supervisor") => round::<ToSupervisor>(&text),
            n if n.starts_with("from-supervisor") => round::<FromSupervisor>(&text),
            n if n.starts_with("worker-request") => round::<WorkerRequest>(&text),
            n if n.starts_with("worker-response") => round::<WorkerResponse>(&text),
            n if n.starts_with("to-pool") => round::<ToPool>(&text),
            n if n.starts_with("from-pool") => round::<FromPool>(&text),
            n if n.starts_with("vm-exit") => round::<VmExit>(&text),
            n => panic!("{n}: no message of the protocol has such a name"),
        };
        assert_eq!(again, serde_json::from_str::<Value>(&text).unwrap(), "{name}");
        seen += 1;
    }
    assert!(seen >= 30, "only {seen} golden files");
}
