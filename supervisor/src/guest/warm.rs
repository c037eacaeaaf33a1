//! A start that is nobody's: through the same code of this program and of the kernel as a real one.
//!
//! A restored machine runs everything for the first time: under emulation each piece of code is translated again, and every page that
//! is written is copied. A pool has the time for that before the task comes.
use std::fs;

use super::begin::{self, FILES, IMAGES};
use super::boot::Machine;
use super::messages::{Begin, Place};

/// The disk that a rehearsal finds its image on, mounted on /images/0: the last, which few tasks need.
const IMAGE: usize = IMAGES - 1;

/// `{"t":"warm"}`. The machine is as before, whatever the answer.
pub fn warm(machine: &Machine, payload: &[u8]) -> Result<(), String> {
    let place: Place = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
    let warm: Begin = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
    let done = begin::settle(machine, &place, &[IMAGE]);
    let done = done.and_then(|()| crate::task::rehearse(warm.bundle, machine.cgroups.clone()));
    begin::unsettle(machine, &place, &[IMAGE]);
    for entry in fs::read_dir(FILES).into_iter().flatten().flatten() {
        let _ = fs::remove_dir_all(entry.path());
    }
    machine.make_group()?;
    done
}
