//! How long a task takes from `task-start` to the first instruction of its command, with its network, and what idle supervisors cost.
//! `cargo bench --bench start`; root. Plays the machine in a network namespace of its own.
#[path = "../tests/task/harness.rs"]
#[allow(dead_code)]
mod harness;

use std::time::{Duration, Instant};

use berth_supervisor::protocol::*;
use berth_supervisor::sys;
use harness::*;
use serde_json::json;

const STARTS: usize = 200;
const IDLE: usize = 100;
const SETTLE: Duration = Duration::from_millis(50);

fn main() {
    if std::env::args().any(|arg| arg == "--stamp") {
        println!("{}", sys::monotonic_ns());
        return;
    }
    sys::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS).unwrap();
    berth_supervisor::mount::mount("", "/", "", libc::MS_REC | libc::MS_PRIVATE, "").unwrap();
    let mut world = World::new();
    std::fs::copy(std::env::current_exe().unwrap(), world.dir.join("layer/bin/stamp")).unwrap();
    let vpc = VpcBundle {
        router_netns: world.dir.join("ns/vpc").display().to_string(),
        cidr: "10.64.0.0/16".to_string(),
        host_if: "brab12cd0".to_string(),
        host_ip: "169.254.64.1".to_string(),
        router_ip: "169.254.64.2".to_string(),
        mtu: 1500,
        service_ips: vec!["169.254.170.2".to_string()],
        addresses: vec![],
        router_rules: include_str!("../../src/network/golden/router.nft").to_string(),
        host_rules: include_str!("../../src/network/golden/host.nft").to_string(),
    };
    world.call(json!({ "id": 1, "op": "vpc-up", "vpc": vpc })).unwrap();
    let network = |n: usize| NetworkBundle {
        router_netns: vpc.router_netns.clone(),
        router_if: format!("t{n:012x}"),
        ip: format!("10.64.{}.{}", n / 250, n % 250 + 2),
        mac: format!("02:00:00:00:{:02x}:{:02x}", n / 250, n % 250),
        gateway_ip: "10.64.0.1".to_string(),
        gateway_mac: "02:67:0a:40:00:01".to_string(),
        mtu: 1500,
    };
    start_to_first_instruction(&mut world, &network);
    idle_supervisors(&mut world, &network);
    world.call(json!({ "id": 1, "op": "vpc-down", "routerNetns": vpc.router_netns, "hostIf": vpc.host_if })).unwrap();
}

fn start_to_first_instruction(world: &mut World, network: &dyn Fn(usize) -> NetworkBundle) {
    let (mut first, mut answered, mut released) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..STARTS {
        let spec = command(&["/bin/stamp", "--stamp"]).with(|s| s.config = config(&["/bin/stamp", "--stamp"]));
        let bundle = world.bundle(&format!("s{n}"), vec![spec], |b| {
            b.network = Some(network(n));
            b.cgroup.limits = CgroupLimits {
                cpu_millis: Some(1000),
                cpu_shares: Some(1024),
                memory_bytes: Some(64 << 20),
                pids: Some(64),
                ..CgroupLimits::default()
            };
        });
        let sent = sys::monotonic_ns();
        world.start(&bundle);
        answered.push((sys::monotonic_ns() - sent) / 1000);
        let mut session = Session::attach(&bundle, 0);
        session.until_ended();
        let state = session.seen.state();
        assert_eq!(state.containers[0].failure, None);
        assert_eq!(state.failure, None);
        first.push((session.seen.lines()[0].parse::<u64>().unwrap() - sent) / 1000);
        let asked = Instant::now();
        session.release();
        released.push(asked.elapsed().as_micros() as u64);
        // The kernel takes a namespace apart in its own time, and makes no new one meanwhile: not what is measured here.
        std::thread::sleep(SETTLE);
    }
    for (what, mut us) in [("answer", answered), ("first instruction", first), ("release", released)] {
        us.sort_unstable();
        println!(
            "{what}: p50 {} us, p95 {} us, best {} us ({STARTS} tasks, one after the other)",
            us[STARTS / 2],
            us[STARTS * 95 / 100],
            us[0]
        );
    }
}

fn idle_supervisors(world: &mut World, network: &dyn Fn(usize) -> NetworkBundle) {
    let bundles: Vec<_> = (0..IDLE)
        .map(|n| {
            let spec = command(&[]).with(|s| s.config = config(&["sleep", "1000"]));
            world.bundle(&format!("i{n}"), vec![spec], |b| b.network = Some(network(STARTS + n)))
        })
        .collect();
    let began = Instant::now();
    let pids: Vec<i32> = bundles.iter().map(|bundle| world.start(bundle)).collect();
    let mut sessions: Vec<_> = bundles.iter().map(|bundle| Session::attach(bundle, 0)).collect();
    for session in &mut sessions {
        session.until_running("main");
    }
    println!("{IDLE} tasks at once, requests one after the other: all run after {} ms", began.elapsed().as_millis());
    std::thread::sleep(Duration::from_millis(500));
    let pss = |pid: &i32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix("Pss:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let total: u64 = pids.iter().map(pss).sum();
    println!("{IDLE} idle supervisors: {} KiB Pss each", total / IDLE as u64);
    for session in &mut sessions {
        session.peer.send(&ToSupervisor::Kill);
    }
    for mut session in sessions {
        session.until_ended();
        session.release();
    }
}

/// What berth gives a plain container: its mounts, hidden paths and Docker's seccomp profile.
const CONFIG: &str = include_str!("../../src/sandbox/container/golden/plain.json");

fn config(args: &[&str]) -> serde_json::Value {
    let mut config: serde_json::Value = serde_json::from_str(CONFIG).unwrap();
    config["process"]["args"] = json!(args);
    config["process"]["cwd"] = json!("/");
    config["process"]["env"] = json!(["PATH=/bin"]);
    config["root"]["path"] = json!("rootfs");
    config["annotations"] = json!({});
    config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "bind");
    config
}
