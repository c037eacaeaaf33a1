//! Output, exit codes, signals, order.
use std::time::{Duration, Instant};

use berth_supervisor::protocol::*;

use crate::harness::*;

#[test]
fn output_comes_in_order_with_times() {
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seen = World::new().run("t", shell("echo one; echo two >&2; sleep 0.05; echo; printf 'no newline'"));
    let mut by_stream: Vec<_> = seen.records.iter().map(|r| (r.container, r.stream, r.flags, r.text.as_str())).collect();
    assert_eq!(by_stream.len(), 4);
    by_stream.sort();
    assert_eq!(by_stream, [(0, 1, 0, ""), (0, 1, 0, "no newline"), (0, 1, 0, "one"), (0, 2, 0, "two")]);
    assert!(seen.records.windows(2).all(|w| w[0].end() == w[1].offset && w[0].time_ns <= w[1].time_ns));
    let times: Vec<u64> = seen.records.iter().map(|r| r.time_ns).collect();
    assert!(times[0] > before && times[3] - times[0] >= 40_000_000, "{times:?}");
    let c = seen.container("main");
    assert_eq!((c.exit_code, c.oom_killed, &c.failure), (Some(0), false, &None));
    assert!(c.started_at_ms <= c.finished_at_ms);
}

#[test]
fn exit_codes_and_signals() {
    let mut world = World::new();
    let mut code = |name: &str, spec| world.run(name, spec).container("main").exit_code;
    assert_eq!(code("seven", shell("exit 7")), Some(7));
    assert_eq!(code("child", shell("sh -c 'kill -9 $$'; exit $?")), Some(137));
    assert_eq!(code("init", shell("exit 9").with(|s| s.init_process = true)), Some(9));
    assert_eq!(code("init-signal", shell("kill -TERM $$").with(|s| s.init_process = true)), Some(143));
}

#[test]
fn a_command_that_is_missing_says_so() {
    let mut world = World::new();
    let mut failure = |name: &str, spec| {
        let seen = world.run(name, spec);
        assert_eq!(seen.container("main").exit_code, None);
        seen.container("main").failure.clone().unwrap()
    };
    let start = |message: &str| ContainerFailure { stage: ContainerStage::Start, message: message.to_string() };
    assert_eq!(failure("a", command(&["foo"])), start("exec: \"foo\": executable file not found in $PATH"));
    assert_eq!(failure("b", command(&["/x", "y"])), start("exec: \"/x\": stat /x: no such file or directory"));
    assert_eq!(failure("c", command(&["/etc/passwd"])), start("exec: \"/etc/passwd\": permission denied"));
    let with_init = command(&["foo"]).with(|s| s.init_process = true);
    assert_eq!(failure("d", with_init), start("exec: \"foo\": executable file not found in $PATH"));
    let user = shell("true").with(|s| s.config["annotations"]["berth.user"] = "foo".into());
    assert_eq!(failure("e", user), start("unable to find user foo: no matching entries in passwd file"));
    let no_layer = shell("true").with(|s| s.layers = vec!["/nowhere".to_string()]);
    assert_eq!(failure("f", no_layer).stage, ContainerStage::Create);
}

#[test]
fn stop_gives_grace_and_then_kills() {
    let mut world = World::new();
    let polite = shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done");
    let bundle = world.bundle("polite", vec![polite], |_| ());
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until_line("up");
    session.peer.send(&ToSupervisor::Stop);
    session.until_ended();
    assert_eq!((session.seen.container("main").exit_code, session.seen.lines()), (Some(3), vec!["up", "bye"]));
    session.release();

    let stubborn = shell("trap '' TERM; echo up; while :; do sleep 0.02; done").with(|s| s.stop_timeout_ms = 300);
    let bundle = world.bundle("stubborn", vec![stubborn], |_| ());
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until_line("up");
    let asked = Instant::now();
    session.peer.send(&ToSupervisor::Stop);
    session.until_ended();
    assert_eq!(session.seen.container("main").exit_code, Some(137));
    assert!(asked.elapsed() >= Duration::from_millis(290), "{:?}", asked.elapsed());
    session.release();
}

#[test]
fn init_forwards_signals_and_reaps() {
    let mut world = World::new();
    // Without a handler PID 1 would ignore SIGTERM; under the init the command is not PID 1.
    let spec = shell("(sleep 0 & exec sleep 0.01) & echo up $$; exec sleep 60").with(|s| s.init_process = true);
    let bundle = world.bundle("t", vec![spec], |_| ());
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until_line("up 2");
    session.peer.send(&ToSupervisor::Signal { container: "main".to_string(), signal: "SIGTERM".to_string() });
    session.until_ended();
    assert_eq!(session.seen.container("main").exit_code, Some(143));
    session.peer.send(&ToSupervisor::Signal { container: "other".to_string(), signal: "SIGTERM".to_string() });
    session.until("an error", |s| !s.seen.errors.is_empty());
    session.release();
}

#[test]
fn containers_wait_for_each_other_and_stop_in_reverse() {
    let mut world = World::new();
    let first = shell("echo first; exit 0").named("first").with(|s| s.essential = false);
    let server = shell("trap 'echo server ends; exit 0' TERM; echo server; while :; do sleep 0.02; done").named("server");
    let client = shell("trap 'sleep 0.1; echo client ends; exit 0' TERM; echo client; while :; do sleep 0.02; done").named("client");
    let server = server.after("first", Condition::Success);
    let client = client.after("server", Condition::Start);
    let bundle = world.bundle("t", vec![client, server, first], |_| ());
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until_line("client");
    session.peer.send(&ToSupervisor::Stop);
    session.until_ended();
    let lines = session.seen.lines();
    let at = |line| lines.iter().position(|l| *l == line).unwrap();
    assert!(at("first") < at("server") && at("client ends") < at("server ends"), "{lines:?}");
    session.release();
}

#[test]
fn an_essential_container_takes_the_others_along() {
    let mut world = World::new();
    // The other has time to set its trap first, also on a busy machine.
    let short = shell("sleep 0.5; exit 5").named("short");
    let long = shell("trap 'exit 6' TERM; while :; do sleep 0.02; done").named("long");
    let never = shell("true").named("never").after("short", Condition::Success).with(|s| s.essential = false);
    let seen = world.run_with("t", vec![short, long, never], |_| ());
    assert_eq!(seen.container("short").exit_code, Some(5));
    assert_eq!(seen.container("long").exit_code, Some(6));
    assert_eq!(seen.container("never").exit_code, None);
    let healthy = shell("true").named("b").after("a", Condition::Healthy);
    let seen = world.run_with("h", vec![shell("sleep 60").named("a").with(|s| s.stop_timeout_ms = 10), healthy], |_| ());
    let failure = seen.container("b").failure.as_ref().unwrap();
    assert_eq!(failure.stage, ContainerStage::Dependency);
    assert!(failure.message.contains("HEALTHY"), "{}", failure.message);
}

/// In blocking mode the container waits for its own lane; the one beside it, whose output nobody takes either, goes on without loss to
/// the first.
#[test]
fn a_full_lane_makes_its_container_wait_or_drops_what_it_writes() {
    const LINES: u64 = 6_000;
    let script = "i=0; while [ $i -lt 6000 ]; do echo 01234567890123456789012345678901234567 $i; i=$((i+1)); done";
    let lane = |blocking| Some(LaneBundle { spool_bytes: 40_000, blocking, router: None });
    let one = |name: &str, blocking| Spec { name: name.to_string(), essential: blocking, lane: lane(blocking), ..shell(script) };
    let mut world = World::new();
    let bundle = world.bundle("lanes", vec![one("waits", true), one("drops", false)], |_| ());
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until("the one that drops ends", |s| {
        s.seen.states.last().is_some_and(|state| state.containers[1].status == ContainerStatus::Exited)
    });
    let state = session.seen.state().clone();
    assert_eq!(state.containers[0].status, ContainerStatus::Running, "{state:?}");
    assert!(state.lanes[0].end <= 40_000 && state.lanes[0].dropped_bytes == 0, "{state:?}");
    assert!(state.lanes[1].end <= 40_000 && state.lanes[1].dropped_bytes > 0, "{state:?}");
    // Once its output is taken, all of it comes.
    let mut acked = 0;
    loop {
        let end = session.seen.records.iter().filter(|r| r.container == 0).map(Record::end).max().unwrap_or(0);
        if end > acked {
            acked = end;
            session.peer.send(&ToSupervisor::Ack { to: end, lane: 1 });
        }
        let state = session.seen.state();
        if state.containers[0].status == ContainerStatus::Exited && end >= state.lanes[0].end {
            break;
        }
        session.step();
    }
    let lines = session.seen.records.iter().filter(|r| r.container == 0).count() as u64;
    assert_eq!((lines, session.seen.state().lanes[0].dropped_bytes), (LINES, 0));
    session.release();
}

#[test]
fn long_lines_and_a_full_spool() {
    let mut world = World::new();
    let seen = world.run("long", shell("dd if=/dev/zero bs=40000 count=1 2>/dev/null; echo"));
    let shape: Vec<_> = seen.records.iter().map(|r| (r.text.len(), r.flags)).collect();
    assert_eq!(shape, [(16384, 1), (16384, 1), (7232, 0)]);

    // Nobody reads: the container must go on, and the loss is counted.
    let spec = shell("i=0; while [ $i -lt 2000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done");
    let bundle = world.bundle("full", vec![spec], |b| b.spool_bytes = 10_000);
    world.start(&bundle);
    let spool = std::path::Path::new(&bundle.dir).join("spool");
    eventually("the spool fills", || std::fs::metadata(&spool).is_ok_and(|m| m.len() > 5_000));
    let mut session = Session::attach(&bundle, 0);
    session.until_ended();
    let state = session.seen.state();
    let kept: u64 = session.seen.records.iter().map(|r| r.text.len() as u64).sum();
    assert!(state.spool_end <= 10_000 && state.dropped_bytes + kept == 80_000, "{state:?}");
    session.release();
}

#[test]
fn a_terminal_is_one_stream() {
    let spec = shell("tty -s && echo is a tty; echo err >&2").with(|s| s.config["process"]["terminal"] = true.into());
    let seen = World::new().run("t", spec);
    assert_eq!(seen.lines(), ["is a tty", "err"]);
    assert!(seen.records.iter().all(|r| r.stream == 1));
}
