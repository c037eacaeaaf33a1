//! XDR (RFC 4506): big-endian words, everything padded to four bytes.

/// What came is not what the protocol says.
#[derive(Debug, PartialEq, Eq)]
pub struct Garbage;

pub struct Decoder<'a> {
    data: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Decoder { data }
    }

    pub fn fixed(&mut self, length: usize) -> Result<&'a [u8], Garbage> {
        let padded = length.checked_next_multiple_of(4).ok_or(Garbage)?;
        if padded > self.data.len() {
            return Err(Garbage);
        }
        let (taken, rest) = self.data.split_at(padded);
        self.data = rest;
        Ok(&taken[..length])
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Garbage> {
        self.fixed(N)?.try_into().map_err(|_| Garbage)
    }

    pub fn u32(&mut self) -> Result<u32, Garbage> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Garbage> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, Garbage> {
        self.array().map(i64::from_be_bytes)
    }

    pub fn bool(&mut self) -> Result<bool, Garbage> {
        self.u32().map(|word| word != 0)
    }

    /// Of at most `most` bytes.
    pub fn opaque(&mut self, most: usize) -> Result<&'a [u8], Garbage> {
        let length = self.u32()? as usize;
        if length > most {
            return Err(Garbage);
        }
        self.fixed(length)
    }

    /// A list of at most `most` words.
    pub fn words(&mut self, most: usize) -> Result<Vec<u32>, Garbage> {
        let count = self.u32()? as usize;
        if count > most {
            return Err(Garbage);
        }
        (0..count).map(|_| self.u32()).collect()
    }
}

#[derive(Default)]
pub struct Encoder {
    pub bytes: Vec<u8>,
}

impl Encoder {
    pub fn u32(&mut self, word: u32) {
        self.bytes.extend_from_slice(&word.to_be_bytes());
    }

    pub fn u64(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_be_bytes());
    }

    pub fn bool(&mut self, value: bool) {
        self.u32(u32::from(value));
    }

    pub fn fixed(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    pub fn opaque(&mut self, data: &[u8]) {
        self.u32(data.len() as u32);
        self.fixed(data);
    }

    pub fn words(&mut self, words: &[u32]) {
        self.u32(words.len() as u32);
        words.iter().for_each(|word| self.u32(*word));
    }

    pub fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Overwrites the word that begins at `at`.
    pub fn set_u32(&mut self, at: usize, word: u32) {
        self.bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_is_read_past_the_end() {
        let mut out = Encoder::default();
        out.u32(7);
        out.opaque(b"abcde");
        out.words(&[1, 2]);
        out.u64(u64::MAX);
        let mut inside = Decoder::new(&out.bytes);
        assert_eq!(inside.u32(), Ok(7));
        assert_eq!(inside.opaque(5), Ok(&b"abcde"[..]));
        assert_eq!(inside.words(2), Ok(vec![1, 2]));
        assert_eq!(inside.u64(), Ok(u64::MAX));
        assert_eq!(inside.u32(), Err(Garbage));
        assert_eq!(Decoder::new(&[0, 0, 0, 6, 1, 2, 3, 4]).opaque(8), Err(Garbage));
        assert_eq!(Decoder::new(&[0xff; 8]).opaque(usize::MAX), Err(Garbage));
    }
}
