//! Real QEMU processes in rooms of the tests' own. No guest is booted: what is looked at is the process.
#[allow(dead_code)]
#[path = "task/harness.rs"]
mod harness;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use berth_supervisor::net::Netns;
use berth_supervisor::protocol::*;
use harness::{eventually, is_alive, World};
use serde_json::{json, Value};

const UID: u32 = 61_234;
const QEMU: &str = "/usr/bin/qemu-system-x86_64";
const MODULES: &str = "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so";
const FIRMWARE: [&str; 3] = ["bios-microvm.bin", "pvh.bin", "linuxboot_dma.bin"];

/// A room for all tests, kept among what was built; it is made anew when QEMU changes.
fn room() -> &'static Path {
    static ROOM: OnceLock<PathBuf> = OnceLock::new();
    ROOM.get_or_init(|| {
        let changed = std::fs::metadata(QEMU).expect("qemu-system-x86 is not installed").mtime();
        let room = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("room-{changed}"));
        if room.is_dir() {
            return room;
        }
        let new = room.with_extension(std::process::id().to_string());
        let copy = |from: &str| {
            let to = new.join(&from[1..]);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        };
        for program in [QEMU, MODULES] {
            copy(program);
            let listed = Command::new("ldd").arg(program).output().unwrap();
            let listed = String::from_utf8(listed.stdout).unwrap();
            listed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/'))).for_each(copy);
        }
        std::fs::create_dir_all(new.join("usr/share/qemu")).unwrap();
        for name in FIRMWARE {
            std::fs::copy(Path::new("/usr/share/qemu").join(name), new.join("usr/share/qemu").join(name)).unwrap();
        }
        for dir in ["vm", "dev"] {
            std::fs::create_dir_all(new.join(dir)).unwrap();
        }
        if std::fs::rename(&new, &room).is_err() {
            std::fs::remove_dir_all(&new).unwrap();
        }
        room
    })
}

/// One machine; taken away with the value.
struct Vm<'a> {
    world: &'a World,
    bundle: VmBundle,
    monitor: i32,
    qemu: i32,
}

fn bundle(world: &World, name: &str, args: &[&str]) -> VmBundle {
    let dir = world.dir.join(name);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut all = vec!["-M", "microvm", "-accel", "tcg", "-S", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"];
    all.extend(["-chardev", "socket,id=qmp,fd=11,server=on,wait=off", "-mon", "chardev=qmp,mode=control"]);
    all.extend(["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]);
    all.extend(args);
    VmBundle {
        vm_id: name.to_string(),
        dir: dir.display().to_string(),
        room: room().display().to_string(),
        program: QEMU.to_string(),
        args: all.iter().map(ToString::to_string).collect(),
        uid: UID,
        gid: UID,
        cgroup: TaskCgroup {
            limits: CgroupLimits { memory_bytes: Some(256 << 20), pids: Some(64), ..CgroupLimits::default() },
            path: format!("{}/{name}", world.group),
        },
        files: Vec::new(),
        sockets: vec![VmSocket { fd: 11, path: dir.join("run/qmp").display().to_string() }],
        tap: None,
        kvm: false,
    }
}

fn start(world: &World, bundle: VmBundle) -> Vm<'_> {
    let answer = world.call(json!({ "id": 1, "op": "vm-start", "vm": bundle })).unwrap();
    let pid = |name: &str| answer[name].as_i64().unwrap() as i32;
    Vm { world, monitor: pid("pid"), qemu: pid("qemuPid"), bundle }
}

impl Vm<'_> {
    fn status(&self, name: &str) -> String {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.qemu)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn qmp(&self) -> Qmp {
        let mut stream = UnixStream::connect(&self.bundle.sockets[0].path).unwrap();
        stream.set_read_timeout(Some(harness::PATIENCE)).unwrap();
        stream.write_all(b"{\"execute\":\"qmp_capabilities\"}\n").unwrap();
        let mut qmp = Qmp { reader: BufReader::new(stream.try_clone().unwrap()), stream };
        qmp.until("return");
        qmp
    }

    fn exit(&self) -> Value {
        let path = Path::new(&self.bundle.dir).join("exit.json");
        eventually("the end is written down", || path.exists());
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn clean(&self) -> Result<Value, WorkerError> {
        let (dir, path) = (&self.bundle.dir, &self.bundle.cgroup.path);
        self.world.call(json!({ "id": 2, "op": "task-clean", "dir": dir, "cgroupPath": path, "routerNetns": null, "routerIf": null }))
    }
}

impl Drop for Vm<'_> {
    fn drop(&mut self) {
        let cleaned = self.clean();
        if !std::thread::panicking() {
            cleaned.unwrap();
            assert!(!is_alive(self.monitor) && !is_alive(self.qemu));
        }
    }
}

struct Qmp {
    reader: BufReader<UnixStream>,
    stream: UnixStream,
}

impl Qmp {
    fn until(&mut self, member: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.reader.read_line(&mut line).unwrap(), 0, "QEMU closed the monitor");
            let message: Value = serde_json::from_str(&line).unwrap();
            assert!(message.get("error").is_none(), "{message}");
            if message.get(member).is_some() {
                return message;
            }
        }
    }

    fn run(&mut self, command: &str, arguments: Value) -> Value {
        writeln!(self.stream, "{}", json!({ "execute": command, "arguments": arguments })).unwrap();
        self.until("return")
    }
}

fn names(dir: impl AsRef<Path>) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    found
}

/// Cgroup directories, sockets and the lock of a machine that isn't there any more.
fn leftovers(bundle: &VmBundle) -> Vec<String> {
    let cgroups = berth_supervisor::cgroup::Cgroups::detect().unwrap();
    let paths = cgroups.layout().directories(&bundle.cgroup.path).into_iter().chain(bundle.sockets.iter().map(|s| PathBuf::from(&s.path)));
    let mut left: Vec<String> = paths.filter(|path| path.exists()).map(|path| path.display().to_string()).collect();
    left.extend(berth_supervisor::task::holder(Path::new(&bundle.dir)).unwrap().map(|pid| format!("held by {pid}")));
    left
}

#[test]
fn qemu_lives_in_an_empty_room() {
    let world = World::new();
    let mut bundle =
        bundle(&world, "vm", &["-m", "32M", "-netdev", "tap,id=net0,fd=12,vhost=off", "-device", "virtio-net-device,netdev=net0"]);
    bundle.tap = Some(VmTap { fd: 12, name: "tap0".to_string() });
    let vm = start(&world, bundle);
    vm.qmp().run("query-status", json!({}));
    let id = UID.to_string();
    assert_eq!(vm.status("Uid"), [id.as_str(); 4].join(" "));
    assert_eq!(vm.status("Gid"), [id.as_str(); 4].join(" "));
    assert_eq!(vm.status("Groups"), "");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(vm.status(set), "0".repeat(16), "{set}");
    }
    assert_eq!((vm.status("NoNewPrivs"), vm.status("Seccomp")), ("1".to_string(), "2".to_string()));
    assert!(vm.status("Seccomp_filters").parse::<u32>().unwrap() >= 2, "ours and QEMU's own");
    assert!(vm.status("NSpid").ends_with(" 1"), "{}", vm.status("NSpid"));

    let proc = PathBuf::from(format!("/proc/{}", vm.qemu));
    for kind in ["net", "mnt", "pid", "ipc", "uts"] {
        let link = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/{kind}")).unwrap();
        assert_ne!(link(&vm.qemu.to_string()), link("self"), "{kind}");
    }
    assert_eq!(names(proc.join("root")), ["dev", "lib", "lib64", "usr", "vm"]);
    assert_eq!(names(proc.join("root/dev")), ["null", "urandom"]);
    assert_eq!(std::fs::read_link(proc.join("cwd")).unwrap(), Path::new("/vm"));
    assert!(std::fs::read(proc.join("environ")).unwrap().is_empty());
    let mounts = std::fs::read_to_string(proc.join("mountinfo")).unwrap();
    let points: Vec<(&str, bool)> =
        mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).map(|part| (part[4], part[5].starts_with("ro"))).collect();
    assert_eq!(points, [("/", true), ("/vm", false), ("/dev", true)]);
    assert_eq!(std::fs::metadata(proc.join("root/vm")).unwrap().ino(), std::fs::metadata(&vm.bundle.dir).unwrap().ino());
    let group = std::fs::read_to_string(proc.join("cgroup")).unwrap();
    for controller in ["memory", "pids", "cpu"] {
        let line = group.lines().find(|line| line.split(':').nth(1).unwrap().split(',').any(|c| c == controller));
        let path = line.or_else(|| group.lines().find(|line| line.starts_with("0::"))).unwrap();
        assert!(path.ends_with(&vm.bundle.cgroup.path), "{controller}: {group}");
    }
    let limits = std::fs::read_to_string(proc.join("limits")).unwrap();
    assert!(limits.lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 ")), "{limits}");
    assert_eq!(std::fs::read_to_string(proc.join("oom_score_adj")).unwrap().trim(), "0");
    let devices = std::fs::read_to_string(proc.join("net/dev")).unwrap();
    assert!(devices.contains("tap0:") && devices.lines().count() == 4, "{devices}");
    // Standard streams, and what the bundle gives; the rest are QEMU's own events.
    for fd in names(proc.join("fd")) {
        // QEMU closes descriptors while we look.
        let Ok(target) = std::fs::read_link(proc.join("fd").join(&fd)) else { continue };
        let target = target.display().to_string();
        let is_known = ["/dev/null", "pipe:", "socket:", "/dev/net/tun", "anon_inode:["].iter().any(|known| target.starts_with(known));
        assert!(is_known, "descriptor {fd} is {target}");
    }
    assert_eq!(vm.world.call(json!({ "id": 1, "op": "vm-start", "vm": vm.bundle })).unwrap_err().code, ErrorCode::Exists);
    let left = vm.bundle.clone();
    drop(vm);
    // A killed monitor removes nothing; its sockets are the host's to remove, who named them.
    for socket in &left.sockets {
        std::fs::remove_file(&socket.path).unwrap();
    }
    assert_eq!(leftovers(&left), Vec::<String>::new());
}

#[test]
fn its_end_is_written_down_with_its_last_words() {
    let world = World::new();
    let vm = start(&world, bundle(&world, "quits", &["-m", "32M"]));
    let mut qmp = vm.qmp();
    writeln!(qmp.stream, "{}", json!({ "execute": "quit" })).unwrap();
    let exit = vm.exit();
    assert_eq!((&exit["code"], &exit["signal"], &exit["oomKilled"]), (&json!(0), &Value::Null, &json!(false)), "{exit}");
    eventually("the monitor goes", || !is_alive(vm.monitor));
    vm.clean().unwrap();
    assert_eq!(leftovers(&vm.bundle), Vec::<String>::new());

    let refused = start(&world, bundle(&world, "refused", &["-m", "32M", "-device", "no-such-device"]));
    let exit = refused.exit();
    assert_eq!(exit["code"], 1, "{exit}");
    assert!(exit["console"].as_str().unwrap().contains("'no-such-device' is not a valid device model name"), "{exit}");

    let killed = start(&world, bundle(&world, "killed", &["-m", "32M"]));
    Command::new("kill").args(["-9", &killed.qemu.to_string()]).status().unwrap();
    let exit = killed.exit();
    assert_eq!((&exit["code"], &exit["signal"], &exit["oomKilled"]), (&Value::Null, &json!(9), &json!(false)), "{exit}");
}

#[test]
fn it_outlives_the_worker_but_not_its_monitor() {
    let mut world = World::new();
    let bundle = bundle(&world, "vm", &["-m", "32M"]);
    let (monitor, qemu) = {
        let vm = std::mem::ManuallyDrop::new(start(&world, bundle.clone()));
        (vm.monitor, vm.qemu)
    };
    world.restart_worker();
    let vm = Vm { world: &world, bundle, monitor, qemu };
    vm.qmp().run("query-status", json!({}));
    Command::new("kill").args(["-9", &monitor.to_string()]).status().unwrap();
    eventually("QEMU ends with its monitor", || !is_alive(qemu));
}

#[test]
fn out_of_memory_is_told_from_a_kill() {
    let world = World::new();
    let mut greedy = bundle(&world, "greedy", &["-m", "192M", "-object", "memory-backend-ram,id=ram,size=192M,prealloc=on"]);
    greedy.args[1] = "microvm,memory-backend=ram".to_string();
    greedy.cgroup.limits.memory_bytes = Some(96 << 20);
    let vm = start(&world, greedy);
    let exit = vm.exit();
    assert_eq!((&exit["signal"], &exit["oomKilled"]), (&json!(9), &json!(true)), "{exit}");
}

/// A byte that QEMU's loader writes into the guest's RAM as soon as there is one.
const POKE: [&str; 2] = ["-device", "loader,addr=0x1000,data=0x41,data-len=1"];

fn with_memory(world: &World, name: &str, share: &str, mode: FileMode) -> VmBundle {
    let memory = world.dir.join("memory");
    std::fs::File::create(&memory).unwrap().set_len(32 << 20).unwrap();
    std::fs::set_permissions(&memory, std::fs::Permissions::from_mode(0o400)).unwrap();
    let backend = format!("memory-backend-file,id=ram,size=32M,mem-path=/dev/fd/13,share={share}");
    let mut vm = bundle(world, name, &["-m", "32M", "-object", &backend, POKE[0], POKE[1]]);
    vm.args[1] = "microvm,memory-backend=ram".to_string();
    vm.files = vec![VmFile { fd: 13, path: memory.display().to_string(), mode, create: false }];
    vm
}

fn poked(world: &World) -> u8 {
    let mut byte = [9];
    std::fs::File::open(world.dir.join("memory")).unwrap().read_exact_at(&mut byte, 0x1000).unwrap();
    byte[0]
}

fn guest_byte(vm: &Vm) -> String {
    let answer = vm.qmp().run("human-monitor-command", json!({ "command-line": "xp /1bx 0x1000" }));
    answer["return"].as_str().unwrap().trim().to_string()
}

#[test]
fn a_file_for_reading_serves_as_memory_and_stays_as_it_is() {
    let world = World::new();
    let vm = start(&world, with_memory(&world, "reads", "off", FileMode::Read));
    assert!(guest_byte(&vm).ends_with("0x41"), "{}", guest_byte(&vm));
    assert_eq!(poked(&world), 0, "a template's memory was written to");
    // However QEMU holds the file, it holds it for reading.
    let proc = PathBuf::from(format!("/proc/{}", vm.qemu));
    for fd in names(proc.join("fd")) {
        if std::fs::read_link(proc.join("fd").join(&fd)).unwrap().ends_with("memory") {
            let info = std::fs::read_to_string(proc.join("fdinfo").join(&fd)).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
            assert_eq!(u32::from_str_radix(flags, 8).unwrap() & 3, 0, "{info}");
        }
    }
}

#[test]
fn a_file_for_both_is_the_machines_memory() {
    let world = World::new();
    let vm = start(&world, with_memory(&world, "writes", "on", FileMode::ReadWrite));
    assert!(guest_byte(&vm).ends_with("0x41"));
    assert_eq!(poked(&world), 0x41);
}

#[test]
fn disks_are_files_of_its_directory_and_nothing_else_can_be_opened() {
    let world = World::new();
    let vm = start(&world, bundle(&world, "vm", &["-m", "32M"]));
    std::fs::write(world.dir.join("image"), vec![7; 4096]).unwrap();
    std::fs::set_permissions(world.dir.join("image"), std::fs::Permissions::from_mode(0o444)).unwrap();
    std::fs::hard_link(world.dir.join("image"), Path::new(&vm.bundle.dir).join("image0")).unwrap();
    let mut qmp = vm.qmp();
    qmp.run("blockdev-add", json!({ "driver": "file", "node-name": "a", "filename": "/vm/image0", "read-only": true }));
    for path in ["/vm/sup.pid", "/etc/passwd", "/proc/self/environ", "/dev/fd/13", "/vm/../../etc/passwd"] {
        let command =
            json!({ "execute": "blockdev-add", "arguments": { "driver": "file", "node-name": "b", "filename": path, "read-only": true } });
        writeln!(qmp.stream, "{command}").unwrap();
        let mut line = String::new();
        qmp.reader.read_line(&mut line).unwrap();
        assert!(line.contains("No such file") || line.contains("Permission denied"), "{path}: {line}");
    }
}

#[test]
fn kvm_is_there_only_when_asked_for() {
    let world = World::new();
    let mut asks = bundle(&world, "asks", &["-m", "32M"]);
    asks.kvm = true;
    if !Path::new("/dev/kvm").exists() {
        let error = world.call(json!({ "id": 1, "op": "vm-start", "vm": asks })).unwrap_err();
        assert!(error.message.contains("make the room's devices"), "{error:?}");
        return;
    }
    asks.args[3] = "kvm".to_string();
    let vm = start(&world, asks);
    vm.qmp().run("query-kvm", json!({}));
    let node = std::fs::metadata(format!("/proc/{}/root/dev/kvm", vm.qemu)).unwrap();
    let machine = std::fs::metadata("/dev/kvm").unwrap();
    assert_eq!((node.uid(), node.mode() & 0o777, node.rdev()), (UID, 0o600, machine.rdev()));
    let mut refused = bundle(&world, "refused", &["-m", "32M"]);
    refused.args[3] = "kvm".to_string();
    let exit = start(&world, refused).exit();
    assert!(exit["console"].as_str().unwrap().contains("Could not access KVM kernel module"), "{exit}");
}

#[test]
fn its_tap_moves_to_the_router_and_goes_with_it() {
    let world = World::new();
    let router = world.dir.join("ns/router");
    let netns = Netns::create(&router).unwrap();
    let mut wanted =
        bundle(&world, "vm", &["-m", "32M", "-netdev", "tap,id=net0,fd=12,vhost=off", "-device", "virtio-net-device,netdev=net0"]);
    wanted.tap = Some(VmTap { fd: 12, name: "tap0".to_string() });
    let network = NetworkBundle {
        router_netns: router.display().to_string(),
        router_if: "t00000000000a".into(),
        ip: "10.64.0.9".into(),
        mac: "02:00:00:00:00:09".into(),
        gateway_ip: "10.64.0.1".into(),
        gateway_mac: "02:67:0a:40:00:01".into(),
        mtu: 1400,
    };
    let request = json!({ "id": 3, "op": "vm-network", "dir": wanted.dir, "tap": "tap0", "network": network });
    let in_router = |args: &[&str]| {
        let output = netns.within(|| Command::new("ip").args(args).output().unwrap()).unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(world.call(request.clone()).unwrap_err().code, ErrorCode::NotFound);
    {
        let vm = start(&world, wanted);
        vm.qmp().run("query-status", json!({}));
        for _ in 0..2 {
            world.call(request.clone()).unwrap();
        }
        let link = in_router(&["-d", "link", "show", "t00000000000a"]);
        for part in ["mtu 1400", "02:67:0a:40:00:01", "tun type tap pi off vnet_hdr on", ",UP,LOWER_UP>"] {
            assert!(link.contains(part), "{part}: {link}");
        }
        assert!(in_router(&["route", "show"]).contains("10.64.0.9 dev t00000000000a proto static scope link"));
        let neighbours = in_router(&["neighbour", "show"]);
        assert!(neighbours.contains("10.64.0.9 dev t00000000000a lladdr 02:00:00:00:00:09 PERMANENT"), "{neighbours}");
        assert!(!std::fs::read_to_string(format!("/proc/{}/net/dev", vm.qemu)).unwrap().contains("tap0"));
        // It is QEMU's still: it hears of the link's end by the descriptor.
        vm.qmp().run("set_link", json!({ "name": "net0", "up": false }));
    }
    eventually("the tap goes with QEMU", || !in_router(&["link"]).contains("t00000000000a"));
    drop(netns);
    Netns::remove(&router).unwrap();
}

#[test]
fn what_cannot_start_says_why_and_leaves_nothing() {
    let world = World::new();
    let refused = |change: &dyn Fn(&mut VmBundle), code: ErrorCode, text: &str| {
        let mut bundle = bundle(&world, "vm", &["-m", "32M"]);
        change(&mut bundle);
        let error = world.call(json!({ "id": 1, "op": "vm-start", "vm": bundle })).unwrap_err();
        assert!(error.message.contains(text) && error.code == code, "{error:?}");
        assert_eq!(leftovers(&bundle), Vec::<String>::new(), "{text}");
    };
    let file = |fd, path: &str| VmFile { fd, path: path.to_string(), mode: FileMode::Read, create: false };
    refused(&|b| b.program = "/usr/bin/nothing".into(), ErrorCode::Failed, "cannot start /usr/bin/nothing");
    refused(&|b| b.room = "/nowhere".into(), ErrorCode::Failed, "cannot open /nowhere");
    refused(&|b| b.uid = 0, ErrorCode::Invalid, "not run as root");
    refused(&|b| b.files = vec![file(13, "/no/such/file")], ErrorCode::NotFound, "cannot open /no/such/file");
    refused(&|b| b.files = vec![file(11, "/dev/null")], ErrorCode::Invalid, "wanted twice");
    refused(&|b| b.files = vec![file(2, "/dev/null")], ErrorCode::Invalid, "not between 3 and 255");
    refused(&|b| b.files = vec![file(13, "dev/null")], ErrorCode::Invalid, "not an absolute path");
    refused(&|b| b.cgroup.path = "../up".into(), ErrorCode::Invalid, "not a cgroup path");
    refused(&|b| b.tap = Some(VmTap { fd: 12, name: "far-too-long-a-name".into() }), ErrorCode::Invalid, "interface's name");
    std::fs::remove_dir_all(world.dir.join("vm/run")).unwrap();
}

#[test]
fn limits_of_a_group_change() {
    let world = World::new();
    let vm = start(&world, bundle(&world, "vm", &["-m", "32M"]));
    let read = |v1: &str, v2: &str| {
        let cgroups = berth_supervisor::cgroup::Cgroups::detect().unwrap();
        let dirs = cgroups.layout().directories(&vm.bundle.cgroup.path);
        let text =
            dirs.iter().find_map(|dir| std::fs::read_to_string(dir.join(v1)).or_else(|_| std::fs::read_to_string(dir.join(v2))).ok());
        text.unwrap().trim().to_string()
    };
    for bytes in [512u64 << 20, 128 << 20, 1 << 30] {
        let limits = CgroupLimits { cpu_millis: Some(250), memory_bytes: Some(bytes), ..CgroupLimits::default() };
        world.call(json!({ "id": 4, "op": "cgroup-limit", "path": vm.bundle.cgroup.path, "limits": limits })).unwrap();
        assert_eq!(read("memory.limit_in_bytes", "memory.max"), bytes.to_string());
        assert!(["25000", "25000 100000"].contains(&read("cpu.cfs_quota_us", "cpu.max").as_str()));
        assert_eq!(read("pids.max", "pids.max"), "64");
    }
    let nowhere = json!({ "id": 5, "op": "cgroup-limit", "path": format!("{}/none", world.group), "limits": { "cpuMillis": 100 } });
    assert_eq!(world.call(nowhere).unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn a_monitor_costs_next_to_nothing() {
    let world = World::new();
    let mut took = Vec::new();
    for n in 0..5 {
        let bundle = bundle(&world, &format!("vm{n}"), &["-m", "32M"]);
        let at = Instant::now();
        let vm = start(&world, bundle);
        took.push(at.elapsed());
        vm.qmp().run("query-status", json!({}));
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", vm.monitor)).unwrap();
        let kib = |name: &str| rollup.lines().find_map(|l| l.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap();
        println!("monitor: {} KiB, {} of its own", kib("Pss:"), kib("Private_Dirty:"));
        assert!(kib("Private_Dirty:") < 300, "{rollup}");
    }
    took.sort();
    println!("vm-start: {took:?}");
    assert!(took[2] < Duration::from_millis(100), "{took:?}");
}
