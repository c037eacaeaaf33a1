//! The holder of listening sockets as it is used: the real program, the real HAProxy.
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

const PROGRAM: &str = env!("CARGO_BIN_EXE_berth-supervisor");
const SOON: Duration = Duration::from_secs(10);

struct Place {
    dir: PathBuf,
    ports: [u16; 2],
    holder: Child,
}

impl Drop for Place {
    fn drop(&mut self) {
        // SAFETY: kill(2) takes no pointers.
        unsafe { libc::kill(self.holder.id() as i32, libc::SIGTERM) };
        let _ = self.holder.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[track_caller]
fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let limit = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(pid: i32) {
    // SAFETY: kill(2) takes no pointers.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

fn configuration(sockets: &[(i32, u16, &str)]) -> String {
    let mut text = String::new();
    for (fd, port, _) in sockets {
        text += &format!("# hold {fd} 127.0.0.1 {port}\n");
    }
    text +=
        "global\n  close-spread-time infinite\ndefaults\n  mode http\n  timeout client 10s\n  timeout connect 1s\n  timeout server 10s\n";
    for (fd, _, says) in sockets {
        text += &format!("frontend f{fd}\n  bind fd@{fd}\n  http-request return status 200 content-type text/plain string {says}\n");
    }
    text
}

impl Place {
    fn start() -> Place {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let dir = std::env::temp_dir().join(format!("berth-balance-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(&dir).unwrap();
        let free = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = [0, 1].map(|at| free[at].local_addr().unwrap().port());
        drop(free);
        fs::write(dir.join("haproxy.cfg"), configuration(&[(100, ports[0], "first")])).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("balance").arg("--config").arg(dir.join("haproxy.cfg")).arg("--socket").arg(dir.join("socket"));
        for port in ports {
            command.arg("--front").arg(format!("127.0.0.1:{port}"));
        }
        command.args(["--uid", "0", "--gid", "0", "--", "/usr/sbin/haproxy"]).stdin(Stdio::null()).stderr(Stdio::null());
        let place = Place { holder: command.spawn().unwrap(), dir, ports };
        eventually("the first HAProxy", || place.visit(0));
        place
    }

    fn ask(&self, request: &Value) -> Value {
        let mut stream = UnixStream::connect(self.dir.join("socket")).unwrap();
        writeln!(stream, "{request}").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn current(&self) -> Option<i32> {
        self.ask(&json!({ "op": "status", "pid": null }))["current"].as_i64().map(|pid| pid as i32)
    }

    /// The body of an answer; None when nobody answers.
    fn visit(&self, at: usize) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[at])).ok()?;
        stream.set_read_timeout(Some(SOON)).ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    }

    fn reload(&self, text: &str) -> Value {
        fs::write(self.dir.join("haproxy.cfg.new"), text).unwrap();
        self.ask(&json!({ "op": "reload" }))
    }
}

#[test]
fn one_haproxy_follows_another_on_the_same_sockets() {
    let place = Place::start();
    let first = place.current();
    let wanted = configuration(&[(100, place.ports[0], "second"), (101, place.ports[1], "other")]);
    let pid = place.reload(&wanted)["pid"].as_i64().unwrap();
    eventually("the second takes over", || place.visit(0).filter(|body| body == "second"));
    assert_eq!(place.visit(1).as_deref(), Some("other"));
    fs::rename(place.dir.join("haproxy.cfg.new"), place.dir.join("haproxy.cfg")).unwrap();
    let settled = place.ask(&json!({ "op": "settle" }));
    assert_eq!(settled["current"].as_i64(), Some(pid));
    assert_ne!(place.current(), first);

    // What the configuration names no more is closed.
    place.reload(&configuration(&[(100, place.ports[0], "third")]));
    eventually("the third takes over", || place.visit(0).filter(|body| body == "third"));
    fs::rename(place.dir.join("haproxy.cfg.new"), place.dir.join("haproxy.cfg")).unwrap();
    assert_eq!(place.ask(&json!({ "op": "settle" }))["listeners"].as_array().unwrap().len(), 1);
    eventually("its socket is closed", || place.visit(1).is_none().then_some(()));
}

#[test]
fn a_connection_waits_while_haproxy_is_killed() {
    let place = Place::start();
    std::thread::sleep(Duration::from_millis(1100));
    for _ in 0..3 {
        let pid = place.current().unwrap();
        kill(pid);
        let begun = Instant::now();
        assert_eq!(place.visit(0).as_deref(), Some("first"));
        assert!(begun.elapsed() < SOON / 2);
        assert_ne!(place.current(), Some(pid));
        std::thread::sleep(Duration::from_millis(1100));
    }
}

#[test]
fn a_bad_configuration_changes_nothing_and_is_told() {
    let place = Place::start();
    let before = place.current();
    let bad = format!("{}nonsense\n", configuration(&[(100, place.ports[0], "bad"), (101, place.ports[1], "bad")]));
    let pid = place.reload(&bad)["pid"].as_i64().unwrap();
    let words = eventually("it ends", || {
        let status = place.ask(&json!({ "op": "status", "pid": pid }));
        (status["running"] == false).then(|| status["words"].as_str().unwrap().to_owned())
    });
    assert!(words.contains("unknown keyword 'nonsense'"), "{words}");
    assert_eq!((place.current(), place.visit(0).as_deref()), (before, Some("first")));
    assert_eq!(place.visit(1), None, "the socket that it wanted is closed again");
    let refused = place.reload("# hold 101 198.51.100.1 80\n");
    assert!(refused["error"].as_str().unwrap().contains("neither the front door nor an address of a VPC"), "{refused}");
    assert!(place.ask(&json!({ "op": "dance" }))["error"].is_string());
}

#[test]
fn what_it_started_ends_with_it() {
    let mut place = Place::start();
    let pid = place.current().unwrap();
    kill(place.holder.id() as i32);
    place.holder.wait().unwrap();
    eventually("HAProxy ends", || (!PathBuf::from(format!("/proc/{pid}")).exists()).then_some(()));
}
