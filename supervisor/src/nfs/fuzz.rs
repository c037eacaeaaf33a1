//! What a guest may send: calls in their right form with anything in them, and such calls with wrong bytes. Whatever comes, the server
//! answers or hangs up, and an answer has its bound. BERTH_FUZZ_ROUNDS (default: 4000), BERTH_FUZZ_SEED.
use std::fs;
use std::os::fd::OwnedFd;

use super::rpc::RECORD_BYTES;
use super::server::{Server, Volume};
use super::xdr::Encoder;

/// Of a reply: where its first operation's status stands, and what it gives.
const STATUS_AT: usize = 44;
const RESULT_AT: usize = 48;
const NAMES: [&[u8]; 10] = [b"0", b"1", b"a", b"b", b"dir", b"", b"..", b"a/b", b"a\0b", &[0xff; 300]];
const OPERATIONS: [u32; 41] = [
    3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 15, 15, 16, 18, 18, 18, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 34, 38, 38, 41, 42, 43,
    45, 52, 53, 55, 57, 99,
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn word(&mut self) -> u32 {
        const SPECIAL: [u32; 8] = [0, 1, 2, 3, 4, 0o644, u32::MAX, 0x8000_0000];
        if self.below(4) == 0 {
            self.next() as u32
        } else {
            SPECIAL[self.below(SPECIAL.len())]
        }
    }

    fn long(&mut self) -> u64 {
        const SPECIAL: [u64; 6] = [0, 1, 4096, u64::MAX, i64::MAX as u64, 1 << 40];
        SPECIAL[self.below(SPECIAL.len())]
    }

    fn name(&mut self) -> &'static [u8] {
        NAMES[self.below(NAMES.len())]
    }
}

fn attributes(out: &mut Encoder, random: &mut Random) {
    out.words(&[random.word(), random.word()][..random.below(3)]);
    let mut values = Encoder::default();
    (0..random.below(5)).for_each(|_| values.u32(random.word()));
    out.opaque(&values.bytes);
}

fn state(out: &mut Encoder, random: &mut Random) {
    out.u32(random.word());
    let (low, high) = if random.below(2) == 0 { (0, 0) } else { (random.word(), u64::from(random.word())) };
    out.u32(low);
    out.u64(high);
}

/// The operation's own form for those that have one that nobody finds by chance; for the others words and names.
fn arguments(out: &mut Encoder, operation: u32, random: &mut Random) {
    match operation {
        15 => out.opaque(random.name()),
        18 => {
            [random.word(), 1 + random.below(3) as u32, 0].iter().for_each(|word| out.u32(*word));
            out.u64(random.long());
            out.opaque(b"owner");
            let makes = random.below(2) as u32;
            out.u32(makes);
            if makes == 1 {
                out.u32(random.below(4) as u32);
                attributes(out, random);
            }
            out.u32([0, 0, 0, 1, 4, 9][random.below(6)]);
            out.opaque(random.name());
        }
        6 => {
            out.u32([1, 2, 5, 6, 7, 3][random.below(6)]);
            out.opaque(random.name());
            attributes(out, random);
        }
        25 => {
            state(out, random);
            out.u64(random.long());
            out.u32(random.word());
        }
        34 => {
            state(out, random);
            attributes(out, random);
        }
        38 => {
            state(out, random);
            out.u64(random.long());
            out.u32(random.below(4) as u32);
            out.opaque(&vec![7; random.below(9000)]);
        }
        26 => {
            out.u64(random.long());
            out.u64(0);
            [random.word(), random.word()].iter().for_each(|word| out.u32(*word));
            out.words(&[random.word(), random.word()]);
        }
        12 => {
            [1 + random.below(4) as u32, random.below(2) as u32].iter().for_each(|word| out.u32(*word));
            out.u64(random.long());
            out.u64(random.long());
            out.u32(1);
            out.u32(0);
            state(out, random);
            out.u32(0);
            out.u64(1);
            out.opaque(b"locker");
        }
        23 | 24 => {}
        _ => (0..random.below(6)).for_each(|_| match random.below(3) {
            0 => out.opaque(random.name()),
            1 => out.u64(random.long()),
            _ => out.u32(random.word()),
        }),
    }
}

fn call(uid: u32, count: u32, operations: &[u8]) -> Vec<u8> {
    let mut auth = Encoder::default();
    auth.u32(0);
    auth.opaque(b"guest");
    [uid, uid].iter().for_each(|id| auth.u32(*id));
    auth.words(&[]);
    let mut out = Encoder::default();
    [9, 0, 2, 100_003, 4, 1, 1].iter().for_each(|word| out.u32(*word));
    out.opaque(&auth.bytes);
    [0, 0].iter().for_each(|word| out.u32(*word));
    out.opaque(b"");
    [1, count].iter().for_each(|word| out.u32(*word));
    out.bytes.extend_from_slice(operations);
    out.bytes
}

fn word_at(reply: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(reply[at..at + 4].try_into().expect("a word"))
}

/// A client and a session of its own.
fn begin(server: &Server, random: &mut Random) -> [u8; 16] {
    let mut exchange = Encoder::default();
    exchange.u32(42);
    exchange.u64(random.next());
    exchange.opaque(b"fuzz");
    [0, 0, 0].iter().for_each(|word| exchange.u32(*word));
    let made = server.answer(&call(0, 1, &exchange.bytes)).expect("EXCHANGE_ID is answered");
    assert_eq!(word_at(&made, STATUS_AT), 0, "EXCHANGE_ID");
    let mut create = Encoder::default();
    create.u32(43);
    create.bytes.extend_from_slice(&made[RESULT_AT..RESULT_AT + 12]);
    create.u32(0);
    for _ in 0..2 {
        [0, 1 << 20, 1 << 20, 4096, 64, 8, 0].iter().for_each(|word| create.u32(*word));
    }
    [0x4000_0000, 0].iter().for_each(|word| create.u32(*word));
    let made = server.answer(&call(0, 1, &create.bytes)).expect("CREATE_SESSION is answered");
    assert_eq!(word_at(&made, STATUS_AT), 0, "CREATE_SESSION");
    made[RESULT_AT..RESULT_AT + 16].try_into().expect("a session")
}

fn sequence(out: &mut Encoder, session: &[u8; 16], number: u32) {
    out.u32(53);
    out.fixed(session);
    [number, 0, 0, number % 2].iter().for_each(|word| out.u32(*word));
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

struct World {
    dir: std::path::PathBuf,
    server: Server,
}

impl World {
    fn new(name: &str) -> World {
        let dir = std::env::temp_dir().join(format!("berth-nfs-{name}-{}", std::process::id()));
        fs::create_dir_all(dir.join("dir")).expect("makes a directory");
        fs::write(dir.join("a"), vec![1; 5000]).expect("writes");
        fs::File::create(dir.join("large")).and_then(|file| file.set_len(1 << 30)).expect("makes a sparse file");
        let root: OwnedFd = fs::File::open(&dir).expect("opens").into();
        World { dir, server: Server::new("fuzz", vec![Volume { root, user: None }]).expect("begins") }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn whatever_a_guest_sends_is_answered_or_ends_its_connection() {
    let world = World::new("fuzz");
    let seed = setting("BERTH_FUZZ_SEED", 0x9e37_79b9_7f4a_7c15);
    let random = &mut Random(seed);
    let mut session = None;
    let (mut number, mut good) = (0, 0);
    for round in 0..setting("BERTH_FUZZ_ROUNDS", 4000) {
        let (id, count) = (*session.get_or_insert_with(|| begin(&world.server, random)), 1 + random.below(12) as u32);
        let mut operations = Encoder::default();
        sequence(&mut operations, &id, number + 1);
        for index in 0..count {
            // Mostly on the way into the volume, where there is something to do.
            let operation = [24, 15].get(index as usize).copied().unwrap_or_else(|| OPERATIONS[random.below(OPERATIONS.len())]);
            operations.u32(operation);
            if index == 1 {
                operations.opaque(b"0");
            } else {
                arguments(&mut operations, operation, random);
            }
        }
        let uid = [0, 1000, 65_534][random.below(3)];
        let mut record = call(uid, count + 1, &operations.bytes);
        if random.below(3) == 0 {
            for _ in 0..=random.below(4) {
                let at = random.below(record.len());
                record[at] = random.next() as u8;
            }
            record.truncate(record.len() - random.below(1 + record.len() / 4));
        }
        let reply = world.server.answer(&record);
        let length = reply.as_ref().map_or(0, Vec::len);
        assert!(length <= 2 * RECORD_BYTES, "round {round} of seed {seed}: an answer of {length} bytes");
        match reply.filter(|reply| reply.len() > RESULT_AT && word_at(reply, STATUS_AT - 4) == 53 && word_at(reply, STATUS_AT) == 0) {
            Some(_) => (number, good) = (number + 1, good + 1),
            None => (session, number) = (None, 0),
        }
    }
    assert!(good > 100, "only {good} calls were understood");
}

#[test]
fn an_answer_that_would_be_too_long_is_refused() {
    let world = World::new("long");
    let session = begin(&world.server, &mut Random(7));
    let mut operations = Encoder::default();
    sequence(&mut operations, &session, 1);
    operations.u32(24);
    [&b"0"[..], b"large"].iter().for_each(|name| {
        operations.u32(15);
        operations.opaque(name);
    });
    for _ in 0..40 {
        operations.u32(25);
        operations.fixed(&[0; 16]);
        operations.u64(0);
        operations.u32(u32::MAX);
    }
    let reply = world.server.answer(&call(0, 44, &operations.bytes)).expect("is answered");
    assert_eq!(word_at(&reply, 28), super::status::REP_TOO_BIG);
    assert!(reply.len() <= RECORD_BYTES, "{}", reply.len());
}
