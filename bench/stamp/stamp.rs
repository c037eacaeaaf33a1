//! The benchmarks' program: prints CLOCK_MONOTONIC in nanoseconds as its first act, then sleeps as many seconds as its argument says, or
//! until SIGTERM (which the kernel keeps from a container's first process unless that handles it).
//! The clock is the machine's own in every namespace, so the number can be compared with the caller's.
use std::io::Write;

extern "C" {
    fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(code: i32) -> !;
}

extern "C" fn end(_signal: i32) {
    // SAFETY: _exit may be called from a signal handler.
    unsafe { _exit(0) }
}

fn main() {
    let mut time = [0i64; 2];
    // SAFETY: CLOCK_MONOTONIC (1) with a timespec of two 64-bit words, as on every 64-bit Linux.
    unsafe { clock_gettime(1, &mut time) };
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{}", i128::from(time[0]) * 1_000_000_000 + i128::from(time[1]));
    let _ = out.flush();
    // SAFETY: SIGTERM (15) with a handler that only ends the process.
    unsafe { signal(15, end) };
    if let Some(seconds) = std::env::args().nth(1).and_then(|s| s.parse().ok()) {
        std::thread::sleep(std::time::Duration::from_secs(seconds));
    }
}
