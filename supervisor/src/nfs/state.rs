//! Clients, sessions with their slots, and what clients hold open and locked. One task has one machine, and so one client that matters; it is
//! never given up by time: its machine may stand still for days, and all it holds ends with this process.
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::nodes::Key;
use super::status::{self, Failure};

pub const SLOTS: usize = 64;
const CLIENTS: usize = 16;
const SESSIONS: usize = 32;
/// Open files and locks of all clients.
const STATES: usize = 16 * 1024;
pub type SessionId = [u8; 16];

pub struct Client {
    pub owner: Vec<u8>,
    pub verifier: [u8; 8],
    pub confirmed: bool,
    pub reclaimed: bool,
    /// Of the next CREATE_SESSION, and the answer to the last one.
    pub sequence: u32,
    pub created: Vec<u8>,
}

#[derive(Default)]
pub struct Slot {
    pub sequence: u32,
    pub busy: bool,
    /// The answer to it, where the client asked that it be kept.
    pub reply: Option<Arc<Vec<u8>>>,
}

pub struct Session {
    pub client: u64,
    pub slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateId {
    pub sequence: u32,
    pub other: [u8; 12],
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub read: bool,
    pub write: bool,
}

pub struct Open {
    pub client: u64,
    pub owner: Vec<u8>,
    pub key: Key,
    pub access: Access,
    pub sequence: u32,
    /// As `access` says; the same one where it was opened for both.
    pub reader: Option<Arc<OwnedFd>>,
    pub writer: Option<Arc<OwnedFd>>,
}

/// The locks of one owner on one file: of an open file description of its own, which the kernel knows them by.
pub struct Lock {
    pub client: u64,
    pub owner: Vec<u8>,
    /// The state that the file is open by.
    pub open: u64,
    pub sequence: u32,
    pub file: Arc<File>,
}

pub enum Held {
    Open(Open),
    Lock(Lock),
}

#[derive(Default)]
pub struct State {
    pub clients: HashMap<u64, Client>,
    pub sessions: HashMap<SessionId, Session>,
    pub held: HashMap<u64, Held>,
    last: u64,
    /// Tells this run of the server from others.
    boot: u32,
}

impl State {
    pub fn new(boot: u32) -> State {
        State { boot, ..State::default() }
    }

    pub fn next(&mut self) -> u64 {
        self.last += 1;
        u64::from(self.boot) << 32 | (self.last & 0xffff_ffff)
    }

    pub fn add_client(&mut self, client: Client) -> Result<u64, Failure> {
        if self.clients.len() >= CLIENTS {
            // Those that never came to have a session.
            self.clients.retain(|_, one| one.confirmed);
        }
        if self.clients.len() >= CLIENTS {
            return Err(status::DELAY.into());
        }
        let id = self.next();
        self.clients.insert(id, client);
        Ok(id)
    }

    pub fn add_session(&mut self, client: u64, slots: usize) -> Result<SessionId, Failure> {
        if self.sessions.len() >= SESSIONS {
            return Err(status::DELAY.into());
        }
        let mut id = [0; 16];
        id[..8].copy_from_slice(&client.to_be_bytes());
        id[8..].copy_from_slice(&self.next().to_be_bytes());
        let slots = std::iter::repeat_with(Slot::default).take(slots).collect();
        self.sessions.insert(id, Session { client, slots });
        Ok(id)
    }

    /// With all it has.
    pub fn remove_client(&mut self, id: u64) {
        self.clients.remove(&id);
        self.sessions.retain(|_, session| session.client != id);
        self.held.retain(|_, held| held.client() != id);
    }

    pub fn hold(&mut self, held: Held) -> Result<u64, Failure> {
        if self.held.len() >= STATES {
            return Err(status::DELAY.into());
        }
        let id = self.next();
        self.held.insert(id, held);
        Ok(id)
    }

    pub fn id_of(&self, number: u64, sequence: u32) -> StateId {
        let mut other = [0; 12];
        other[..4].copy_from_slice(b"brth");
        other[4..].copy_from_slice(&number.to_be_bytes());
        StateId { sequence, other }
    }

    /// The state that is meant. A sequence of 0 stands for the newest.
    pub fn find(&mut self, client: u64, id: &StateId) -> Result<(u64, &mut Held), Failure> {
        let number = number_of(id).ok_or(status::BAD_STATEID)?;
        let held = self.held.get_mut(&number).filter(|held| held.client() == client).ok_or(status::BAD_STATEID)?;
        match id.sequence {
            0 => {}
            asked if asked < held.sequence() => return Err(status::OLD_STATEID.into()),
            asked if asked > held.sequence() => return Err(status::BAD_STATEID.into()),
            _ => {}
        }
        Ok((number, held))
    }

    pub fn open(&mut self, client: u64, id: &StateId) -> Result<(u64, &mut Open), Failure> {
        match self.find(client, id)? {
            (number, Held::Open(open)) => Ok((number, open)),
            _ => Err(status::BAD_STATEID.into()),
        }
    }

    pub fn open_of(&mut self, client: u64, owner: &[u8], key: &Key) -> Option<(u64, &mut Open)> {
        self.held.iter_mut().find_map(|(number, held)| match held {
            Held::Open(open) if open.client == client && open.key == *key && open.owner == owner => Some((*number, open)),
            _ => None,
        })
    }

    /// Closes what is open by this state, with the locks on it.
    pub fn close(&mut self, number: u64) {
        self.held.retain(|id, held| *id != number && !matches!(held, Held::Lock(lock) if lock.open == number));
    }
}

pub fn number_of(id: &StateId) -> Option<u64> {
    let number = id.other[4..].try_into().map(u64::from_be_bytes).ok()?;
    (id.other[..4] == *b"brth").then_some(number)
}

impl Held {
    pub fn client(&self) -> u64 {
        match self {
            Held::Open(open) => open.client,
            Held::Lock(lock) => lock.client,
        }
    }

    pub fn sequence(&self) -> u32 {
        match self {
            Held::Open(open) => open.sequence,
            Held::Lock(lock) => lock.sequence,
        }
    }
}

impl Open {
    /// A descriptor to read by, or to write by.
    pub fn descriptor(&self, writes: bool) -> Result<Arc<OwnedFd>, Failure> {
        let fd = if writes { &self.writer } else { &self.reader };
        fd.clone().ok_or(status::OPENMODE.into())
    }
}
