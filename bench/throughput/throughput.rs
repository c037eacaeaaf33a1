//! Measures one disk or one TCP stream from inside a container, and prints MiB/s.
//! `disk MIB`: writes a file of that size in /, with fsync, then reads it. `receive PORT`: takes one stream and says how fast it came.
//! `send ADDRESS MIB`: sends one.
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
const BLOCK: usize = 256 * 1024;
const DONT_NEED: i32 = 4;
const PATH: &str = "/throughput.data";
const TRIES: u32 = 200;

extern "C" {
    fn posix_fadvise(fd: i32, offset: i64, length: i64, advice: i32) -> i32;
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize| args.get(at).and_then(|text| text.parse().ok()).expect("a number");
    match args.get(1).map(String::as_str) {
        Some("disk") => disk(number(2)),
        Some("receive") => receive(&args[2]),
        Some("send") => send(&args[2], number(3)),
        other => panic!("{other:?} is not disk, receive or send"),
    }
}

fn rate(bytes: usize, began: Instant) -> f64 {
    bytes as f64 / MIB as f64 / began.elapsed().as_secs_f64()
}

/// Bytes that no layer below can leave out or press together.
fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_ne_bytes()
    });
    words.take(BLOCK / 8).flatten().collect()
}

fn disk(mib: usize) {
    let block = noise();
    let began = Instant::now();
    let mut file = File::create(PATH).expect("create");
    for _ in 0..mib * MIB / BLOCK {
        file.write_all(&block).expect("write");
    }
    file.sync_all().expect("fsync");
    let write = rate(mib * MIB, began);
    // What the container's own kernel keeps shall not answer; a cache below it still may.
    // SAFETY: no pointers.
    unsafe { posix_fadvise(file.as_raw_fd(), 0, 0, DONT_NEED) };
    let mut file = File::open(PATH).expect("open");
    let mut buffer = vec![0; BLOCK];
    let began = Instant::now();
    let mut read = 0;
    while let n @ 1.. = file.read(&mut buffer).expect("read") {
        read += n;
    }
    println!("{write:.1} {:.1}", rate(read, began));
    fs::remove_file(PATH).expect("remove");
}

fn receive(port: &str) {
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).expect("listen");
    let (mut stream, _) = listener.accept().expect("accept");
    let mut buffer = vec![0; BLOCK];
    let mut received = stream.read(&mut buffer).expect("read");
    let began = Instant::now();
    while let n @ 1.. = stream.read(&mut buffer).expect("read") {
        received += n;
    }
    println!("{:.1}", rate(received, began));
}

fn send(address: &str, mib: usize) {
    let block = noise();
    let connect = || TcpStream::connect(address).map_err(|_| std::thread::sleep(Duration::from_millis(50))).ok();
    let mut stream = (0..TRIES).find_map(|_| connect()).expect("connect");
    for _ in 0..mib * MIB / BLOCK {
        stream.write_all(&block).expect("write");
    }
    // With this program its network ends, and what is still on its way: until the other side has all of it.
    stream.shutdown(Shutdown::Write).expect("shut down");
    let _ = stream.read(&mut [0]);
}
