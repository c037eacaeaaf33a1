//! `berth-supervisor`: one static binary with the few programs of berth that need the kernel closely.
//!
//! - `serve --socket PATH`: the host's kernel worker; forks one supervisor per task.
//! - `keep ...`: starts and restarts the platform's processes.
//! - `balance ...`: holds the load balancers' listening sockets and keeps a HAProxy on them.
//! - `launch ...`: starts one process as another user.
//! - `/init`, as PID 1: the supervisor of the one task of a microVM.
//! - `enter ...`, `tend ...`, `pause ...`: what a supervisor's children become that go on inside a container.
//! - `init COMMAND ...`: the small init of a container in a gVisor sandbox.
//! - `sysctl NAME=VALUE ...`: sets kernel parameters of a gVisor sandbox, inside.
//! - `copy ...`: files into and out of a container, inside a gVisor sandbox.
//! - `probe`: says what this kernel offers, as JSON.
//! - `version`.
use std::process::ExitCode;

use berth_supervisor::{balance, container, copy, guest, keep, launch, probe, runsc, serve, task};

const USAGE: &str = "usage: berth-supervisor serve --socket PATH | keep ... | balance ... | launch ... | probe | version";

fn main() -> ExitCode {
    if std::process::id() == 1 && std::env::args_os().next().is_some_and(|name| name == guest::INIT) {
        guest::main()
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("serve") => serve::main(rest),
        Some("keep") => keep::main(rest),
        Some("balance") => balance::main(rest),
        Some("launch") => launch::main(rest),
        Some("enter") => container::enter::main(rest),
        Some("tend") => container::tend_main(rest),
        Some("pause") => task::pause_main(rest),
        Some("copy") => ExitCode::from(copy::run(rest) as u8),
        Some("sysctl") => runsc::sysctl_main(rest),
        Some("init") => container::init_main(rest),
        Some("probe") => probe::main(rest),
        Some("version") => {
            println!("berth-supervisor {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
