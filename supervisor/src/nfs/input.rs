//! Pieces of arguments that several operations have.
use super::state::StateId;
use super::status::{self, Failure};
use super::xdr::{Decoder, Encoder};

/// Of an owner of open files or locks (`NFS4_OPAQUE_LIMIT`).
pub const OWNER_BYTES: usize = 1024;

pub fn read_state(inside: &mut Decoder) -> Result<StateId, Failure> {
    Ok(StateId { sequence: inside.u32()?, other: inside.array()? })
}

pub fn write_state(out: &mut Encoder, id: &StateId) {
    out.u32(id.sequence);
    out.fixed(&id.other);
}

/// `component4`: one name.
pub fn read_name<'a>(inside: &mut Decoder<'a>) -> Result<&'a [u8], Failure> {
    let name = inside.opaque(super::files::NAME_BYTES * 16)?;
    match super::files::entry_name(name) {
        Ok(_) => Ok(name),
        Err(e) if e.raw_os_error() == Some(libc::ENAMETOOLONG) => Err(status::NAMETOOLONG.into()),
        Err(_) if name.is_empty() => Err(status::INVAL.into()),
        Err(_) => Err(status::BADNAME.into()),
    }
}
