//! What a container's command may do: ids, capabilities, limits, no_new_privs and seccomp, given up in the order that leaves no gap.
use std::io;

use super::config::{Capabilities, Process, Rlimit};
use super::user::Identity;
use super::Error;
use crate::seccomp::Filter;
use crate::sys::{self, check};

fn failed<'a>(what: &'a str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |e| Error::Create(format!("cannot {what}: {}", sys::reason(&e)))
}

/// Gives up everything that the container is not to have. Afterwards only exec may follow.
pub fn drop_to(process: &Process, identity: &Identity, filter: Option<&Filter>) -> Result<(), Error> {
    let sets = Sets::of(process.capabilities.as_ref())?;
    for rlimit in &process.rlimits {
        set_rlimit(rlimit)?;
    }
    if let Some(umask) = process.user.umask {
        // SAFETY: no pointers.
        unsafe { libc::umask(umask & 0o777) };
    }
    if process.no_new_privileges {
        sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map_err(failed("set no_new_privs"))?;
    } else {
        // Needs CAP_SYS_ADMIN, so it comes before the capabilities go.
        install(filter)?;
    }
    drop_bounding(&sets)?;
    sys::prctl(libc::PR_SET_KEEPCAPS, 1, 0).map_err(failed("keep capabilities"))?;
    set_ids(identity)?;
    sys::prctl(libc::PR_SET_KEEPCAPS, 0, 0).map_err(failed("keep capabilities"))?;
    set_capabilities(&sets)?;
    // A change of ids forgets it.
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0).map_err(failed("tie the container to its supervisor"))?;
    if process.no_new_privileges {
        install(filter)?;
    }
    Ok(())
}

/// Stays root, also after exec, with no more rights than these.
pub fn keep_only(names: &[&str]) -> Result<(), Error> {
    let set = mask(&names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>())?;
    become_user(0, 0, &Sets { bounding: set, effective: set, permitted: set, ..Sets::default() })
}

/// Becomes another user without any capability, and without a way to win one by exec.
pub fn drop_to_user(uid: u32, gid: u32) -> Result<(), Error> {
    become_user(uid, gid, &Sets::default())
}

/// Becomes the user that files are read and written as; root keeps its rights over files, and nothing else.
pub fn drop_to_files_user(uid: u32, gid: u32, groups: &[u32]) -> Result<(), Error> {
    let names: &[&str] = if uid == 0 { &["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"] } else { &[] };
    let set = mask(&names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>())?;
    let identity = Identity { uid, gid, groups: groups.to_vec(), home: None };
    become_identity(&identity, &Sets { bounding: set, effective: set, permitted: set, ..Sets::default() })
}

fn become_user(uid: u32, gid: u32, sets: &Sets) -> Result<(), Error> {
    become_identity(&Identity { uid, gid, groups: Vec::new(), home: None }, sets)
}

fn become_identity(identity: &Identity, sets: &Sets) -> Result<(), Error> {
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map_err(failed("set no_new_privs"))?;
    drop_bounding(sets)?;
    sys::prctl(libc::PR_SET_KEEPCAPS, 1, 0).map_err(failed("keep capabilities"))?;
    set_ids(identity)?;
    sys::prctl(libc::PR_SET_KEEPCAPS, 0, 0).map_err(failed("keep capabilities"))?;
    set_capabilities(sets)
}

fn drop_bounding(sets: &Sets) -> Result<(), Error> {
    for capability in 0..=last_capability() {
        if sets.bounding & (1 << capability) == 0 {
            sys::prctl(libc::PR_CAPBSET_DROP, capability, 0).map_err(failed("drop a capability"))?;
        }
    }
    Ok(())
}

/// Becomes another user who may read every file, and nothing else.
pub fn drop_to_reader(uid: u32, gid: u32) -> Result<(), Error> {
    let reads = mask(&["DAC_READ_SEARCH".to_string()])?;
    let sets = Sets { bounding: reads, effective: reads, inheritable: reads, permitted: reads, ambient: reads };
    become_user(uid, gid, &sets)
}

/// Gives up everything but the system calls of `filter`. The user is nobody.
pub fn drop_all(filter: &Filter) -> Result<(), Error> {
    const NOBODY: u32 = 65_534;
    drop_to_user(NOBODY, NOBODY)?;
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0).map_err(failed("tie the process to its supervisor"))?;
    install(Some(filter))
}

fn install(filter: Option<&Filter>) -> Result<(), Error> {
    filter.map_or(Ok(()), Filter::install).map_err(|e| Error::Create(e.to_string()))
}

fn set_ids(identity: &Identity) -> Result<(), Error> {
    // SAFETY: the pointer is to `groups`, of that length; the rest are numbers.
    unsafe {
        let groups = libc::syscall(libc::SYS_setgroups, identity.groups.len(), identity.groups.as_ptr());
        check(groups).map_err(failed("set the supplementary groups"))?;
        // The plain system calls: this program has one thread, and the C library's wrappers look for others.
        let (gid, uid) = (identity.gid, identity.uid);
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid)).map_err(failed("set the group"))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid)).map_err(failed("set the user"))?;
    }
    Ok(())
}

#[derive(Default)]
struct Sets {
    bounding: u64,
    effective: u64,
    inheritable: u64,
    permitted: u64,
    ambient: u64,
}

impl Sets {
    /// No `capabilities` at all means none.
    fn of(capabilities: Option<&Capabilities>) -> Result<Sets, Error> {
        let Some(c) = capabilities else { return Ok(Sets::default()) };
        Ok(Sets {
            bounding: mask(&c.bounding)?,
            effective: mask(&c.effective)?,
            inheritable: mask(&c.inheritable)?,
            permitted: mask(&c.permitted)?,
            ambient: mask(&c.ambient)?,
        })
    }
}

pub fn mask(names: &[String]) -> Result<u64, Error> {
    names.iter().try_fold(0, |mask, name| {
        let short = name.strip_prefix("CAP_").unwrap_or(name);
        let at = CAPABILITIES.iter().position(|known| known.eq_ignore_ascii_case(short));
        at.map(|at| mask | 1 << at).ok_or_else(|| Error::Create(format!("{name:?} is not a capability")))
    })
}

fn last_capability() -> libc::c_ulong {
    (0..64).take_while(|n| sys::prctl(libc::PR_CAPBSET_READ, *n, 0).is_ok()).last().unwrap_or(0)
}

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn set_capabilities(sets: &Sets) -> Result<(), Error> {
    const VERSION_3: u32 = 0x2008_0522;
    let known = u64::MAX >> (63 - last_capability());
    let half = |shift: u32| CapData {
        effective: ((sets.effective & known) >> shift) as u32,
        permitted: ((sets.permitted & known) >> shift) as u32,
        inheritable: ((sets.inheritable & known) >> shift) as u32,
    };
    let header = CapHeader { version: VERSION_3, pid: 0 };
    let data = [half(0), half(32)];
    // SAFETY: version 3 takes a header and two data structs of this layout.
    check(unsafe { libc::syscall(libc::SYS_capset, &header, data.as_ptr()) }).map_err(failed("set the capabilities"))?;
    let ambient = |operation: libc::c_int, capability| sys::prctl(libc::PR_CAP_AMBIENT, operation as libc::c_ulong, capability);
    ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0).map_err(failed("clear the ambient capabilities"))?;
    for capability in (0..64).filter(|n| sets.ambient & known & (1 << n) != 0) {
        ambient(libc::PR_CAP_AMBIENT_RAISE, capability).map_err(failed("raise an ambient capability"))?;
    }
    Ok(())
}

/// Sets a resource limit (`NOFILE`), soft and hard.
pub fn limit(kind: &str, value: u64) -> Result<(), Error> {
    set_rlimit(&Rlimit { kind: kind.to_string(), soft: value, hard: value })
}

fn set_rlimit(rlimit: &Rlimit) -> Result<(), Error> {
    let short = rlimit.kind.strip_prefix("RLIMIT_").unwrap_or(&rlimit.kind);
    let found = RLIMITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(short));
    let Some((_, resource)) = found else { return Err(Error::Create(format!("{:?} is not a resource limit", rlimit.kind))) };
    let failed = |e: io::Error| {
        let Rlimit { soft, hard, .. } = rlimit;
        Error::Create(format!("cannot set {} to {soft} (hard {hard}): {}", rlimit.kind, sys::reason(&e)))
    };
    let wanted = libc::rlimit64 { rlim_cur: rlimit.soft, rlim_max: rlimit.hard };
    match prlimit(*resource, Some(&wanted)) {
        // Without CAP_SYS_RESOURCE (berth itself in a container) nobody gets over our own limit: as much as can be had.
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => {
            let most = prlimit(*resource, None).map_err(failed)?.rlim_max;
            let less = libc::rlimit64 { rlim_cur: rlimit.soft.min(most), rlim_max: rlimit.hard.min(most) };
            prlimit(*resource, Some(&less)).map(drop).map_err(failed)
        }
        other => other.map(drop).map_err(failed),
    }
}

/// Sets a limit of this process, if one is given, and tells what it was.
fn prlimit(resource: u32, new: Option<&libc::rlimit64>) -> io::Result<libc::rlimit64> {
    let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `new` is null or readable, `old` is writable.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, new, &mut old) }).map(|_| old)
}

/// By number, as in linux/resource.h (the same on x86-64 and arm64).
const RLIMITS: [(&str, u32); 16] = [
    ("CPU", 0),
    ("FSIZE", 1),
    ("DATA", 2),
    ("STACK", 3),
    ("CORE", 4),
    ("RSS", 5),
    ("NPROC", 6),
    ("NOFILE", 7),
    ("MEMLOCK", 8),
    ("AS", 9),
    ("LOCKS", 10),
    ("SIGPENDING", 11),
    ("MSGQUEUE", 12),
    ("NICE", 13),
    ("RTPRIO", 14),
    ("RTTIME", 15),
];

/// By number, as in linux/capability.h.
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_kernels_numbers() {
        let names = ["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_SETFCAP", "CAP_CHECKPOINT_RESTORE"].map(str::to_string);
        assert_eq!(mask(&names).unwrap(), 1 | 1 << 21 | 1 << 31 | 1 << 40);
        assert!(mask(&["CAP_NOPE".to_string()]).is_err());
    }
}
