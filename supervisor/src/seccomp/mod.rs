//! Seccomp filters: `linux.seccomp` of the OCI runtime specification to classic BPF, and their installation.
//!
//! Written here rather than taken from a library because OCI profiles answer different calls with different errnos in one filter,
//! and because the kernel works out its own cache of always-allowed calls by running the filter once per call: a search tree keeps
//! that, and so a container's start, short.
mod bpf;
mod profile;
#[cfg_attr(target_arch = "x86_64", path = "syscalls_x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "syscalls_aarch64.rs")]
mod syscalls;

pub use profile::{Profile, ProfileArg, ProfileRule};

use std::io;

#[derive(Debug)]
pub enum Error {
    /// The profile says something that is not known.
    Profile(String),
    /// The filter would be longer than the kernel takes.
    TooLong(usize),
    Install(io::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Profile(what) => write!(f, "seccomp: {what}"),
            Error::TooLong(n) => write!(f, "seccomp: a filter of {n} instructions is over the kernel's limit of {}", bpf::MAX_LENGTH),
            Error::Install(e) => write!(f, "seccomp: cannot install the filter: {e}"),
        }
    }
}

impl std::error::Error for Error {}

/// A compiled filter.
pub struct Filter {
    program: Vec<libc::sock_filter>,
}

/// Compiles a profile for this machine's architecture. Names that this architecture doesn't have are left out.
pub fn compile(profile: &Profile) -> Result<Filter, Error> {
    Ok(Filter { program: bpf::assemble(&profile::resolve(profile, syscalls::SYSCALLS)?)? })
}

/// A filter that lets `names` through and answers EPERM to everything else.
pub fn allow_only(names: &[&str]) -> Result<Filter, Error> {
    compile(&only(vec![allow(names, Vec::new())]))
}

/// The same, and ioctl with this request alone.
pub fn allow_only_and_ioctl(names: &[&str], request: u64) -> Result<Filter, Error> {
    let is_request = ProfileArg { index: 1, value: request, value_two: 0, op: "SCMP_CMP_EQ".to_string() };
    compile(&only(vec![allow(names, Vec::new()), allow(&["ioctl"], vec![is_request])]))
}

fn only(syscalls: Vec<ProfileRule>) -> Profile {
    Profile { default_action: "SCMP_ACT_ERRNO".to_string(), default_errno_ret: None, syscalls }
}

fn allow(names: &[&str], args: Vec<ProfileArg>) -> ProfileRule {
    ProfileRule { names: names.iter().map(ToString::to_string).collect(), action: "SCMP_ACT_ALLOW".to_string(), errno_ret: None, args }
}

impl Filter {
    /// Installs the filter on the calling thread for good. Needs no_new_privs or CAP_SYS_ADMIN.
    pub fn install(&self) -> Result<(), Error> {
        let program = libc::sock_fprog { len: self.program.len() as u16, filter: self.program.as_ptr().cast_mut() };
        // SAFETY: `program` points at a filter of `len` instructions that outlives the call; the kernel only reads it.
        let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &program) };
        if done == 0 {
            Ok(())
        } else {
            Err(Error::Install(io::Error::last_os_error()))
        }
    }

    #[cfg(test)]
    fn run(&self, nr: u32, args: [u64; 6]) -> u32 {
        bpf::interpret(&self.program, nr, args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(json: &str) -> Filter {
        compile(&serde_json::from_str(json).unwrap()).unwrap()
    }

    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;

    #[test]
    fn answers_by_number_errno_and_argument() {
        let f = filter(
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86_64"],"syscalls":[
              {"names":["read","write","no_such_call","openat2","mseal"],"action":"SCMP_ACT_ALLOW"},
              {"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38},
              {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]},
              {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":4294967295,"op":"SCMP_CMP_EQ"}]},
              {"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}]}"#,
        );
        let run = |nr: i64, arg: u64| f.run(nr as u32, [arg, 0, 0, 0, 0, 0]);
        assert_eq!(run(libc::SYS_read, 0), ALLOW);
        assert_eq!(run(libc::SYS_write, 0), ALLOW);
        assert_eq!(run(libc::SYS_openat2, 0), ALLOW);
        assert_eq!(run(libc::SYS_mount, 0), ERRNO | 1);
        assert_eq!(run(libc::SYS_clone3, 0), ERRNO | 38);
        assert_eq!(run(libc::SYS_personality, 8), ALLOW);
        assert_eq!(run(libc::SYS_personality, 0xffff_ffff), ALLOW);
        assert_eq!(run(libc::SYS_personality, 0x1_ffff_ffff), ERRNO | 1);
        assert_eq!(run(libc::SYS_personality, 9), ERRNO | 1);
        assert_eq!(run(libc::SYS_clone, libc::CLONE_VM as u64), ALLOW);
        assert_eq!(run(libc::SYS_clone, libc::CLONE_NEWUSER as u64), ERRNO | 1);
        // Newer than anything the profile names: a C library must be able to fall back.
        assert_eq!(f.run(2000, [0; 6]), ERRNO | 38);
    }

    #[test]
    fn one_request_of_ioctl_is_let_through() {
        let f = allow_only_and_ioctl(&["read"], 0x8004_e500).unwrap();
        let run = |nr: i64, request: u64| f.run(nr as u32, [3, request, 0, 0, 0, 0]);
        assert_eq!([run(libc::SYS_read, 0), run(libc::SYS_ioctl, 0x8004_e500)], [ALLOW; 2]);
        assert_eq!([run(libc::SYS_ioctl, 0x8004_e501), run(libc::SYS_write, 0)], [ERRNO | 1; 2]);
    }

    #[test]
    fn compares_64_bit_arguments() {
        for (op, pass, fail) in [
            ("SCMP_CMP_NE", [0u64, 1 << 40], [5u64 << 32, 5 << 32]),
            ("SCMP_CMP_LT", [0, (5 << 32) - 1], [5 << 32, u64::MAX]),
            ("SCMP_CMP_LE", [0, 5 << 32], [(5 << 32) + 1, u64::MAX]),
            ("SCMP_CMP_GE", [5 << 32, u64::MAX], [0, (5 << 32) - 1]),
            ("SCMP_CMP_GT", [(5 << 32) + 1, u64::MAX], [5 << 32, 7]),
        ] {
            let json = format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["read"],"action":"SCMP_ACT_ALLOW",
                   "args":[{{"index":2,"value":{},"op":"{op}"}}]}}]}}"#,
                5u64 << 32
            );
            let f = filter(&json);
            for v in pass {
                assert_eq!(f.run(libc::SYS_read as u32, [0, 0, v, 0, 0, 0]), ALLOW, "{op} {v}");
            }
            for v in fail {
                assert_eq!(f.run(libc::SYS_read as u32, [0, 0, v, 0, 0, 0]), ERRNO | 1, "{op} {v}");
            }
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let profile: Profile = serde_json::from_str(r#"{"defaultAction":"SCMP_ACT_NONSENSE"}"#).unwrap();
        assert!(matches!(compile(&profile), Err(Error::Profile(_))));
    }

    #[test]
    fn tables_are_sorted_for_the_search() {
        assert!(syscalls::SYSCALLS.windows(2).all(|w| w[0].0 < w[1].0));
    }
}
