//! The supervisor as PID 1 of a microVM: one machine, one task.
//!
//! It boots as far as a machine can get without knowing its task, and says `ready`: there the host saves the machine as a template.
//! In each copy `begin` gives it what is its own, and the task's loop goes on from there over the same port.
mod begin;
mod boot;
mod messages;
pub mod port;
mod shared;
mod warm;

use std::convert::Infallible;

use crate::sys;
use crate::task::{self, Host, Incoming};
use boot::Machine;
pub use messages::Network;
use messages::{Begin, FromGuest, Kind, Phase, Place};
pub use shared::flush as flush_shared;

/// What the kernel starts.
pub const INIT: &str = "/init";

/// Runs the machine; never comes back.
pub fn main() -> ! {
    crate::container::devices::allow();
    let Err(why) = boot::boot().and_then(serve);
    // The console is all there is to say it on.
    eprintln!("berth-guest: {why}");
    power_off()
}

/// The first message on each connection.
pub fn hello(task_id: Option<&str>) -> impl serde::Serialize + '_ {
    let phase = if task_id.is_some() { Phase::Task } else { Phase::Ready };
    FromGuest::Guest { version: env!("CARGO_PKG_VERSION"), phase, task_id }
}

/// Gives a machine that stood still the time and fresh randomness.
pub fn resume(entropy: &str, time_ns: &str) -> Result<(), String> {
    begin::set_moment(entropy, time_ns)
}

/// All that was written to volumes is on their disks: they outlive the machine.
pub fn sync_volumes() {
    begin::sync_volumes();
}

/// Ends the machine. Nothing is synced: what was on its other disks goes with the task.
pub fn power_off() -> ! {
    for how in [libc::RB_POWER_OFF, libc::RB_AUTOBOOT] {
        // SAFETY: no pointers.
        unsafe { libc::reboot(how) };
    }
    // Without PID 1 the kernel panics, and so ends the machine as its command line says.
    sys::exit_now(1)
}

/// Waits for `begin`.
fn serve(machine: Machine) -> Result<Infallible, String> {
    let broken = |e: std::io::Error| format!("the control port failed: {}", sys::reason(&e));
    let mut host = Host::on_port(port::Port::open(&machine.port).map_err(broken)?);
    machine.trace("ready");
    let mut settled = None;
    loop {
        sys::poll(&mut [sys::poll_entry(host.fd(), libc::POLLIN)], -1).map_err(broken)?;
        host.fill().map_err(broken)?;
        while let Some(incoming) = host.take() {
            match incoming {
                Incoming::Json(payload) => host = on_message(&machine, &mut settled, host, &payload),
                Incoming::Mark(nonce) => {
                    host.renew(nonce);
                    say(&mut host, &hello(None));
                }
            }
        }
        host.write().map_err(broken)?;
    }
}

fn say(host: &mut Host, message: &impl serde::Serialize) {
    if host.send(message).is_err() {
        host.lose();
    }
}

/// What was given to the machine, and the image disks that are mounted.
type Settled = (Place, Vec<usize>);

/// Gives the connection back: `begin` takes it for good, unless it fails.
fn on_message(machine: &Machine, settled: &mut Option<Settled>, mut host: Host, payload: &[u8]) -> Host {
    let kind = serde_json::from_slice::<Kind>(payload).map(|kind| kind.t);
    let (about, done) = match kind.as_deref() {
        Ok("file") => ("file", begin::write_file(payload)),
        Ok("warm" | "settle") if settled.is_some() => ("begin", Err("the machine is settled already".to_string())),
        Ok("warm") => ("warm", warm::warm(machine, payload).map(|()| say(&mut host, &FromGuest::Warmed))),
        // A part of the beginning, and so are its errors.
        Ok("settle") => ("begin", settle(machine, payload).map(|done| *settled = Some(done))),
        Ok("begin") => {
            let why;
            (why, host) = begin_task(machine, settled.take(), host, payload);
            ("begin", Err(why))
        }
        Ok(other) => ("message", Err(format!("{other:?} is not known to a machine without a task"))),
        Err(e) => ("message", Err(e.to_string())),
    };
    if let Err(message) = done {
        say(&mut host, &FromGuest::Error { about, message });
    }
    host
}

/// The machine is as before when it fails.
fn settle(machine: &Machine, payload: &[u8]) -> Result<Settled, String> {
    machine.trace("settle");
    let place: Place = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
    if place.images > begin::IMAGES {
        return Err(format!("a machine has {} image disks, not {}", begin::IMAGES, place.images));
    }
    let images: Vec<usize> = (0..place.images).collect();
    let done = begin::settle(machine, &place, &images);
    if done.is_err() {
        begin::unsettle(machine, &place, &images);
    }
    done.map(|()| (place, images))
}

/// Comes back only with the reason why the task could not begin; the machine is then as it was before anything was settled.
fn begin_task(machine: &Machine, settled: Option<Settled>, host: Host, payload: &[u8]) -> (String, Host) {
    machine.trace("begin");
    let (place, images) = match settled.map_or_else(|| settle(machine, payload), Ok) {
        Ok(settled) => settled,
        Err(why) => return (why, host),
    };
    let (why, host) = match serde_json::from_slice::<Begin>(payload) {
        Ok(begin) => match shared::mount_all(machine, &begin.shared) {
            Ok(()) => task::start_in_guest(begin.bundle, machine.cgroups.clone(), host),
            Err(why) => (why, host),
        },
        Err(e) => (e.to_string(), host),
    };
    shared::unmount_all();
    begin::unsettle(machine, &place, &images);
    (why, host)
}
