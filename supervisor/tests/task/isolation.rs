//! What a container may not do, and what it may not use up.
use berth_supervisor::protocol::*;

use crate::harness::*;

#[test]
fn has_its_own_namespaces_devices_and_paths() {
    let script = "hostname; echo pid $$; cat /proc/1/comm; ls /dev; grep -c . /proc/net/dev; \
        echo x > /proc/sys/kernel/hostname; cat /proc/kcore | wc -c; ls /sys/firmware; \
        mknod /tmp/disk b 254 0 && cat /tmp/disk; echo hi > /dev/null && echo null works; echo $HOME; cat /sys/fs/cgroup/*/cgroup.procs | sort -u";
    let mut world = World::new();
    std::fs::copy("/bin/busybox", world.dir.join("layer/bin/wc")).unwrap();
    std::fs::copy("/bin/busybox", world.dir.join("layer/bin/sort")).unwrap();
    let seen = world.run("t", shell(script));
    let text = seen.text();
    assert!(text.starts_with("host-t\npid 1\nsh\n") || text.contains("host-t"), "{text}");
    for wanted in
        ["pid 1", "null", "zero", "urandom", "shm", "null works", "/root", "Read-only file system", "/tmp/disk': Permission denied"]
    {
        assert!(text.contains(wanted) || text.contains(&wanted.replace('\'', "")), "{wanted} is not in: {text}");
    }
}

#[test]
fn runs_as_the_user_that_is_wanted() {
    let mut world = World::new();
    let mut ids = |name: &str, user: &str| {
        let spec = shell("echo $(id -u) $(id -g) $(id -G) $HOME; grep CapEff /proc/self/status; echo x > /etc/passwd");
        let seen = world.run(name, spec.with(|s| s.config["annotations"]["berth.user"] = user.into()));
        (seen.lines()[0].to_string(), seen.text())
    };
    let (line, text) = ids("web", "web");
    assert_eq!(line, "33 34 34 50 /var/www");
    assert!(text.contains("CapEff:\t0000000000000000") && text.contains("ermission denied"), "{text}");
    assert_eq!(ids("n", "1234:99").0, "1234 99 99 /");
    assert_eq!(ids("g", "web:www").0, "33 34 34 /var/www");
}

#[test]
fn privileges_are_dropped() {
    let script = "grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; mount -t tmpfs none /tmp; unshare -n true; \
        cat /proc/self/oom_score_adj; grep 'open files' /proc/self/limits; ls -l /proc/self/fd | grep -c ' -> '";
    let seen = World::new().run("t", shell(script));
    let text = seen.text();
    // CHOWN 0, KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10, MKNOD 27.
    let mask = format!("{:016x}", 1u64 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10 | 1 << 27);
    for wanted in [format!("CapEff:\t{mask}"), format!("CapBnd:\t{mask}"), "NoNewPrivs:\t1".to_string(), "Seccomp:\t2".to_string()] {
        assert!(text.contains(&wanted), "{wanted} is not in: {text}");
    }
    assert!(text.contains("mount: permission denied") && text.contains("unshare(0x40000000): Operation not permitted"), "{text}");
    assert!(text.contains(&open_files().to_string()), "{text}");
    // Standard streams (ls no longer has its own when it looks): nothing of the supervisor's came along.
    assert_eq!(seen.records.iter().rfind(|r| r.stream == 1).unwrap().text, "3", "{text}");
}

/// 65535, or what this machine lets root have where it holds CAP_SYS_RESOURCE back.
fn open_files() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let hard = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().nth(4).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    let may_raise = u64::from_str_radix(effective.trim(), 16).unwrap() & 1 << 24 != 0;
    if may_raise {
        65535
    } else {
        hard.parse::<u64>().unwrap().min(65535)
    }
}

#[test]
fn root_can_be_read_only() {
    let mut world = World::new();
    let spec = shell("echo x > /file; echo y > /dev/shm/file && echo shm works; echo z > /data/new && echo volume works");
    let volume = world.dir.join("volume");
    std::fs::create_dir(&volume).unwrap();
    let spec = spec.with(|s| {
        s.config["root"]["readonly"] = true.into();
        let mount = serde_json::json!({ "destination": "/data", "type": "bind", "source": volume, "options": ["rbind", "rw"] });
        s.config["mounts"].as_array_mut().unwrap().push(mount);
    });
    let text = world.run("t", spec).text();
    for wanted in ["Read-only file system", "shm works", "volume works"] {
        assert!(text.contains(wanted), "{wanted} is not in: {text}");
    }
    assert_eq!(std::fs::read_to_string(volume.join("new")).unwrap(), "z\n");
    let ro = shell("echo z > /data/new").with(|s| {
        let mount = serde_json::json!({ "destination": "/data", "type": "bind", "source": volume, "options": ["bind", "ro"] });
        s.config["mounts"].as_array_mut().unwrap().push(mount);
    });
    assert!(world.run("ro", ro).text().contains("Read-only file system"));
    assert!(!world.dir.join("layer/file").exists());
}

#[test]
fn layers_stack_and_links_lead_nowhere_outside() {
    let mut world = World::new();
    let top = world.dir.join("top");
    std::fs::create_dir_all(top.join("etc")).unwrap();
    std::fs::write(top.join("etc/group"), "covered\n").unwrap();
    // A mount point that is a link to a place outside.
    std::os::unix::fs::symlink(&world.dir, top.join("data2")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", top.join("etc/hosts")).unwrap();
    std::fs::write(world.dir.join("hosts"), "bound\n").unwrap();
    let many: Vec<String> = (0..126)
        .map(|n| {
            let dir = world.dir.join(format!("a-rather-long-name-for-a-layer-so-that-all-of-them-exceed-one-page-{n}"));
            std::fs::create_dir(&dir).unwrap();
            dir.display().to_string()
        })
        .collect();
    let hosts = world.dir.join("hosts");
    let spec = shell("cat /etc/group /etc/hosts; ls -d /tmp/berth-test*; echo done").with(|s| {
        s.layers = [vec![top.display().to_string()], many].concat();
        let mounts = s.config["mounts"].as_array_mut().unwrap();
        mounts.push(serde_json::json!({ "destination": "/data2/x", "type": "tmpfs", "source": "tmpfs", "options": [] }));
        mounts.push(serde_json::json!({ "destination": "/etc/hosts", "type": "bind", "source": hosts, "options": ["bind", "ro"] }));
    });
    let seen = world.run("t", spec);
    let text = seen.text();
    assert!(text.contains("covered\nbound") && text.contains("done"), "{text} {:?}", seen.state());
    assert!(!world.dir.join("x").exists());
}

#[test]
fn any_name_will_do() {
    let mut world = World::new();
    for name in ["tasks", "cgroup", &"n".repeat(255)] {
        let seen = world.run(&format!("t{}", name.len()), shell("echo runs").named(name));
        assert_eq!(seen.lines(), ["runs"], "{:?}", seen.container(name).failure);
    }
}

#[test]
fn memory_limits_hold_and_are_told() {
    let mut world = World::new();
    let hog = || command(&["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    let limits = CgroupLimits { memory_bytes: Some(32 << 20), ..CgroupLimits::default() };
    let seen = world.run("container", hog().with(|s| s.cgroup = limits));
    let c = seen.container("main");
    assert_eq!((c.exit_code, c.oom_killed), (Some(137), true));
    let seen = world.run_with("task", vec![hog()], |b| b.cgroup.limits = limits);
    let c = seen.container("main");
    assert_eq!((c.exit_code, c.oom_killed), (Some(137), true));
    let seen = world.run_with("fine", vec![shell("exit 0")], |b| b.cgroup.limits = limits);
    assert!(!seen.container("main").oom_killed);
}

#[test]
fn pids_and_cpu_are_limited() {
    let mut world = World::new();
    let spec = shell("for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; echo forked").with(|s| s.cgroup.pids = Some(5));
    let seen = world.run("pids", spec);
    assert!(seen.text().contains("an't fork"), "{}", seen.text());

    let bundle = world.bundle("cpu", vec![shell("while :; do :; done")], |b| b.cgroup.limits.cpu_millis = Some(200));
    world.start(&bundle);
    let mut session = Session::attach(&bundle, 0);
    session.until_running("main");
    let started = std::time::Instant::now();
    std::thread::sleep(std::time::Duration::from_millis(700));
    session.peer.send(&ToSupervisor::Stats { id: 1 });
    session.until("stats", |s| !s.stats.is_empty());
    let used = session.stats[0].containers[0].cpu_ns as f64 / started.elapsed().as_nanos() as f64;
    assert!(used > 0.02 && used < 0.4, "{used} of a core");
    assert!(session.stats[0].task.pids >= 1 && session.stats[0].containers[0].memory_bytes > 0);
    session.peer.send(&ToSupervisor::Kill);
    session.until_ended();
    assert_eq!(session.seen.container("main").exit_code, Some(137));
    session.release();
}

#[test]
fn a_task_may_share_its_pids() {
    let mut world = World::new();
    let a = shell("sleep 60 & echo up; while :; do sleep 0.02; done").named("a").with(|s| (s.essential, s.stop_timeout_ms) = (false, 10));
    let b = shell("grep -l sleep /proc/[0-9]*/comm | grep -c .; echo pid $$").named("b").after("a", Condition::Start);
    let seen = world.run_with("t", vec![a, b], |b| b.pid_mode = PidMode::Task);
    assert!(!seen.lines().contains(&"pid 1"), "{:?}", seen.lines());
    // Not PID 1, so the signal ends it.
    assert_eq!(seen.container("a").exit_code, Some(143));
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
fn who_may_trace_finds_nothing_of_the_machine() {
    let mut world = World::new();
    // Whose memory is the supervisor's has its command line.
    let look =
        "grep -c -e '--soc''ket' /proc/1/cmdline; cat /proc/1/comm; ls -a /proc/1/root/ /proc/1/cwd/; cat /proc/1/root/etc/passwd; grep -E 'Cap|Seccomp:|Uid' /proc/1/status; \
        echo x > /proc/1/exe; ls -l /proc/self/fd/ | grep -c ' -> '";
    let seen = world.run_with("shared", vec![with_ptrace(shell(look))], |b| b.pid_mode = PidMode::Task);
    let text = seen.text();
    assert!(text.contains("0\nberth-pause\n/proc/1/cwd/:\n.\n..\n\n/proc/1/root/:\n.\n..\n"), "{text}");
    for wanted in ["CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "Seccomp:\t2", "Uid:\t65534", "exe: Read-only file system"] {
        assert!(text.contains(wanted), "{wanted} is not in: {text}");
    }
    let text = world.run("init", with_ptrace(shell(look)).with(|s| s.init_process = true)).text();
    assert!(
        text.contains("0\nberth-init\n")
            && text.contains("exe: Read-only file system")
            && text.contains("Seccomp:\t2")
            && !text.contains("berth-test"),
        "{text}"
    );
}

#[test]
fn who_may_trace_meets_no_container_in_the_making() {
    let mut world = World::new();
    let inside = world.dir.join("layer");
    let spy = format!("while :; do for p in /proc/[0-9]*; do [ -e $p/root{} ] && cat $p/comm; done; done", inside.display());
    let mut specs = vec![with_ptrace(shell(&spy)).named("spy").with(|s| (s.essential, s.stop_timeout_ms) = (false, 10))];
    for n in 0..10 {
        let former = if n == 0 { "spy".to_string() } else { format!("c{}", n - 1) };
        let condition = if n == 0 { Condition::Start } else { Condition::Complete };
        specs.push(shell("sleep 0.05; echo ran").named(&format!("c{n}")).after(&former, condition).with(|s| s.essential = n == 9));
    }
    let seen = world.run_with("t", specs, |b| b.pid_mode = PidMode::Task);
    assert_eq!(seen.lines(), ["ran"; 10]);
}

#[test]
fn no_descriptor_leads_out() {
    let mut world = World::new();
    for n in 3..16 {
        let seen = world.run(&format!("path{n}"), command(&[&format!("/proc/self/fd/{n}/cgroup.procs")]));
        let failure = seen.container("main").failure.clone().unwrap();
        // Closed, or the pipe that says why there is no command.
        let nowhere = ["no such file or directory", "not a directory"].iter().any(|reason| failure.message.ends_with(reason));
        assert!(nowhere, "{n}: {}", failure.message);
        let spec = shell("ls").with(|s| s.config["process"]["cwd"] = format!("/proc/self/fd/{n}").into());
        assert!(world.run(&format!("cwd{n}"), spec).container("main").failure.is_some());
    }
    let seen = world.run("own", command(&["/proc/self/exe", "version"]));
    assert!(seen.text().starts_with("berth-supervisor "), "{}", seen.text());
}

#[test]
fn sysctls_of_namespaces_are_set_and_others_refused() {
    let mut world = World::new();
    let script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax";
    let seen = world.run_with("t", vec![shell(script)], |b| {
        b.sysctls.insert("net.ipv4.ip_unprivileged_port_start".to_string(), "0".to_string());
        b.sysctls.insert("kernel.msgmax".to_string(), "4242".to_string());
    });
    assert_eq!(seen.lines(), ["0", "4242"]);
    let seen = world.run_with("bad", vec![shell("true")], |b| {
        b.sysctls.insert("kernel.panic".to_string(), "1".to_string());
    });
    assert_eq!(seen.container("main").failure.as_ref().unwrap().stage, ContainerStage::Create);
}
