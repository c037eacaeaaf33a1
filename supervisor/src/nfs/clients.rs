//! Operations on clients and sessions (RFC 8881, section 18.35 and on).
use std::sync::Arc;

use super::compound::{Compound, Outcome, OPERATIONS};
use super::rpc::RECORD_BYTES;
use super::state::{Client, Slot, SLOTS};
use super::status::{self, Failure};
use super::xdr::{Decoder, Encoder};

const OWNER_BYTES: usize = 1024;
/// EXCHGID4_FLAG_USE_NON_PNFS, EXCHGID4_FLAG_CONFIRMED_R.
const NO_PNFS: u32 = 0x0001_0000;
const CONFIRMED: u32 = 0x8000_0000;
const BOUND_FORE: u32 = 1;
/// A reply that is kept.
const KEPT_BYTES: u32 = 16 * 1024;

impl Compound<'_> {
    pub(super) fn exchange_id(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let verifier: [u8; 8] = inside.array()?;
        let owner = inside.opaque(OWNER_BYTES)?.to_vec();
        inside.u32()?;
        if inside.u32()? != 0 {
            // Machine credentials and SSV need Kerberos.
            return Err(status::NOTSUPP.into());
        }
        let mut state = self.server.state();
        let known = state.clients.iter().find(|(_, one)| one.owner == owner && one.verifier == verifier).map(|(id, _)| *id);
        let id = match known {
            Some(id) => id,
            None => {
                state.clients.retain(|_, one| one.confirmed || one.owner != owner);
                let client = Client { owner, verifier, confirmed: false, reclaimed: false, sequence: 1, created: Vec::new() };
                state.add_client(client)?
            }
        };
        let client = &state.clients[&id];
        out.u64(id);
        out.u32(client.sequence);
        out.u32(NO_PNFS | if client.confirmed { CONFIRMED } else { 0 });
        // SP4_NONE; the owner of this server, its scope, no name of its implementation.
        out.u32(0);
        out.u64(0);
        out.opaque(self.server.name());
        out.opaque(self.server.name());
        out.u32(0);
        Ok(())
    }

    pub(super) fn create_session(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let (id, sequence) = (inside.u64()?, inside.u32()?);
        inside.u32()?;
        let fore = Channel::read(inside)?;
        let back = Channel::read(inside)?;
        let mut state = self.server.state();
        let client = state.clients.get_mut(&id).ok_or(status::STALE_CLIENTID)?;
        if sequence.wrapping_add(1) == client.sequence && !client.created.is_empty() {
            out.bytes.extend_from_slice(&client.created);
            return Ok(());
        }
        if sequence != client.sequence {
            return Err(status::SEQ_MISORDERED.into());
        }
        let granted = fore.granted();
        let owner = client.owner.clone();
        let session = state.add_session(id, granted.requests as usize)?;
        // One that this owner was before has been restarted.
        let former: Vec<u64> = state.clients.iter().filter(|(other, one)| **other != id && one.owner == owner).map(|(id, _)| *id).collect();
        former.into_iter().for_each(|id| state.remove_client(id));
        let mut made = Encoder::default();
        made.fixed(&session);
        made.u32(sequence);
        // Neither persistent nor with a way back: this server never calls its client.
        made.u32(0);
        granted.write(&mut made);
        back.write(&mut made);
        out.bytes.extend_from_slice(&made.bytes);
        if let Some(client) = state.clients.get_mut(&id) {
            client.confirmed = true;
            client.sequence = sequence.wrapping_add(1);
            client.created = made.bytes;
        }
        Ok(())
    }

    pub(super) fn sequence(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let id = inside.array()?;
        let (sequence, number) = (inside.u32()?, inside.u32()?);
        inside.u32()?;
        let keeps = inside.bool()?;
        let mut state = self.server.state();
        let session = state.sessions.get_mut(&id).ok_or(status::BADSESSION)?;
        let highest = session.slots.len() as u32 - 1;
        let slot = session.slots.get_mut(number as usize).ok_or(status::BADSLOT)?;
        if sequence == slot.sequence {
            if slot.busy {
                return Err(status::DELAY.into());
            }
            self.replay = Some(slot.reply.clone().ok_or(status::RETRY_UNCACHED_REP)?);
            return Ok(());
        }
        if slot.busy || sequence != slot.sequence.wrapping_add(1) {
            return Err(status::SEQ_MISORDERED.into());
        }
        *slot = Slot { sequence, busy: true, reply: None };
        self.client = session.client;
        self.session = Some((id, number as usize));
        self.keeps_reply = keeps;
        out.fixed(&id);
        for word in [sequence, number, highest, highest, 0] {
            out.u32(word);
        }
        Ok(())
    }

    /// The request's slot is free again.
    pub(super) fn leave(&mut self, reply: &[u8]) {
        let Some((id, number)) = self.session else { return };
        let mut state = self.server.state();
        let Some(slot) = state.sessions.get_mut(&id).and_then(|session| session.slots.get_mut(number)) else { return };
        slot.busy = false;
        let fits = reply.len() <= KEPT_BYTES as usize;
        slot.reply = (self.keeps_reply && fits).then(|| Arc::new(reply.to_vec()));
    }

    pub(super) fn bind_connection(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let id = inside.array()?;
        if !self.server.state().sessions.contains_key(&id) {
            return Err(status::BADSESSION.into());
        }
        out.fixed(&id);
        out.u32(BOUND_FORE);
        out.bool(false);
        Ok(())
    }

    pub(super) fn destroy_session(&mut self, inside: &mut Decoder) -> Outcome {
        let id: [u8; 16] = inside.array()?;
        self.server.state().sessions.remove(&id).map(drop).ok_or(status::BADSESSION.into())
    }

    pub(super) fn destroy_client(&mut self, inside: &mut Decoder) -> Outcome {
        let id = inside.u64()?;
        let mut state = self.server.state();
        if !state.clients.contains_key(&id) {
            return Err(status::STALE_CLIENTID.into());
        }
        if state.sessions.values().any(|session| session.client == id) || state.held.values().any(|held| held.client() == id) {
            return Err(status::CLIENTID_BUSY.into());
        }
        state.remove_client(id);
        Ok(())
    }

    pub(super) fn reclaim_complete(&mut self, inside: &mut Decoder) -> Outcome {
        let is_one_file_system = inside.bool()?;
        let mut state = self.server.state();
        let client = state.clients.get_mut(&self.client).ok_or(status::STALE_CLIENTID)?;
        if is_one_file_system {
            return Ok(());
        }
        if client.reclaimed {
            return Err(status::COMPLETE_ALREADY.into());
        }
        client.reclaimed = true;
        Ok(())
    }
}

/// `channel_attrs4`.
struct Channel {
    padding: u32,
    request: u32,
    response: u32,
    kept: u32,
    operations: u32,
    requests: u32,
}

impl Channel {
    fn read(inside: &mut Decoder) -> Result<Channel, Failure> {
        let mut word = || inside.u32();
        let channel =
            Channel { padding: word()?, request: word()?, response: word()?, kept: word()?, operations: word()?, requests: word()? };
        inside.words(1)?;
        Ok(channel)
    }

    fn granted(&self) -> Channel {
        Channel {
            padding: 0,
            request: self.request.min(RECORD_BYTES as u32),
            response: self.response.min(RECORD_BYTES as u32),
            kept: self.kept.min(KEPT_BYTES),
            operations: self.operations.min(OPERATIONS as u32),
            requests: self.requests.clamp(1, SLOTS as u32),
        }
    }

    fn write(&self, out: &mut Encoder) {
        for word in [self.padding, self.request, self.response, self.kept, self.operations, self.requests] {
            out.u32(word);
        }
        // No RDMA.
        out.u32(0);
    }
}
