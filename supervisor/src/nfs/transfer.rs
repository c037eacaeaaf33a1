//! READ, WRITE, COMMIT.
use std::os::fd::AsFd;

use super::compound::{Compound, Outcome};
use super::files;
use super::input::read_state;
use super::xdr::{Decoder, Encoder};
use super::IO_BYTES;

/// `stable_how4`: written to memory that outlives this process, and no more.
const UNSTABLE: u32 = 0;

impl Compound<'_> {
    pub(super) fn read(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let id = read_state(inside)?;
        let (offset, count) = (inside.u64()?, inside.u32()? as usize);
        let node = self.node()?;
        let file = self.file_for(&node, &id, false)?;
        let eof_at = out.bytes.len();
        out.u32(0);
        let length_at = out.bytes.len();
        out.u32(0);
        let start = out.bytes.len();
        let wanted = count.min(IO_BYTES);
        out.bytes.resize(start + wanted, 0);
        let n = files::read_at(file.as_fd(), &mut out.bytes[start..], offset)?;
        out.bytes.truncate(start + n);
        out.pad();
        let is_end = n < wanted || files::stat(file.as_fd())?.0.stx_size <= offset.saturating_add(n as u64);
        out.set_u32(eof_at, u32::from(is_end));
        out.set_u32(length_at, n as u32);
        Ok(())
    }

    pub(super) fn write(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let id = read_state(inside)?;
        let (offset, stable) = (inside.u64()?, inside.u32()?);
        let data = inside.opaque(IO_BYTES)?;
        let node = self.node()?;
        let file = self.file_for(&node, &id, true)?;
        let n = files::write_at(file.as_fd(), data, offset)?;
        if stable != UNSTABLE {
            files::sync(file.as_fd())?;
        }
        out.u32(n as u32);
        out.u32(stable);
        out.fixed(self.server.verifier());
        Ok(())
    }

    /// fsync of the client.
    pub(super) fn commit(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        inside.u64()?;
        inside.u32()?;
        let node = self.node()?;
        // Whoever wrote may not read it: with this server's own rights.
        files::sync(files::reopen(node.fd.as_fd(), libc::O_RDONLY)?.as_fd())?;
        out.fixed(self.server.verifier());
        Ok(())
    }
}
