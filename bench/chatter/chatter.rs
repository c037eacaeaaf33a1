//! The program of the benchmark of the log path: `chatter MIB` writes so many MiB in lines of 200 bytes (newline counted) to standard output,
//! as fast as they are taken. Each begins with its number in ten digits; to standard error it says at the end how many it wrote.
use std::io::Write;

const LINE: usize = 200;
const LINES_PER_WRITE: u64 = 320;

fn main() {
    let mib: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).expect("chatter MIB");
    let lines = mib * 1024 * 1024 / LINE as u64;
    let mut out = std::io::stdout().lock();
    let mut block = Vec::with_capacity(LINE * LINES_PER_WRITE as usize);
    for first in (0..lines).step_by(LINES_PER_WRITE as usize) {
        block.clear();
        for number in first..lines.min(first + LINES_PER_WRITE) {
            write!(block, "{number:010} ").expect("memory");
            let end = block.len() + LINE - 12;
            block.resize(end, b'a' + (number % 26) as u8);
            block.push(b'\n');
        }
        out.write_all(&block).expect("standard output");
    }
    eprintln!("wrote {lines}");
}
