//! Health checks of containers, and what waits for them.
use std::time::Duration;

use berth_supervisor::protocol::*;

use crate::harness::*;

fn check(script: &str) -> HealthBundle {
    let command = ["sh", "-c", script].map(ToString::to_string).to_vec();
    HealthBundle { command, interval_ms: 100, timeout_ms: 5_000, retries: 3, start_period_ms: 0 }
}

fn checked(script: &str, health: HealthBundle) -> Spec {
    shell(&format!("trap 'exit 0' TERM; {script}; while :; do sleep 0.05; done")).with(|s| s.health = Some(health))
}

fn begin(world: &mut World, name: &str, specs: Vec<Spec>) -> Session {
    let bundle = world.bundle(name, specs, |_| ());
    world.start(&bundle);
    Session::attach(&bundle, 0)
}

fn until(session: &mut Session, health: HealthStatus) {
    session.until(&format!("it is {health:?}"), |s| {
        s.seen.states.last().is_some_and(|state| state.containers.iter().any(|c| c.name == "main" && c.health == health))
    });
}

fn end(mut session: Session) {
    session.peer.send(&ToSupervisor::Kill);
    session.until_ended();
    session.release();
}

#[test]
fn a_container_is_what_its_check_says_and_only_changes_are_told() {
    let mut world = World::new();
    let mut session =
        begin(&mut world, "t", vec![checked(":", check("echo out; echo 'it is gone' >&2; [ -z \"$(cat /tmp/sick 2>/dev/null)\" ]"))]);
    session.until_running("main");
    assert_eq!(session.seen.container("main").health, HealthStatus::Unknown);
    until(&mut session, HealthStatus::Healthy);
    let told = session.seen.states.len();
    std::thread::sleep(Duration::from_millis(500));
    session.run_inside(1, "main", &["sh", "-c", "echo x > /tmp/sick"], |_| ());
    assert_eq!(session.seen.states.len(), told, "{:?}", session.seen.states);
    until(&mut session, HealthStatus::Unhealthy);
    assert_eq!(session.seen.states.len(), told + 1);
    let reason = session.seen.container("main").health_reason.clone().unwrap();
    assert!(reason.starts_with("its health check ended with exit code 1: ") && reason.contains("it is gone"), "{reason}");
    session.run_inside(2, "main", &["sh", "-c", "> /tmp/sick"], |_| ());
    until(&mut session, HealthStatus::Healthy);
    assert_eq!(session.seen.container("main").health_reason, None);
    // Its output is nobody's.
    assert_eq!(session.seen.lines(), Vec::<&str>::new());
    end(session);
}

#[test]
fn it_goes_on_while_no_host_is_there_and_is_known_after_the_end() {
    let mut world = World::new();
    let bundle = world.bundle("t", vec![checked(":", check("echo x >> /data/runs"))], |_| ());
    world.start(&bundle);
    drop(Session::attach(&bundle, 0));
    std::thread::sleep(Duration::from_millis(500));
    let mut session = Session::attach(&bundle, 0);
    until(&mut session, HealthStatus::Healthy);
    let runs = session.run_inside(1, "main", &["sh", "-c", "cat /data/runs | wc -l"], |_| ()).text();
    assert!(runs.trim().parse::<u32>().unwrap() >= 2, "{runs}");
    session.peer.send(&ToSupervisor::Stop);
    session.until_ended();
    assert_eq!(session.seen.container("main").health, HealthStatus::Healthy);
    session.release();
}

#[test]
fn a_check_that_hangs_is_killed_with_what_it_started_and_one_that_is_missing_fails() {
    let mut world = World::new();
    let hangs = HealthBundle { timeout_ms: 200, retries: 2, ..check("yes & sleep 1000") };
    let mut session = begin(&mut world, "hangs", vec![checked(":", hangs)]);
    until(&mut session, HealthStatus::Unhealthy);
    assert_eq!(
        session.seen.container("main").health_reason.as_deref().unwrap().split(": ").next(),
        Some("its health check took longer than 200 ms")
    );
    let look = "n=0; for p in /proc/[0-9]*; do case $(cat $p/cmdline 2>/dev/null) in sleep1000*|yes*) n=$((n + 1));; esac; done; echo $n";
    let left = session.run_inside(1, "main", &["sh", "-c", look], |_| ()).text();
    assert!(left.trim().parse::<u32>().unwrap() <= 2, "{left} processes of checks are left");
    end(session);

    let missing = HealthBundle { command: vec!["nothing".to_string()], ..check("") };
    let mut session = begin(&mut world, "missing", vec![checked(":", missing)]);
    until(&mut session, HealthStatus::Unhealthy);
    let reason = session.seen.container("main").health_reason.clone().unwrap();
    assert_eq!(reason, "its health check could not be started: exec: \"nothing\": executable file not found in $PATH");
    end(session);
}

#[test]
fn what_depends_on_its_health_waits_and_never_starts_once_it_is_sick() {
    let mut world = World::new();
    let late = shell("echo late; exit 0").named("late").after("main", Condition::Healthy);
    let given_time = HealthBundle { start_period_ms: 60_000, ..check("[ -e /tmp/well ]") };
    let slow = checked("sleep 1; echo well; > /tmp/well", given_time);
    let mut session = begin(&mut world, "slow", vec![late, slow.with(|s| s.essential = false)]);
    session.until_ended();
    assert_eq!(session.seen.lines(), ["well", "late"]);
    session.release();

    let late = shell("echo late").named("late").after("main", Condition::Healthy);
    let mut session = begin(&mut world, "sick", vec![late, checked(":", check("exit 1"))]);
    session.until_ended();
    let failure = session.seen.container("late").failure.clone().unwrap();
    assert_eq!(failure.stage, ContainerStage::Dependency);
    assert!(failure.message.contains("[main]") && failure.message.ends_with("but is UNHEALTHY"), "{}", failure.message);
    assert_eq!((session.seen.container("main").health, session.seen.lines()), (HealthStatus::Unhealthy, vec![]));
    session.release();
}
