//! `serve PORT`: a small web server that is no bottleneck. Every answer tells when the server began to listen and when it first answered a load balancer's
//! health check (0: not yet), both CLOCK_MONOTONIC in nanoseconds, which is the machine's own in every namespace. At SIGTERM it finishes what it has and ends.
//! `serve check PORT`: exits 0 when the server on that port of this machine answers.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const SIGTERM: i32 = 15;
const GRACE: Duration = Duration::from_secs(5);

static ENDING: AtomicBool = AtomicBool::new(false);
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
static CHECKED_AT: AtomicU64 = AtomicU64::new(0);
const CHECKER: &[u8] = b"ELB-HealthChecker";

extern "C" {
    fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
    fn signal(number: i32, handler: usize) -> usize;
}

extern "C" fn end(_number: i32) {
    ENDING.store(true, SeqCst);
}

fn now() -> u64 {
    let mut time = [0i64; 2];
    // SAFETY: CLOCK_MONOTONIC (1) with a timespec of two 64-bit words, as on every 64-bit Linux.
    unsafe { clock_gettime(1, &mut time) };
    time[0] as u64 * 1_000_000_000 + time[1] as u64
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(String::as_str) == Some("check") {
        std::process::exit(if answers(&args[2]) { 0 } else { 1 });
    }
    // SAFETY: SIGTERM with a handler that only sets a flag. Without one the kernel keeps the signal from a container's first process.
    unsafe { signal(SIGTERM, end as *const () as usize) };
    let listener = TcpListener::bind(format!("0.0.0.0:{}", args[1])).expect("the port is free");
    let listening_at = now();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::Builder::new().stack_size(64 * 1024).spawn(move || serve(stream, listening_at)).expect("a thread");
        }
    });
    while !ENDING.load(SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let begun = Instant::now();
    while UNDER_WAY.load(SeqCst) > 0 && begun.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Requests without a body, one after the other.
fn serve(mut stream: TcpStream, listening_at: u64) {
    let _ = stream.set_nodelay(true);
    let mut buffer = [0u8; 16 * 1024];
    let mut held = 0;
    loop {
        match stream.read(&mut buffer[held..]) {
            Ok(0) | Err(_) => return,
            Ok(n) => held += n,
        }
        while let Some(end) = buffer[..held].windows(4).position(|four| four == b"\r\n\r\n") {
            UNDER_WAY.fetch_add(1, SeqCst);
            if CHECKED_AT.load(SeqCst) == 0 && buffer[..end].windows(CHECKER.len()).any(|part| part == CHECKER) {
                CHECKED_AT.store(now(), SeqCst);
            }
            buffer.copy_within(end + 4..held, 0);
            held -= end + 4;
            let last = ENDING.load(SeqCst);
            let connection = if last { "close" } else { "keep-alive" };
            let body = format!("{listening_at:020} {:020}\n", CHECKED_AT.load(SeqCst));
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: {connection}", body.len());
            let written = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
            UNDER_WAY.fetch_sub(1, SeqCst);
            if last || written.is_err() {
                return;
            }
        }
        if held == buffer.len() {
            return;
        }
    }
}

fn answers(port: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(format!("127.0.0.1:{port}")) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut status = [0u8; 12];
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok() && stream.read_exact(&mut status).is_ok() && &status == b"HTTP/1.1 200"
}
