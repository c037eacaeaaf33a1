//! Connections and the threads that answer them.
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

use super::compound::Compound;
use super::creds::Creds;
use super::nodes::{Key, Nodes};
use super::rpc::{self, Procedure};
use super::state::{Held, State};
use crate::sys;

/// Requests that are worked on at the same time: an fsync holds no read up.
const WORKERS: usize = 8;
/// Requests that wait in line; then a connection is read no more.
const WAITING: usize = 32;
/// A machine has one; one that is lost may be there still.
const CONNECTIONS: usize = 8;
const STACK_BYTES: usize = 256 * 1024;
/// A client that takes no answer for so long has gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a file that others removed may keep its blocks.
const SWEEP: Duration = Duration::from_secs(10);

pub struct Volume {
    pub root: OwnedFd,
    /// Whoever calls is this user.
    pub user: Option<Creds>,
}

pub struct Server {
    pub nodes: Nodes,
    users: Vec<Option<Creds>>,
    state: Mutex<State>,
    verifier: [u8; 8],
    name: Vec<u8>,
}

struct Job {
    record: Vec<u8>,
    line: Arc<Mutex<TcpStream>>,
}

impl Server {
    pub fn new(name: &str, volumes: Vec<Volume>) -> io::Result<Server> {
        let mut verifier = [0; 8];
        // SAFETY: `verifier` is writable for its length.
        sys::check(unsafe { libc::getrandom(verifier.as_mut_ptr().cast(), verifier.len(), 0) } as libc::c_long)?;
        let boot = u32::from_be_bytes([verifier[0], verifier[1], verifier[2], verifier[3]]);
        let (roots, users) = volumes.into_iter().map(|volume| (volume.root, volume.user)).unzip();
        let state = Mutex::new(State::new(boot));
        Ok(Server { nodes: Nodes::new(roots)?, users, state, verifier, name: name.as_bytes().to_vec() })
    }

    /// The one user of a volume, if it has one.
    pub fn creds_of(&self, volume: u8) -> Option<&Creds> {
        self.users.get(usize::from(volume))?.as_ref()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Differs in each run: what was written and not committed before may be lost.
    pub fn verifier(&self) -> &[u8; 8] {
        &self.verifier
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    fn is_open(&self, key: &Key) -> bool {
        self.state().held.values().any(|held| matches!(held, Held::Open(open) if open.key == *key))
    }

    /// What has no name any more is only found as long as it is open.
    pub fn forget(&self, key: &Key) {
        if !self.is_open(key) {
            self.nodes.forget(key);
        }
    }

    fn sweep(&self) {
        let open: Vec<Key> = {
            let state = self.state();
            let keys = state.held.values().filter_map(|held| match held {
                Held::Open(open) => Some(open.key),
                Held::Lock(_) => None,
            });
            keys.collect()
        };
        self.nodes.sweep(&open);
    }

    /// The reply to a record; None: nobody who speaks this protocol.
    pub(super) fn answer(&self, record: &[u8]) -> Option<Vec<u8>> {
        let call = match rpc::parse(record).ok()? {
            Ok(call) => call,
            Err(refusal) => return Some(refusal),
        };
        let xid = call.xid;
        match call.procedure {
            Procedure::Null => Some(rpc::finish(rpc::accepted(xid))),
            Procedure::Compound => Some(Compound::answer(self, call).unwrap_or_else(|_| rpc::garbage(xid))),
        }
    }
}

/// Answers what comes; never comes back.
pub fn serve(listener: &TcpListener, server: Server) -> io::Result<()> {
    let server = Arc::new(server);
    let (send, receive) = sync_channel::<Job>(WAITING);
    let receive = Arc::new(Mutex::new(receive));
    for _ in 0..WORKERS {
        let (server, receive) = (server.clone(), receive.clone());
        Builder::new().stack_size(STACK_BYTES).spawn(move || work(&server, &receive))?;
    }
    let swept = server.clone();
    Builder::new().stack_size(STACK_BYTES).spawn(move || loop {
        thread::sleep(SWEEP);
        swept.sweep();
    })?;
    let connections = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of descriptors, or the client was gone before it was here.
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        if connections.load(Ordering::Relaxed) >= CONNECTIONS || prepare(&stream).is_err() {
            continue;
        }
        connections.fetch_add(1, Ordering::Relaxed);
        let (send, count) = (send.clone(), connections.clone());
        let started = Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let _ = listen(stream, &send);
            count.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Finds out by itself when the other end is gone.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    let options = [
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 30),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 10),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3),
    ];
    for (level, option, value) in options {
        let value: libc::c_int = value;
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: `value` is readable for `size`.
        let set = unsafe { libc::setsockopt(stream.as_raw_fd(), level, option, std::ptr::from_ref(&value).cast(), size) };
        sys::check(set.into())?;
    }
    Ok(())
}

fn listen(stream: TcpStream, send: &SyncSender<Job>) -> io::Result<()> {
    let line = Arc::new(Mutex::new(stream.try_clone()?));
    let mut reader = io::BufReader::with_capacity(64 * 1024, stream);
    while let Some(record) = rpc::read_record(&mut reader)? {
        let job = Job { record, line: line.clone() };
        if send.send(job).is_err() {
            break;
        }
    }
    Ok(())
}

fn work(server: &Server, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { record, line }) = next else { return };
        let reply = server.answer(&record);
        drop(record);
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = reply.is_some_and(|reply| line.write_all(&reply).is_ok());
        if !sent {
            // Half an answer can't be mended: the client begins anew.
            let _ = line.shutdown(std::net::Shutdown::Both);
        }
    }
}
