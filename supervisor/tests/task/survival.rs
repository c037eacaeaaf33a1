//! What happens when one of the parties dies, and that nothing is left.
use std::path::Path;

use berth_supervisor::protocol::*;
use serde_json::json;

use crate::harness::*;

#[test]
fn a_host_that_forgot_learns_what_was_acknowledged() {
    let mut world = World::new();
    let bundle = world.bundle("t", vec![shell("echo all; exit 0")], |_| ());
    world.start(&bundle);
    let mut first = Session::attach(&bundle, 0);
    first.until_ended();
    let end = first.seen.states.last().unwrap().spool_end;
    first.peer.send(&ToSupervisor::Ack { to: end, lane: 0 });
    drop(first);
    let mut second = Session::attach(&bundle, 0);
    second.until("the state", |s| s.seen.states.iter().any(|state| state.spool_base == end && state.spool_end == end));
    assert!(second.seen.records.is_empty());
    second.release();
}

#[test]
fn a_new_host_gets_the_rest_of_the_output() {
    let mut world = World::new();
    let bundle = world.bundle("t", vec![shell("i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; sleep 60")], |_| ());
    world.start(&bundle);
    let mut first = Session::attach(&bundle, 0);
    first.until_line("line 99");
    let at = first.seen.records.iter().find(|r| r.text == "line 99").unwrap().end();
    first.peer.send(&ToSupervisor::Ack { to: at, lane: 0 });
    let mut second = Session::attach(&bundle, at);
    second.until_line("line 299");
    let expected: Vec<String> = (100..300).map(|n| format!("line {n}")).collect();
    assert_eq!(second.seen.lines(), expected);
    // The first connection was replaced.
    while first.peer.try_frame().is_ok() {}
    eventually("the acknowledged offset is on disk", || {
        std::fs::read_to_string(Path::new(&bundle.dir).join("spool.base")).is_ok_and(|text| text == at.to_string())
    });
    // What is acknowledged is gone; a host that asks for it gets what is left.
    let mut third = Session::attach(&bundle, 0);
    third.until_line("line 299");
    assert_eq!(third.seen.lines(), expected);
    third.peer.send(&ToSupervisor::Release);
    third.until("the refusal", |s| !s.seen.errors.is_empty());
    third.peer.send(&ToSupervisor::Kill);
    third.until_ended();
    third.release();
}

#[test]
fn supervisors_outlive_the_worker() {
    let mut world = World::new();
    let bundle = world.bundle("t", vec![shell("trap 'exit 4' TERM; echo up; while :; do sleep 0.02; done")], |_| ());
    let pid = world.start(&bundle);
    Session::attach(&bundle, 0).until_line("up");
    world.restart_worker();
    let again = world.call(json!({ "id": 9, "op": "task-start", "bundle": Path::new(&bundle.dir).join("task.json") }));
    assert_eq!(again.unwrap_err().code, ErrorCode::Exists);
    let mut session = Session::attach(&bundle, 0);
    session.until_line("up");
    assert_eq!(session.seen.state().pid, pid);
    // SIGTERM to the supervisor is a stop.
    std::process::Command::new("kill").arg(pid.to_string()).status().unwrap();
    session.until_ended();
    assert_eq!(session.seen.container("main").exit_code, Some(4));
    session.release();
    eventually("the supervisor ends", || !is_alive(pid));
}

#[test]
fn containers_die_with_their_supervisor_and_nothing_is_left() {
    let mut world = World::new();
    let specs = || vec![shell("sleep 100 & sleep 100").named("a"), shell("sleep 100").named("b").with(|s| s.init_process = true)];
    for (name, mode) in [("own", PidMode::Container), ("shared", PidMode::Task)] {
        let bundle = world.bundle(name, specs(), |b| b.pid_mode = mode);
        let supervisor = world.start(&bundle);
        let mut session = Session::attach(&bundle, 0);
        let pids = [session.until_running("a"), session.until_running("b")];
        std::process::Command::new("kill").args(["-9", &supervisor.to_string()]).status().unwrap();
        while session.peer.try_frame().is_ok() {}
        eventually("the containers die", || !pids.iter().any(|pid| is_alive(*pid)));
        world.clean(&bundle).unwrap();
        world.clean(&bundle).unwrap();
        assert_nothing_left(&world, &bundle);
    }
}

#[test]
fn cleaning_kills_what_still_runs() {
    let mut world = World::new();
    let bundle = world.bundle("t", vec![shell("trap '' TERM; sleep 100 & sleep 100")], |_| ());
    let supervisor = world.start(&bundle);
    let pid = Session::attach(&bundle, 0).until_running("main");
    world.clean(&bundle).unwrap();
    assert!(!is_alive(supervisor) && !is_alive(pid));
    assert_nothing_left(&world, &bundle);
    // The same task can be started anew in the same place.
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until_running("main");
    session.peer.send(&ToSupervisor::Kill);
    session.until_ended();
    session.release();
    assert_nothing_left(&world, &bundle);
}

fn assert_nothing_left(world: &World, bundle: &TaskBundle) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&bundle.dir), "{mounts}");
    let name = bundle.cgroup.path.rsplit('/').next().unwrap();
    let root = Path::new("/sys/fs/cgroup");
    assert!(!root.join(&world.group).join(name).exists());
    for hierarchy in std::fs::read_dir(root).unwrap() {
        assert!(!hierarchy.unwrap().path().join(&world.group).join(name).exists());
    }
}

#[test]
fn refuses_what_is_no_task() {
    let mut world = World::new();
    let missing = world.call(json!({ "id": 1, "op": "task-start", "bundle": "/nowhere/task.json" })).unwrap_err();
    assert_eq!(missing.code, ErrorCode::NotFound);
    assert_eq!(world.call(json!({ "id": 1, "op": "dance" })).unwrap_err().code, ErrorCode::Invalid);
    assert_eq!(world.call(json!({ "id": 1, "op": "ping" })).unwrap(), json!(null));
    let round = vec![shell("true").named("a").after("b", Condition::Start), shell("true").named("b").after("a", Condition::Start)];
    let bundle = world.bundle("round", round, |_| ());
    let refused = world.call(json!({ "id": 1, "op": "task-start", "bundle": Path::new(&bundle.dir).join("task.json") }));
    assert_eq!(refused.unwrap_err().code, ErrorCode::Invalid);
    let outside = json!({ "id": 1, "op": "task-clean", "dir": "/tmp/x", "cgroupPath": "../x", "routerNetns": null, "routerIf": null });
    assert_eq!(world.call(outside).unwrap_err().code, ErrorCode::Invalid);
}

#[test]
fn a_network_that_fails_is_told_and_nothing_runs() {
    let mut world = World::new();
    let bundle = world.bundle("t", vec![shell("echo never"), shell("echo never").named("b").after("main", Condition::Start)], |b| {
        b.network = Some(NetworkBundle {
            router_netns: format!("{}/no-router", b.dir),
            router_if: "t0".to_string(),
            ip: "10.64.0.2".to_string(),
            mac: "02:00:00:00:00:02".to_string(),
            gateway_ip: "10.64.0.1".to_string(),
            gateway_mac: "02:00:00:00:00:01".to_string(),
            mtu: 1500,
        });
    });
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until_ended();
    let state = session.seen.state();
    assert_eq!(state.failure.as_ref().map(|f| f.stage), Some(TaskStage::Network), "{state:?}");
    assert!(state.containers.iter().all(|c| c.exit_code.is_none() && c.started_at_ms.is_none()), "{state:?}");
    assert!(session.seen.records.is_empty());
    session.peer.send(&json!({ "t": "from the future" }));
    session.until("an error", |s| s.seen.errors.iter().any(|e| e.starts_with("message: ")));
    session.release();
}
