//! The whole network of a machine, in namespaces of the test's own. Each test's thread plays the machine, in a network and a mount
//! namespace that go with it. The rules are the golden files of `src/network`.
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::netlink::{Batch, Netlink, Present, VethEnd};
use super::netns::Netns;
use super::*;
use crate::protocol::{NetworkBundle, VpcBundle};

const HOST_IP: &str = "169.254.64.1";
const HOST_IF: &str = "brab12cd0";
const GATEWAY_MAC: &str = "02:67:0a:40:00:01";
const WAN: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
const SOON: Duration = Duration::from_secs(5);
/// Long enough for a packet that is let through; loopback and veth take microseconds.
const NEVER: Duration = Duration::from_millis(300);

struct Machine {
    dir: PathBuf,
}

/// Runs `test` as a machine with a way out (`wan`) to a namespace that plays the outside.
fn on_a_machine(test: impl FnOnce(&Machine, &Netns) + Send + 'static) {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let dir = std::env::temp_dir().join(format!("berth-net-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir_all(&dir).unwrap();
    let kept = dir.clone();
    let run = std::thread::spawn(move || {
        // SAFETY: unshare(2) takes no pointers; the namespaces are this thread's alone and end with it.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS) }, 0, "needs root");
        // SAFETY: the path ends with NUL, the other pointers may be null for a change of propagation.
        let private =
            unsafe { libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE, std::ptr::null()) };
        assert_eq!(private, 0);
        let machine = Machine { dir };
        let outside = Netns::create(&machine.dir.join("outside/ns")).unwrap();
        let mut batch = Batch::default();
        batch.set_up(1);
        let end = |name| VethEnd { name, index: 0, mac: None, mtu: 1500 };
        batch.add_veth(&end("wan"), &end("wan"), outside.fd());
        Netlink::open().unwrap().run(batch).unwrap();
        for (netlink, address) in [(Netlink::open().unwrap(), WAN), (Netlink::open_in(&outside).unwrap(), OUTSIDE)] {
            let mut batch = Batch::default();
            let wan = netlink.link("wan").unwrap().unwrap().index;
            batch.set_up(wan);
            batch.add_address(wan, address, 24);
            netlink.run(batch).unwrap();
        }
        test(&machine, &outside);
    });
    let result = run.join();
    // The mounts in it went with the thread.
    let _ = std::fs::remove_dir_all(kept);
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

impl Machine {
    fn vpc(&self) -> VpcBundle {
        VpcBundle {
            router_netns: self.dir.join("ns/vpc-1").to_str().unwrap().into(),
            cidr: "10.64.0.0/16".into(),
            host_if: HOST_IF.into(),
            host_ip: HOST_IP.into(),
            router_ip: "169.254.64.2".into(),
            mtu: 1500,
            service_ips: ["169.254.169.253", "169.254.170.2", "169.254.170.3"].map(String::from).into(),
            router_rules: include_str!("../../../src/network/golden/router.nft").into(),
            host_rules: include_str!("../../../src/network/golden/host.nft").into(),
            addresses: vec![],
        }
    }

    fn bundle(&self, number: u8) -> NetworkBundle {
        NetworkBundle {
            router_netns: self.vpc().router_netns,
            router_if: format!("t{number:012x}"),
            ip: format!("10.64.0.{number}"),
            mac: format!("02:00:00:00:00:{number:02x}"),
            gateway_ip: "10.64.0.1".into(),
            gateway_mac: GATEWAY_MAC.into(),
            mtu: 1500,
        }
    }

    fn task(&self, number: u8) -> Netns {
        let task = Netns::create(&self.dir.join(format!("tasks/{number}"))).unwrap();
        task.within(|| task_up(&self.bundle(number), Addressed::Here)).unwrap().unwrap();
        task
    }
}

fn listen(at: &Netns, address: &str) -> TcpListener {
    let listener = at.within(|| TcpListener::bind(address)).unwrap().unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn connect(from: &Netns, to: &str, patience: Duration) -> std::io::Result<TcpStream> {
    let to: SocketAddr = to.parse().unwrap();
    from.within(|| TcpStream::connect_timeout(&to, patience)).unwrap()
}

/// Connects, sends a word through, and tells who the listener saw.
fn talk(from: &Netns, to: &str, listener: &TcpListener) -> IpAddr {
    let mut stream = connect(from, to, SOON).unwrap_or_else(|error| panic!("{to}: {error}"));
    let (mut accepted, peer) = listener.accept().unwrap();
    accepted.set_nonblocking(false).unwrap();
    accepted.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"word").unwrap();
    let mut word = [0; 4];
    accepted.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"word");
    peer.ip()
}

#[track_caller]
fn assert_closed(from: &Netns, to: &str) {
    let error = connect(from, to, NEVER).expect_err(to);
    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::ConnectionRefused), "{to}: {error}");
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn tasks_reach_each_other_the_machine_and_the_outside() {
    on_a_machine(|machine, outside| {
        vpc_up(&machine.vpc()).unwrap();
        let own = Netns::own().unwrap();
        let (one, two) = (machine.task(4), machine.task(5));
        let (web_one, web_two) = (listen(&one, "0.0.0.0:80"), listen(&two, "0.0.0.0:80"));
        assert_eq!(talk(&one, "10.64.0.5:80", &web_two), ip("10.64.0.4"));
        assert_eq!(talk(&two, "10.64.0.4:80", &web_one), ip("10.64.0.5"));
        assert_eq!(talk(&one, "127.0.0.1:80", &web_one), ip("127.0.0.1"));
        let lowest = one.within(|| read_sysctl("net/ipv4/ip_unprivileged_port_start")).unwrap().unwrap();
        assert_eq!(lowest, "0", "an image that runs as an ordinary user may listen on port 80");
        assert_eq!(talk(&own, "10.64.0.4:80", &web_one), ip(HOST_IP));

        let there = listen(outside, "198.18.0.2:80");
        assert_eq!(talk(&one, "198.18.0.2:80", &there), IpAddr::V4(WAN), "goes out behind the machine's address");

        vpc_up(&machine.vpc()).unwrap();
        assert_eq!(talk(&one, "10.64.0.5:80", &web_two), ip("10.64.0.4"), "works on after a second vpc_up");
    });
}

#[test]
fn an_address_that_no_task_has_is_unreachable_at_once() {
    on_a_machine(|machine, _outside| {
        vpc_up(&machine.vpc()).unwrap();
        let one = machine.task(4);
        for from in [Netns::own().unwrap(), one] {
            let begun = Instant::now();
            let nobody = "10.64.0.77:80".parse().unwrap();
            let refused = from.within(|| TcpStream::connect_timeout(&nobody, SOON)).unwrap().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::HostUnreachable);
            assert!(begun.elapsed() < SOON / 2);
        }
    });
}

#[test]
fn so_is_that_of_a_task_which_left_while_its_links_still_stand() {
    on_a_machine(|machine, _outside| {
        vpc_up(&machine.vpc()).unwrap();
        let (one, _other) = (machine.task(4), machine.task(5));
        let connect = || one.within(|| TcpStream::connect_timeout(&format!("{}:80", machine.bundle(5).ip).parse().unwrap(), SOON)).unwrap();
        assert_eq!(connect().unwrap_err().kind(), ErrorKind::ConnectionRefused);
        task_leave(&machine.bundle(5)).unwrap();
        assert_eq!(connect().unwrap_err().kind(), ErrorKind::HostUnreachable);
        task_leave(&machine.bundle(5)).unwrap();
    });
}

#[test]
fn services_see_who_asks_and_nothing_else_of_the_machine_is_open() {
    on_a_machine(|machine, outside| {
        vpc_up(&machine.vpc()).unwrap();
        let own = Netns::own().unwrap();
        let one = machine.task(4);
        let dns = listen(&own, &format!("{HOST_IP}:4053"));
        let api = listen(&own, &format!("{HOST_IP}:4566"));
        let metadata = listen(&own, &format!("{HOST_IP}:4080"));
        assert_eq!(talk(&one, "169.254.169.253:53", &dns), ip("10.64.0.4"));
        assert_eq!(talk(&one, "169.254.170.2:80", &metadata), ip("10.64.0.4"));
        assert_eq!(talk(&one, "169.254.170.3:80", &api), ip("10.64.0.4"));
        assert_udp_service(&own, &one);

        let _else = listen(&own, "0.0.0.0:9999");
        for closed in ["169.254.64.1:9999", "169.254.64.1:4566", "198.18.0.1:9999", "169.254.169.254:80", "169.254.170.2:22"] {
            assert_closed(&one, closed);
        }

        // The outside knows the way in, but may not take it.
        let _web = listen(&one, "0.0.0.0:80");
        let netlink = Netlink::open_in(outside).unwrap();
        let wan = netlink.link("wan").unwrap().unwrap().index;
        let mut batch = Batch::default();
        batch.add_route((Ipv4Addr::new(10, 64, 0, 0), 16), Some(WAN), wan, Present::Refuse);
        batch.add_route((Ipv4Addr::new(169, 254, 64, 0), 24), Some(WAN), wan, Present::Refuse);
        netlink.run(batch).unwrap();
        assert_closed(outside, "10.64.0.4:80");
        assert_closed(outside, "169.254.64.1:4566");
    });
}

fn assert_udp_service(machine: &Netns, task: &Netns) {
    let server = machine.within(|| UdpSocket::bind(format!("{HOST_IP}:4053"))).unwrap().unwrap();
    let client = task.within(|| UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
    server.set_read_timeout(Some(SOON)).unwrap();
    client.set_read_timeout(Some(SOON)).unwrap();
    client.send_to(b"ask", "169.254.169.253:53").unwrap();
    let mut buffer = [0; 16];
    let (_, peer) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(peer.ip(), ip("10.64.0.4"));
    server.send_to(b"answer", peer).unwrap();
    let (length, from) = client.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"answer"[..], "169.254.169.253:53".parse().unwrap()));
}

#[test]
fn a_load_balancers_address_is_the_machines_for_as_long_as_it_is_listed() {
    on_a_machine(|machine, _outside| {
        let address = "10.64.0.9";
        let with = VpcBundle {
            addresses: vec![address.into()],
            host_rules: include_str!("../../../src/network/golden/host-addresses.nft").into(),
            ..machine.vpc()
        };
        vpc_up(&machine.vpc()).unwrap();
        let (own, one) = (Netns::own().unwrap(), machine.task(4));
        vpc_up(&with).unwrap();
        let (open, closed) = (listen(&own, "10.64.0.9:80"), listen(&own, "0.0.0.0:22"));
        assert_eq!(talk(&one, "10.64.0.9:80", &open), ip("10.64.0.4"), "from a task, and it is seen who asks");
        assert_eq!(talk(&own, "10.64.0.9:80", &open), ip(address), "from the machine");
        assert_closed(&one, "10.64.0.9:22");
        talk(&own, "127.0.0.1:22", &closed);
        let web = listen(&one, "0.0.0.0:80");
        assert_eq!(talk(&own, "10.64.0.4:80", &web), ip(HOST_IP), "the way to tasks is as before");
        vpc_up(&with).unwrap();
        assert_eq!(talk(&one, "10.64.0.9:80", &open), ip("10.64.0.4"), "said twice");

        vpc_up(&machine.vpc()).unwrap();
        assert_eq!(connect(&one, "10.64.0.9:80", SOON).unwrap_err().kind(), ErrorKind::HostUnreachable);
        let nine = machine.task(9);
        let web = listen(&nine, "0.0.0.0:80");
        assert_eq!(talk(&one, "10.64.0.9:80", &web), ip("10.64.0.4"), "a task may have it then");
        vpc_up(&machine.vpc()).unwrap();
        assert_eq!(talk(&one, "10.64.0.9:80", &web), ip("10.64.0.4"));
    });
}

#[test]
fn a_task_cannot_send_with_another_ones_address() {
    on_a_machine(|machine, _| {
        vpc_up(&machine.vpc()).unwrap();
        let (one, two) = (machine.task(4), machine.task(5));
        let mut batch = Batch::default();
        batch.add_address(1, Ipv4Addr::new(10, 64, 0, 6), 32);
        Netlink::open_in(&one).unwrap().run(batch).unwrap();
        let server = two.within(|| UdpSocket::bind("0.0.0.0:7")).unwrap().unwrap();
        server.set_read_timeout(Some(NEVER)).unwrap();
        let mut buffer = [0; 16];
        for (source, arrives) in [("10.64.0.6:0", false), ("10.64.0.4:0", true)] {
            let client = one.within(|| UdpSocket::bind(source)).unwrap().unwrap();
            client.send_to(b"x", "10.64.0.5:7").unwrap();
            assert_eq!(server.recv_from(&mut buffer).is_ok(), arrives, "{source}");
        }
    });
}

#[test]
fn down_leaves_nothing_and_gives_forwarding_back_with_the_last_vpc() {
    on_a_machine(|machine, _| {
        let forwarding = || std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap().trim().to_owned();
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        let first = machine.vpc();
        let rules = |text: &str| text.replace("berth_ab12cd_0", "berth_ab12cd_1").replace(HOST_IF, "brab12cd1");
        let second = VpcBundle {
            router_netns: machine.dir.join("ns/vpc-2").to_str().unwrap().into(),
            cidr: "10.65.0.0/16".into(),
            host_if: "brab12cd1".into(),
            host_ip: "169.254.64.5".into(),
            router_ip: "169.254.64.6".into(),
            router_rules: rules(&first.router_rules),
            host_rules: rules(&first.host_rules),
            ..first.clone()
        };
        vpc_up(&first).unwrap();
        vpc_up(&second).unwrap();
        let _task = machine.task(4);
        task_down(first.router_netns.as_ref(), &machine.bundle(4).router_if).unwrap();
        task_down(first.router_netns.as_ref(), &machine.bundle(4).router_if).unwrap();
        machine_has(&["berth_ab12cd_0", "berth_ab12cd_1"]);
        vpc_down(first.router_netns.as_ref(), &first.host_if).unwrap();
        vpc_down(first.router_netns.as_ref(), &first.host_if).unwrap();
        assert_eq!(forwarding(), "1", "the second VPC still needs it");
        machine_has(&["berth_ab12cd_1"]);
        vpc_down(second.router_netns.as_ref(), &second.host_if).unwrap();
        assert_eq!(forwarding(), "0");
        machine_has(&[]);
        assert!(Netlink::open().unwrap().link(HOST_IF).unwrap().is_none());
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert!(!mounts.contains(machine.dir.join("ns").to_str().unwrap()), "{mounts}");
        assert!(std::fs::read_dir(machine.dir.join("ns")).unwrap().next().is_none());
        task_down(first.router_netns.as_ref(), "tgone").unwrap();
    });
}

#[track_caller]
fn machine_has(tables: &[&str]) {
    let output = std::process::Command::new("nft").args(["list", "tables"]).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut found: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("table ip ")).collect();
    found.sort_unstable();
    assert_eq!(found, tables);
}

#[test]
fn a_range_that_the_machine_routes_already_is_refused_whole() {
    on_a_machine(|machine, _| {
        let netlink = Netlink::open().unwrap();
        let mut batch = Batch::default();
        batch.add_route((Ipv4Addr::new(10, 64, 0, 0), 16), Some(OUTSIDE), netlink.link("wan").unwrap().unwrap().index, Present::Refuse);
        netlink.run(batch).unwrap();
        let error = vpc_up(&machine.vpc()).unwrap_err();
        assert_eq!(error.code, ErrorCode::Exists);
        assert!(error.message.contains("10.64.0.0/16"), "{error}");
        machine_has(&[]);
        assert!(netlink.link(HOST_IF).unwrap().is_none());
    });
}

#[test]
fn a_task_without_a_router_is_refused() {
    on_a_machine(|machine, _| {
        let error = task_up(&machine.bundle(4), Addressed::Here).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
    });
}

/// Not a bound of ours, but the number that DESIGN.md's floor (0.7 ms for namespace, veth and address) is compared with.
#[test]
fn many_tasks_come_and_go() {
    on_a_machine(|machine, _| {
        vpc_up(&machine.vpc()).unwrap();
        let rounds = 100u8;
        let started = Instant::now();
        let tasks: Vec<Netns> =
            (4..4 + rounds).map(|number| Netns::create(&machine.dir.join(format!("tasks/{number}"))).unwrap()).collect();
        let made = started.elapsed() / u32::from(rounds);
        let started = Instant::now();
        for (number, task) in (4..).zip(&tasks) {
            task.within(|| task_up(&machine.bundle(number), Addressed::Here)).unwrap().unwrap();
        }
        let up = started.elapsed() / u32::from(rounds);
        let web = listen(&tasks[99], "0.0.0.0:80");
        assert_eq!(talk(&tasks[0], "10.64.0.103:80", &web), ip("10.64.0.4"));
        let started = Instant::now();
        for number in 4..4 + rounds {
            task_down(machine.vpc().router_netns.as_ref(), &machine.bundle(number).router_if).unwrap();
        }
        println!("namespace: {made:?}; task_up: {up:?}; task_down: {:?}", started.elapsed() / u32::from(rounds));
    });
}

#[test]
fn texts_are_read_or_refused() {
    assert_eq!(parse_mac("02:67:ac:1f:00:01").unwrap(), [2, 0x67, 0xac, 0x1f, 0, 1]);
    for bad in ["", "02:67:ac:1f:00", "02:67:ac:1f:00:01:02", "2:67:ac:1f:0:1", "zz:67:ac:1f:00:01"] {
        assert!(parse_mac(bad).is_err(), "{bad}");
    }
    assert_eq!(parse_cidr("10.64.0.0/16").unwrap(), (Ipv4Addr::new(10, 64, 0, 0), 16));
    for bad in ["10.64.0.0", "10.64.0.0/33", "0.0.0.0/0", "x/8"] {
        assert!(parse_cidr(bad).is_err(), "{bad}");
    }
    for bad in ["", "sixteen-bytes-xx", "a b", "../x"] {
        assert!(parse_name(bad).is_err(), "{bad}");
    }
}
