//! The keeper as it is used: the real program, real processes.
use std::fs;
use std::os::unix::fs::{chown, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

const PROGRAM: &str = env!("CARGO_BIN_EXE_berth-supervisor");
const SOON: Duration = Duration::from_secs(10);

/// A directory of the test's own; what the keeper runs is stopped with it.
struct Place {
    dir: PathBuf,
    keeper: Option<Child>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(pid) = self.read("keeper.pid").trim().parse::<i32>() {
            let limit = Instant::now() + SOON;
            while kill(pid, libc::SIGTERM) && self.dir.join("keeper.pid").exists() && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if let Some(keeper) = &mut self.keeper {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn kill(pid: i32, signal: i32) -> bool {
    // SAFETY: kill(2) takes no pointers.
    unsafe { libc::kill(pid, signal) == 0 }
}

#[track_caller]
fn eventually(what: &str, done: impl Fn() -> bool) {
    let limit = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Place {
    fn new() -> Place {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let dir = std::env::temp_dir().join(format!("berth-keep-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(&dir).unwrap();
        Place { dir, keeper: None }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    /// A shell process; `more` is merged into its description.
    fn process(&self, name: &str, script: &str, more: Value) -> Value {
        let mut spec = json!({
            "name": name,
            "argv": ["/bin/sh", "-c", script],
            "env": { "PATH": "/usr/bin:/bin", "PLACE": self.dir },
            "user": null,
            "cwd": self.dir,
            "logFile": self.dir.join(format!("{name}.log")),
            "startAfterFile": null,
            "stopTimeoutMs": 5000,
            "reachable": [],
            "private": false,
        });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    }

    fn command(&self, processes: &[Value], daemon: bool) -> Command {
        let spec = json!({ "pidFile": self.dir.join("keeper.pid"), "processes": processes });
        let path = self.dir.join("spec.json");
        fs::write(&path, spec.to_string()).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["keep", "--spec"]).arg(path).args(daemon.then_some("--daemon")).stdin(Stdio::null());
        command
    }

    fn start(&mut self, processes: &[Value]) -> i32 {
        let child = self.command(processes, false).spawn().unwrap();
        let pid = child.id() as i32;
        self.keeper = Some(child);
        pid
    }

    fn daemon(&self, processes: &[Value]) -> Output {
        self.command(processes, true).output().unwrap()
    }

    /// Process ids that a script wrote, one per start.
    fn pids(&self, name: &str) -> Vec<i32> {
        self.read(name).lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn wait_for_keeper(&mut self) {
        assert!(self.keeper.take().unwrap().wait().unwrap().success());
    }
}

#[test]
fn a_process_that_is_killed_is_started_again() {
    let mut place = Place::new();
    let keeper = place.start(&[place.process("web", "echo $$ >> pids; echo hello; exec sleep 1000", json!({}))]);
    eventually("first start", || place.pids("pids").len() == 1);
    assert_eq!(place.read("keeper.pid").trim(), keeper.to_string());
    for round in 2..4 {
        kill(*place.pids("pids").last().unwrap(), libc::SIGKILL);
        eventually("next start", || place.pids("pids").len() == round);
    }
    let log = place.read("web.log");
    assert_eq!(log.matches("hello").count(), 3, "{log}");
    assert!(log.contains("web was ended by signal 9 and is started again in 200 ms"), "{log}");
    kill(keeper, libc::SIGTERM);
    place.wait_for_keeper();
    assert!(!kill(*place.pids("pids").last().unwrap(), 0));
    assert!(!place.dir.join("keeper.pid").exists());
}

#[test]
fn processes_start_in_order_and_stop_in_reverse() {
    let mut place = Place::new();
    let script =
        |name: &str| format!("trap 'sleep 0.1; echo {name} >> order; exit' TERM; echo {name} >> started; while :; do sleep 0.02; done");
    let deaf = "trap '' TERM; echo $$ >> deaf; while :; do sleep 0.05; done";
    let processes = [
        place.process("first", &script("first"), json!({})),
        place.process("second", &script("second"), json!({ "startAfterFile": place.dir.join("go") })),
        place.process("deaf", deaf, json!({ "stopTimeoutMs": 200 })),
        place.process("third", &script("third"), json!({})),
    ];
    let keeper = place.start(&processes);
    eventually("first", || place.read("started") == "first\n");
    fs::write(place.dir.join("go"), "").unwrap();
    eventually("all", || place.read("started").lines().count() == 3 && place.pids("deaf").len() == 1);
    kill(keeper, libc::SIGTERM);
    place.wait_for_keeper();
    assert_eq!(place.read("order"), "third\nsecond\nfirst\n");
    assert!(!kill(place.pids("deaf")[0], 0), "SIGKILL after its time");
}

#[test]
fn a_daemon_returns_when_all_is_started_and_there_is_only_one() {
    let place = Place::new();
    let processes = [place.process("web", "echo $$ >> pids; exec sleep 1000", json!({}))];
    let first = place.daemon(&processes);
    assert!(first.status.success(), "{first:?}");
    let keeper = place.read("keeper.pid").trim().to_owned();
    let second = place.daemon(&processes);
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && message.contains(&format!("process {keeper} holds")), "{message}");
    kill(keeper.parse().unwrap(), libc::SIGTERM);
    eventually("the end", || !place.dir.join("keeper.pid").exists());
    assert!(!kill(place.pids("pids")[0], 0));
}

#[test]
fn a_process_that_cannot_be_started_is_named() {
    let place = Place::new();
    let fine = place.process("fine", "echo $$ >> pids; exec sleep 1000", json!({}));
    let says = |more: Value| {
        let output = place.daemon(&[fine.clone(), place.process("broken", "true", more)]);
        assert_eq!(output.status.code(), Some(1));
        for pid in place.pids("pids") {
            assert!(!kill(pid, 0), "what was started is stopped");
        }
        assert!(!place.dir.join("keeper.pid").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    let message = says(json!({ "argv": ["/no/such/program"] }));
    assert!(message.contains("broken can't be started: /no/such/program: no such file or directory"), "{message}");
    let message = says(json!({ "argv": ["program"] }));
    assert!(message.contains("the program of broken needs an absolute path"), "{message}");
    let message = says(json!({ "cwd": "/no/such/directory" }));
    assert!(message.contains("/no/such/directory"), "{message}");
    let closed = place.dir.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let message = says(json!({ "user": { "uid": 65534, "gid": 65534 }, "reachable": [closed] }));
    assert!(message.contains("can't be read by user 65534"), "{message}");
}

#[test]
fn processes_end_with_a_keeper_that_is_killed() {
    let mut place = Place::new();
    let user = json!({ "uid": 65534, "gid": 65534 });
    fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o777)).unwrap();
    let keeper = place.start(&[
        place.process("root", "echo $$ >> pids; exec sleep 1000", json!({})),
        place.process("nobody", "echo $$ >> others; exec sleep 1000", json!({ "user": user })),
    ]);
    let pids = |place: &Place| [place.pids("pids"), place.pids("others")].concat();
    eventually("start", || pids(&place).len() == 2);
    kill(keeper, libc::SIGKILL);
    let _ = place.keeper.take().unwrap().wait();
    eventually("end", || pids(&place).iter().all(|pid| !kill(*pid, 0)));
}

#[test]
fn an_unprivileged_process_reaches_what_it_needs_below_a_closed_directory() {
    let mut place = Place::new();
    let closed = place.dir.join("closed");
    fs::create_dir_all(closed.join("project/code")).unwrap();
    fs::create_dir_all(closed.join("state")).unwrap();
    fs::write(closed.join("project/code/script"), "echo from the script").unwrap();
    fs::write(closed.join("single"), "a file").unwrap();
    fs::write(closed.join("secret"), "hidden").unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    chown(closed.join("state"), Some(65534), Some(65534)).unwrap();
    let script = r#"
        cd "$PLACE/closed" && sh project/code/script && cat single && echo
        ls; cat secret 2>&1; touch here 2>&1
        id -u; id -g; id -G; grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs)' /proc/self/status
        echo done > state/result
        exec sleep 1000"#;
    let keeper = place.start(&[place.process(
        "web",
        script,
        json!({
            "user": { "uid": 65534, "gid": 65534 },
            "cwd": "/",
            "reachable": [closed.join("project"), closed.join("project/code"), closed.join("state"), closed.join("single")],
        }),
    )]);
    eventually("the result", || place.read("closed/state/result") == "done\n");
    let log = place.read("web.log");
    for line in ["from the script", "a file", "project\nsingle\nstate\n", "65534\n65534\n65534\n", "NoNewPrivs:\t1"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains("hidden") && log.contains("secret: No such file"), "{log}");
    assert!(log.contains("here': Read-only file system"), "{log}");
    assert_eq!(log.matches(":\t0000000000000000").count(), 5, "{log}");
    assert!(!closed.join("here").exists());
    assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains(place.dir.to_str().unwrap()), "mounts stay in there");
    kill(keeper, libc::SIGTERM);
    place.wait_for_keeper();
}

#[test]
fn launch_becomes_the_program() {
    let output = Command::new(PROGRAM).args(["launch", "--uid", "65534", "--gid", "65534", "--", "/usr/bin/id"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("uid=65534") && !text.contains("root"), "{text}");
    let output = Command::new(PROGRAM).args(["launch", "--uid", "65534", "--", "/usr/bin/id"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
