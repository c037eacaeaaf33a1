//! Commands that are run inside a container that runs already.
use berth_supervisor::protocol::*;

use crate::harness::*;

/// A task whose only container waits, and a host that is attached.
fn waiting(world: &mut World, spec: Spec) -> (TaskBundle, Session) {
    let bundle = world.bundle("t", vec![spec], |_| ());
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until_line("up");
    (bundle, session)
}

fn waits() -> Spec {
    shell("trap 'exit 143' TERM; echo up; while :; do sleep 0.05; done")
}

fn end(mut session: Session) {
    session.peer.send(&ToSupervisor::Kill);
    session.until_ended();
    session.release();
}

#[test]
fn runs_in_the_container_and_tells_how_it_ended() {
    let mut world = World::new();
    let (_, mut session) = waiting(&mut world, waits());
    let seen = session.run_inside(1, "main", &["sh", "-c", "hostname; pwd; echo err >&2; cat; exit 7"], |_| ());
    assert_eq!((seen.text().as_str(), seen.err.as_slice(), seen.code), ("host-t\n/\n", &b"err\n"[..], Some(7)));
    assert!(seen.is_started);
    // The same spaces as the container's first process, also where it is born.
    let spaces = "for s in mnt ipc uts net cgroup pid pid_for_children; do a=$(readlink /proc/1/ns/$s); b=$(readlink /proc/self/ns/$s); \
        [ $a = $b ] || echo $s: $a is not $b; done; cat /proc/1/cgroup > /tmp/a; cat /proc/self/cgroup > /tmp/b; \
        while read a; do grep -q \"^$a$\" /tmp/b || echo $a; done < /tmp/a; cat /proc/1/comm; grep PPid /proc/self/status";
    assert_eq!(session.run_inside(2, "main", &["sh", "-c", spaces], |_| ()).text().lines().next(), Some("sh"));
    let killed = session.run_inside(3, "main", &["sh", "-c", "kill -9 $$"], |_| ());
    assert_eq!(killed.code, Some(137));
    end(session);
}

#[test]
fn has_the_containers_rights_environment_and_user_unless_asked_otherwise() {
    let mut world = World::new();
    let spec = waits().with(|s| s.config["process"]["env"].as_array_mut().unwrap().push("FROM=definition".into()));
    let (_, mut session) = waiting(&mut world, spec);
    let look = "grep -E 'CapEff|CapBnd|CapPrm|NoNewPrivs|Seccomp:' /proc/self/status; cat /proc/self/oom_score_adj; \
        grep 'open files' /proc/self/limits; unshare -n true 2>&1";
    let inside = session.run_inside(1, "main", &["sh", "-c", look], |_| ()).text();
    let own = world.run("own", shell(look)).text();
    assert_eq!(inside.trim(), own.trim());
    let show = &["sh", "-c", "echo $(id -u) $(id -g) $(id -G) $HOME $FROM $MORE $(pwd); ls -l /proc/self/fd | grep -c ' -> '"];
    assert_eq!(session.run_inside(2, "main", show, |_| ()).text(), "0 0 0 /root definition /\n3\n");
    let change = |e: &mut ExecBundle| {
        e.user = Some("web".to_string());
        e.cwd = Some("/var/www".to_string());
        e.env = [("FROM".to_string(), "exec".to_string()), ("MORE".to_string(), "more".to_string())].into();
    };
    assert_eq!(session.run_inside(3, "main", show, change).text(), "33 34 34 50 /var/www exec more /var/www\n3\n");
    let privileges = session.run_inside(4, "main", &["grep", "CapEff", "/proc/self/status"], |e| e.user = Some("web".to_string())).text();
    assert_eq!(privileges, "CapEff:\t0000000000000000\n");
    end(session);
}

#[test]
fn says_why_it_could_not_be_started() {
    let mut world = World::new();
    let (_, mut session) = waiting(&mut world, waits());
    let none = |_: &mut ExecBundle| ();
    let mut error = |id, container: &str, command: &[&str], change: &dyn Fn(&mut ExecBundle)| {
        let seen = session.run_inside(id, container, command, |e| change(e));
        assert!(!seen.is_started && seen.code.is_none());
        seen.error.clone().unwrap()
    };
    assert_eq!(error(1, "main", &["nope"], &none), "exec: \"nope\": executable file not found in $PATH");
    assert_eq!(error(2, "main", &["/x/y"], &none), "exec: \"/x/y\": stat /x/y: no such file or directory");
    assert_eq!(error(3, "main", &["/etc/passwd"], &none), "exec: \"/etc/passwd\": permission denied");
    assert_eq!(error(4, "main", &[], &none), "no command specified");
    assert_eq!(error(5, "other", &["id"], &none), "the task has no container \"other\"");
    let user = |e: &mut ExecBundle| e.user = Some("nobody-knows".to_string());
    assert_eq!(error(6, "main", &["id"], &user), "unable to find user nobody-knows: no matching entries in passwd file");
    let cwd = |e: &mut ExecBundle| e.cwd = Some("/nowhere".to_string());
    assert!(error(7, "main", &["id"], &cwd).ends_with("no such file or directory"));
    // It exists and is no program.
    std::fs::write(world.dir.join("layer/odd"), "\u{1}\u{2}").unwrap();
    std::fs::set_permissions(world.dir.join("layer/odd"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(error(8, "main", &["/odd"], &none).contains("exec format error"));
    session.peer.send(&ToSupervisor::Kill);
    session.until_ended();
    assert_eq!(session.run_inside(9, "main", &["id"], |_| ()).error.as_deref(), Some("container \"main\" is not running"));
    session.release();
}

#[test]
fn input_arrives_and_ends() {
    let mut world = World::new();
    let (_, mut session) = waiting(&mut world, waits());
    session.exec(1, "main", &["wc", "-c"], |_| ());
    let chunk = vec![b'x'; 30_000];
    let mut sent = 0;
    for _ in 0..20 {
        session.until_exec_or_nothing(sent);
        session.input(1, &chunk, false);
        sent += chunk.len() as u64;
    }
    session.input(1, b"", true);
    session.until_exec(1, "it ends", |e| e.code.is_some());
    assert_eq!(session.execs[&1].text().trim(), "600000");
    // Who doesn't read gets no more than fits.
    session.exec(2, "main", &["sleep", "60"], |_| ());
    for _ in 0..6 {
        session.input(2, &chunk, false);
    }
    session.until_exec(2, "it is refused", |e| e.error.is_some());
    // Who closed its input never will read it.
    session.exec(3, "main", &["sh", "-c", "exec <&-; echo closed; sleep 60"], |_| ());
    session.until_exec(3, "it closed it", |e| !e.out.is_empty());
    for n in 1..10 {
        session.input(3, &chunk, false);
        session.until_exec(3, "it is thrown away", |e| e.taken == 30_000 * n);
    }
    end(session);
}

impl Session {
    /// Waits until no more than one chunk of what was sent to command 1 is under way.
    fn until_exec_or_nothing(&mut self, sent: u64) {
        if sent > 30_000 {
            self.until_exec(1, "input is taken", |e| e.taken + 30_000 >= sent);
        }
    }
}

#[test]
fn a_reader_that_is_slow_stops_the_command_and_nobody_else() {
    let mut world = World::new();
    let (_, mut session) = waiting(&mut world, waits());
    session.takes_output = false;
    session.exec(1, "main", &["sh", "-c", "seq 1 200000; echo last >&2; exit 3"], |_| ());
    session.until_exec(1, "its window is full", |e| e.out.len() as u64 == EXEC_WINDOW_BYTES);
    session.peer.send(&ToSupervisor::Stats { id: 1 });
    session.until("others go on", |s| !s.stats.is_empty());
    assert_eq!(session.execs[&1].code, None);
    session.takes_output = true;
    session.peer.send(&ToSupervisor::ExecAck { id: 1, bytes: EXEC_WINDOW_BYTES });
    session.until_exec(1, "it ends", |e| e.code == Some(3));
    let expected: String = (1..=200_000).map(|n| format!("{n}\n")).collect();
    assert!(session.execs[&1].text() == expected && session.execs[&1].err == b"last\n");
    end(session);
}

#[test]
fn a_terminal_is_the_containers_own_and_can_be_resized() {
    let mut world = World::new();
    let (_, mut session) = waiting(&mut world, waits());
    let script =
        "trap 'stty size' WINCH; tty; stty size; echo $TERM; ls -l $(tty) | head -c 10; echo; echo ready; while :; do sleep 0.02; done";
    session.exec(1, "main", &["sh", "-c", script], |e| (e.tty, e.cols, e.rows, e.user) = (true, 120, 40, Some("web".to_string())));
    session.until_exec(1, "it is ready", |e| e.text().contains("ready"));
    assert_eq!(session.execs[&1].text(), "/dev/pts/0\r\n40 120\r\nxterm\r\ncrw--w----\r\nready\r\n");
    session.peer.send(&ToSupervisor::ExecResize { id: 1, cols: 132, rows: 50 });
    session.until_exec(1, "it hears of it", |e| e.text().contains("50 132"));
    // Ctrl-C reaches what is in front.
    session.input(1, &[3], false);
    session.until_exec(1, "it ends", |e| e.code.is_some());
    assert_eq!(session.execs[&1].code, Some(130));
    // A shell that reads commands, and ends by Ctrl-D.
    session.exec(2, "main", &["sh", "-i"], |e| e.tty = true);
    session.input(2, b"echo $((6*7)); exit 5\n", false);
    session.until_exec(2, "it ends", |e| e.code.is_some());
    assert!(session.execs[&2].text().contains("42") && session.execs[&2].code == Some(5), "{:?}", session.execs[&2]);
    assert!(!session.execs[&2].text().contains("job control"), "{:?}", session.execs[&2].text());
    // The first one's name is free again.
    session.exec(3, "main", &["tty"], |e| e.tty = true);
    session.until_exec(3, "it ends", |e| e.code.is_some());
    assert_eq!(session.execs[&3].text(), "/dev/pts/0\r\n");
    end(session);
}

#[test]
fn a_terminal_is_not_made_of_what_the_container_put_there() {
    let mut world = World::new();
    std::os::unix::fs::symlink("/dev/null", world.dir.join("layer/dev/ptmx")).unwrap();
    std::fs::create_dir_all(world.dir.join("layer/dev/pts")).unwrap();
    std::fs::write(world.dir.join("layer/dev/pts/ptmx"), "").unwrap();
    let spec = waits()
        .with(|s| s.config["mounts"].as_array_mut().unwrap().retain(|m| m["destination"] != "/dev/pts" && m["destination"] != "/dev"));
    let (_, mut session) = waiting(&mut world, spec);
    session.exec(1, "main", &["tty"], |e| e.tty = true);
    session.until_exec(1, "it is refused", |e| e.error.is_some());
    assert!(session.execs[&1].error.as_ref().unwrap().ends_with("its /dev/pts/ptmx is not the kernel's"), "{:?}", session.execs[&1]);
    end(session);
}

#[test]
fn signals_and_the_end_of_the_connection_reach_it() {
    let mut world = World::new();
    let (bundle, mut session) = waiting(&mut world, waits());
    session.exec(1, "main", &["sh", "-c", "trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.02; done"], |_| ());
    session.until_exec(1, "it is ready", |e| e.text() == "ready\n");
    session.peer.send(&ToSupervisor::ExecSignal { id: 1, signal: "SIGUSR1".to_string() });
    session.until_exec(1, "it ends", |e| e.code == Some(9));
    assert_eq!(session.execs[&1].text(), "ready\ngot it\n");
    session.peer.send(&ToSupervisor::ExecSignal { id: 1, signal: "SIGNOPE".to_string() });
    session.until("it is refused", |s| s.seen.errors == ["exec-signal: \"SIGNOPE\" is not a signal"]);

    let show = |session: &mut Session, id| {
        session.exec(id, "main", &["sh", "-c", "sleep 1234 & sleep 1234; true"], |_| ());
        session.until_exec(id, "it is started", |e| e.is_started);
    };
    let count = |session: &mut Session, id| {
        let script = "n=0; for p in /proc/[0-9]*; do grep -q '^sleep.1234' $p/cmdline 2>/dev/null && n=$((n+1)); done; echo $n";
        session.run_inside(id, "main", &["sh", "-c", script], |_| ()).text().trim().to_string()
    };
    show(&mut session, 2);
    while count(&mut session, 3) != "2" {
        session.execs.remove(&3);
    }
    session.peer.send(&ToSupervisor::ExecClose { id: 2 });
    session.execs.remove(&3);
    while count(&mut session, 3) != "0" {
        session.execs.remove(&3);
    }
    assert!(session.execs[&2].code.is_none());
    show(&mut session, 4);
    drop(session);
    let mut again = Session::attach(&bundle, 0);
    while count(&mut again, 5) != "0" {
        again.execs.remove(&5);
    }
    end(again);
}

#[test]
fn what_a_command_leaves_behind_does_not_hold_its_end_up() {
    let mut world = World::new();
    let (_, mut session) = waiting(&mut world, waits());
    let seen = session.run_inside(1, "main", &["sh", "-c", "nohup sleep 60 & echo done"], |_| ());
    assert_eq!((seen.text().as_str(), seen.code), ("done\n", Some(0)));
    end(session);
}

#[test]
fn the_end_of_the_container_ends_it_and_there_are_only_so_many() {
    let mut world = World::new();
    let (_, mut session) = waiting(&mut world, waits());
    for id in 0..EXECS as u32 + 1 {
        session.exec(id, "main", &["sleep", "60"], |_| ());
        session.until_exec(id, "it is answered", |e| e.is_started || e.error.is_some());
    }
    assert!(session.execs[&(EXECS as u32)].error.as_ref().unwrap().starts_with(&format!("{EXECS} commands run")));
    session.exec(3, "main", &["id"], |_| ());
    session.until_exec(3, "an id is one command's", |e| e.error.is_some());
    session.peer.send(&ToSupervisor::Stop);
    session.until_ended();
    for id in 0..EXECS as u32 {
        session.until_exec(id, "it ended with its container", |e| e.code == Some(137));
    }
    assert_eq!(session.seen.container("main").exit_code, Some(143));
    session.release();
}

/// As the definition's `linuxParameters.capabilities.add` may ask for.
fn with_ptrace(spec: Spec) -> Spec {
    spec.with(|s| {
        for set in ["bounding", "effective", "permitted"] {
            s.config["process"]["capabilities"][set].as_array_mut().unwrap().push("CAP_SYS_PTRACE".into());
        }
    })
}

#[test]
fn who_may_trace_meets_nothing_of_the_machine_when_commands_come_in() {
    for pid_mode in [PidMode::Container, PidMode::Task] {
        let mut world = World::new();
        let inside = world.dir.join("layer");
        // Any process with another root, a descriptor that leads out, the supervisor's memory (and so its command line), or more rights than
        // a container has. Without a fork, so it is quick.
        let spy = format!(
            "echo up; while :; do for p in /proc/[0-9]*; do [ -e $p/root{} ] && echo root $p; \
            for f in $p/fd/*; do [ -e $f/cgroup.procs ] || [ -e $f/task.json ] && echo $f; done; \
            {{ read -r c < $p/cmdline; case $c in *--soc''ket*) echo memory $p;; esac; }} 2>/dev/null; \
            {{ while read -r a b; do case $a$b in Cap???:00000000080[08]04e1 | Cap???:0000000000000000) ;; Cap*) echo $p $a $b;; esac; \
            done < $p/status; }} 2>/dev/null; done; done",
            inside.display()
        );
        let specs = vec![with_ptrace(shell(&spy)).named("main"), waits().named("other")];
        let bundle = world.bundle("t", specs, |b| b.pid_mode = pid_mode);
        world.start(&bundle);
        let mut session = Session::attach(&bundle, 0);
        session.until_running("main");
        session.until_running("other");
        for id in 0..100 {
            let container = if id % 2 == 0 { "main" } else { "other" };
            assert_eq!(session.run_inside(id, container, &["id", "-u"], |_| ()).text(), "0\n");
        }
        assert_eq!(session.seen.lines().into_iter().filter(|line| *line != "up").collect::<Vec<_>>(), Vec::<&str>::new());
        end(session);
    }
}

#[test]
fn no_descriptor_leads_out() {
    let mut world = World::new();
    let (_, mut session) = waiting(&mut world, waits());
    for n in 3..20 {
        let path = format!("/proc/self/fd/{n}/cgroup.procs");
        let error = session.run_inside(n, "main", &[&path], |_| ()).error.clone().unwrap();
        assert!(["no such file or directory", "not a directory"].iter().any(|reason| error.ends_with(reason)), "{n}: {error}");
        let seen = session.run_inside(n + 100, "main", &["ls"], |e| e.cwd = Some(format!("/proc/self/fd/{n}")));
        assert!(seen.error.is_some());
    }
    end(session);
}
