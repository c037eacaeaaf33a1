//! ONC RPC (RFC 5531) as far as NFS 4.1 over TCP needs it: record marking, call and reply headers, AUTH_SYS.
use std::io::{self, Read};

use super::creds::Creds;
use super::xdr::{Decoder, Encoder, Garbage};

/// Largest record: a WRITE of `IO_BYTES` and what stands around it.
pub const RECORD_BYTES: usize = super::IO_BYTES + 64 * 1024;
const LAST_FRAGMENT: u32 = 0x8000_0000;
const PROGRAM: u32 = 100_003;
const VERSION: u32 = 4;
const CALL: u32 = 0;
const REPLY: u32 = 1;
const AUTH_NONE: u32 = 0;
const AUTH_SYS: u32 = 1;
const AUTH_BYTES: usize = 400;
const GIDS: usize = 16;

pub enum Procedure {
    Null,
    Compound,
}

pub struct Call<'a> {
    pub xid: u32,
    pub procedure: Procedure,
    pub creds: Creds,
    pub args: Decoder<'a>,
}

/// One whole record; `None` at the connection's end.
pub fn read_record(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut record = Vec::new();
    loop {
        let mut mark = [0; 4];
        match stream.read_exact(&mut mark) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof && record.is_empty() => return Ok(None),
            done => done?,
        }
        let mark = u32::from_be_bytes(mark);
        let length = (mark & !LAST_FRAGMENT) as usize;
        let at = record.len();
        if length > RECORD_BYTES - at {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a record is too long"));
        }
        record.resize(at + length, 0);
        stream.read_exact(&mut record[at..])?;
        if mark & LAST_FRAGMENT != 0 {
            return Ok(Some(record));
        }
    }
}

/// A reply's beginning, with room for the record mark that `finish` writes.
fn reply(xid: u32) -> Encoder {
    let mut out = Encoder::default();
    for word in [0, xid, REPLY] {
        out.u32(word);
    }
    out
}

/// The head of a reply whose results follow.
pub fn accepted(xid: u32) -> Encoder {
    let mut out = reply(xid);
    // MSG_ACCEPTED, a verifier of AUTH_NONE, SUCCESS.
    for word in [0, AUTH_NONE, 0, 0] {
        out.u32(word);
    }
    out
}

/// Sets the record mark.
pub fn finish(mut out: Encoder) -> Vec<u8> {
    let length = out.bytes.len() as u32 - 4;
    out.set_u32(0, length | LAST_FRAGMENT);
    out.bytes
}

fn refused(xid: u32, words: &[u32]) -> Vec<u8> {
    let mut out = reply(xid);
    words.iter().for_each(|word| out.u32(*word));
    finish(out)
}

/// The reply to arguments that can't be read.
pub fn garbage(xid: u32) -> Vec<u8> {
    refused(xid, &[0, AUTH_NONE, 0, 4])
}

/// The call in a record, or the reply that refuses it. `Garbage`: not even a call, and the connection is not worth keeping.
pub fn parse(record: &[u8]) -> Result<Result<Call<'_>, Vec<u8>>, Garbage> {
    let mut inside = Decoder::new(record);
    let xid = inside.u32()?;
    if inside.u32()? != CALL {
        return Err(Garbage);
    }
    if inside.u32()? != 2 {
        // MSG_DENIED, RPC_MISMATCH, lowest and highest version.
        return Ok(Err(refused(xid, &[1, 0, 2, 2])));
    }
    let (program, version, procedure) = (inside.u32()?, inside.u32()?, inside.u32()?);
    let flavor = inside.u32()?;
    let body = inside.opaque(AUTH_BYTES)?;
    inside.u32()?;
    inside.opaque(AUTH_BYTES)?;
    if program != PROGRAM {
        return Ok(Err(refused(xid, &[0, AUTH_NONE, 0, 1])));
    }
    if version != VERSION {
        return Ok(Err(refused(xid, &[0, AUTH_NONE, 0, 2, VERSION, VERSION])));
    }
    let creds = match flavor {
        AUTH_SYS => auth_sys(body)?,
        AUTH_NONE => Creds::nobody(),
        // MSG_DENIED, AUTH_ERROR, AUTH_TOOWEAK.
        _ => return Ok(Err(refused(xid, &[1, 1, 5]))),
    };
    let procedure = match procedure {
        0 => Procedure::Null,
        1 => Procedure::Compound,
        _ => return Ok(Err(refused(xid, &[0, AUTH_NONE, 0, 3]))),
    };
    Ok(Ok(Call { xid, procedure, creds, args: inside }))
}

fn auth_sys(body: &[u8]) -> Result<Creds, Garbage> {
    let mut inside = Decoder::new(body);
    inside.u32()?;
    inside.opaque(255)?;
    Ok(Creds { uid: inside.u32()?, gid: inside.u32()?, groups: inside.words(GIDS)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(version: u32, flavor: u32, auth: &[u8]) -> Vec<u8> {
        let mut out = Encoder::default();
        for word in [9, CALL, 2, PROGRAM, version, 1, flavor] {
            out.u32(word);
        }
        out.opaque(auth);
        out.u32(AUTH_NONE);
        out.opaque(&[]);
        out.bytes
    }

    #[test]
    fn a_call_tells_who_calls() {
        let mut auth = Encoder::default();
        auth.u32(0);
        auth.opaque(b"guest");
        auth.u32(1000);
        auth.u32(1001);
        auth.words(&[5, 6]);
        let record = call(4, AUTH_SYS, &auth.bytes);
        let Ok(Ok(call)) = parse(&record) else { panic!("refused") };
        assert_eq!((call.xid, call.creds.uid, call.creds.gid, call.creds.groups), (9, 1000, 1001, vec![5, 6]));
    }

    #[test]
    fn other_versions_and_flavors_are_refused_and_nonsense_is_no_call() {
        assert!(matches!(parse(&call(3, AUTH_NONE, &[])), Ok(Err(_))));
        assert!(matches!(parse(&call(4, 6, &[])), Ok(Err(_))));
        assert!(parse(&[0; 11]).is_err());
        assert!(parse(&call(4, AUTH_SYS, &[0, 0, 0, 0, 0, 0, 1, 0])).is_err());
    }

    #[test]
    fn a_record_comes_in_fragments_and_has_a_limit() {
        let whole = [&[0, 0, 0, 2, 1, 2][..], &[0x80, 0, 0, 1, 3]].concat();
        assert_eq!(read_record(&mut &whole[..]).expect("reads"), Some(vec![1, 2, 3]));
        assert_eq!(read_record(&mut &[][..]).expect("ends"), None);
        assert!(read_record(&mut &[0x80, 0x7f, 0xff, 0xff][..]).is_err());
    }
}
