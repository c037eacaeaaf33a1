//! Debian's docker with Debian's runsc: runs `RUNSC ARGS` where /proc/sys/net is empty, since this runsc takes a namespace in which it isn't
//! for the machine's own (gvisor#10704). The program's path and that of an empty directory are given when this is compiled.
use std::os::unix::process::CommandExt;
use std::process::Command;

extern "C" {
    fn unshare(flags: i32) -> i32;
    fn mount(source: *const u8, target: *const u8, kind: *const u8, flags: u64, data: *const u8) -> i32;
}

const NEW_MOUNTS: i32 = 0x20000;
const SLAVE_ALL: u64 = 1 << 19 | 1 << 14;
const BIND: u64 = 1 << 12;

fn main() {
    let empty = concat!(env!("EMPTY"), "\0").as_ptr();
    // SAFETY: all strings end with NUL; the rest are numbers.
    let ready = unsafe {
        unshare(NEW_MOUNTS) == 0
            && mount(c"".as_ptr().cast(), c"/".as_ptr().cast(), c"".as_ptr().cast(), SLAVE_ALL, std::ptr::null()) == 0
            && mount(empty, c"/proc/sys/net".as_ptr().cast(), c"".as_ptr().cast(), BIND, std::ptr::null()) == 0
    };
    assert!(ready, "{}", std::io::Error::last_os_error());
    let error = Command::new(env!("RUNSC")).args(std::env::args_os().skip(1)).exec();
    panic!("{}: {error}", env!("RUNSC"));
}
