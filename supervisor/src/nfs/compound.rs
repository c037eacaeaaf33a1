//! COMPOUND: a list of operations on a current and a saved file, ended by the first that fails.
use super::attributes;
use super::creds::{Acting, Creds};
use super::nodes::{Node, Place};
use super::rpc::{self, RECORD_BYTES};
use super::server::Server;
use super::state::{SessionId, StateId};
use super::status::{self, Failure};
use super::xdr::{Decoder, Encoder, Garbage};
use std::sync::Arc;

const MINOR_VERSION: u32 = 1;
/// `ca_maxoperations`.
pub const OPERATIONS: usize = 64;
const TAG_BYTES: usize = 1024;
const NUMBERS: std::ops::RangeInclusive<u32> = 3..=58;

pub mod number {
    pub const SEQUENCE: u32 = 53;
    pub const BIND_CONN_TO_SESSION: u32 = 41;
    pub const EXCHANGE_ID: u32 = 42;
    pub const CREATE_SESSION: u32 = 43;
    pub const DESTROY_SESSION: u32 = 44;
    pub const DESTROY_CLIENTID: u32 = 57;
    pub const SETATTR: u32 = 34;
}

pub type Outcome = Result<(), Failure>;

/// One COMPOUND on its way.
pub struct Compound<'a> {
    pub server: &'a Server,
    creds: Creds,
    /// Of SEQUENCE.
    pub session: Option<(SessionId, usize)>,
    pub client: u64,
    pub keeps_reply: bool,
    pub current: Option<Place>,
    pub saved: Option<Place>,
    pub current_state: Option<StateId>,
    pub saved_state: Option<StateId>,
    /// Set by SEQUENCE for a request that was answered before.
    pub replay: Option<Arc<Vec<u8>>>,
}

impl<'a> Compound<'a> {
    /// The whole reply, record mark included. `Err`: arguments that can't be read.
    pub fn answer(server: &'a Server, call: rpc::Call) -> Result<Vec<u8>, Garbage> {
        let mut inside = call.args;
        let tag = inside.opaque(TAG_BYTES)?;
        let minor = inside.u32()?;
        let count = inside.u32()? as usize;
        let mut out = rpc::accepted(call.xid);
        let head = out.bytes.len();
        out.u32(0);
        out.opaque(tag);
        let count_at = out.bytes.len();
        out.u32(0);
        let mut one = Compound {
            server,
            creds: call.creds,
            session: None,
            client: 0,
            keeps_reply: false,
            current: None,
            saved: None,
            current_state: None,
            saved_state: None,
            replay: None,
        };
        let (status, done) = if minor != MINOR_VERSION {
            (status::MINOR_VERS_MISMATCH, 0)
        } else if count > OPERATIONS {
            (status::TOO_MANY_OPS, 0)
        } else {
            one.run(&mut inside, &mut out, count)
        };
        if let Some(reply) = one.replay.take() {
            // The same words under this call's xid.
            let mut again = reply.as_ref().clone();
            again[4..8].copy_from_slice(&call.xid.to_be_bytes());
            return Ok(again);
        }
        out.set_u32(head, status);
        out.set_u32(count_at, done);
        let reply = rpc::finish(out);
        one.leave(&reply);
        Ok(reply)
    }

    fn run(&mut self, inside: &mut Decoder, out: &mut Encoder, count: usize) -> (u32, u32) {
        for index in 0..count {
            let Ok(asked) = inside.u32() else { return (status::BADXDR, index as u32) };
            let operation = if NUMBERS.contains(&asked) { asked } else { 10044 };
            out.u32(operation);
            let status_at = out.bytes.len();
            out.u32(0);
            let outcome = self.place_of(operation, index, count).and_then(|()| self.carry_out(operation, inside, out));
            if self.replay.is_some() {
                return (0, 0);
            }
            let fits = out.bytes.len() <= RECORD_BYTES;
            // What it did is done: as RFC 8881 has it (section 2.10.6.4), the client doesn't hear of it.
            let outcome = if fits { outcome } else { outcome.and(Err(status::REP_TOO_BIG.into())) };
            if let Err(Failure { status, body }) = outcome {
                out.bytes.truncate(status_at + 4);
                out.set_u32(status_at, status);
                out.bytes.extend_from_slice(&body);
                if operation == number::SETATTR {
                    out.words(&[]);
                }
                return (status, index as u32 + 1);
            }
        }
        (0, count as u32)
    }

    /// SEQUENCE comes first and only first; what makes sessions goes without one, alone.
    fn place_of(&self, operation: u32, index: usize, count: usize) -> Outcome {
        let is_alone = matches!(
            operation,
            number::BIND_CONN_TO_SESSION
                | number::EXCHANGE_ID
                | number::CREATE_SESSION
                | number::DESTROY_SESSION
                | number::DESTROY_CLIENTID
        );
        match (operation, index) {
            (number::SEQUENCE, 0) => Ok(()),
            (number::SEQUENCE, _) => Err(status::SEQUENCE_POS.into()),
            (_, 0) if is_alone && count == 1 => Ok(()),
            (_, 0) if is_alone => Err(status::NOT_ONLY_OP.into()),
            (_, 0) => Err(status::OP_NOT_IN_SESSION.into()),
            _ => Ok(()),
        }
    }

    fn carry_out(&mut self, operation: u32, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        match operation {
            3 => self.access(inside, out),
            4 => self.close(inside, out),
            5 => self.commit(inside, out),
            6 => self.create(inside, out),
            9 => self.get_attributes(inside, out),
            10 => self.get_handle(out),
            11 => self.link(inside, out),
            12 => self.lock(inside, out),
            13 => self.test_lock(inside),
            14 => self.unlock(inside, out),
            15 => self.lookup(inside),
            16 => self.lookup_parent(),
            18 => self.open(inside, out),
            21 => self.downgrade(inside, out),
            22 => self.put_handle(inside),
            23 | 24 => self.put_root(),
            25 => self.read(inside, out),
            26 => self.read_directory(inside, out),
            27 => self.read_link(out),
            28 => self.remove(inside, out),
            29 => self.rename(inside, out),
            31 => self.restore(),
            32 => self.save(),
            33 => self.security_of_name(inside, out),
            number::SETATTR => self.set_attributes(inside, out),
            38 => self.write(inside, out),
            number::BIND_CONN_TO_SESSION => self.bind_connection(inside, out),
            number::EXCHANGE_ID => self.exchange_id(inside, out),
            number::CREATE_SESSION => self.create_session(inside, out),
            number::DESTROY_SESSION => self.destroy_session(inside),
            45 => self.free_state(inside),
            52 => self.security(inside, out),
            number::SEQUENCE => self.sequence(inside, out),
            55 => self.test_states(inside, out),
            number::DESTROY_CLIENTID => self.destroy_client(inside),
            58 => self.reclaim_complete(inside),
            10044 => Err(status::OP_ILLEGAL.into()),
            _ => Err(status::NOTSUPP.into()),
        }
    }

    pub fn place(&self) -> Result<Place, Failure> {
        self.current.clone().ok_or(status::NOFILEHANDLE.into())
    }

    /// The current file; ROFS for the directory of all volumes, which nothing can be done to.
    pub fn node(&self) -> Result<Arc<Node>, Failure> {
        match self.place()? {
            Place::Node(node) => Ok(node),
            Place::Pseudo => Err(status::ROFS.into()),
        }
    }

    /// As the caller, or as the one user of the volume, until it is dropped.
    pub fn acting(&self, volume: u8) -> Result<Acting, Failure> {
        let creds = self.server.creds_of(volume).unwrap_or(&self.creds);
        creds.assume().map_err(|_| status::ACCESS.into())
    }

    /// The user of `acting`.
    pub fn uid(&self, volume: u8) -> u32 {
        self.server.creds_of(volume).unwrap_or(&self.creds).uid
    }

    pub fn change_info(out: &mut Encoder, before: u64, after: u64) {
        // Not atomic: others may have changed it between.
        out.bool(false);
        out.u64(before);
        out.u64(after);
    }

    pub fn change_of(node: &Node) -> Result<u64, Failure> {
        use std::os::fd::AsFd;
        Ok(attributes::change(&super::files::stat(node.fd.as_fd())?))
    }
}
