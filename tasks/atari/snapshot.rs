//! Bytes of a saved state: numbers and blocks in order, behind a mark and a checksum that refuse damaged ones.

use super::error::AtariError;

const MARK: &[u8; 8] = b"SPATARI1";

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Collects a state.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    pub fn number(&mut self, x: u64) {
        self.0.extend(x.to_le_bytes());
    }

    pub fn block(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    /// Mark, checksum, content.
    pub fn finish(self) -> Vec<u8> {
        [&MARK[..], &checksum(&self.0).to_le_bytes(), &self.0].concat()
    }
}

/// Reads one back.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Reader<'a>, AtariError> {
        let refuse = |why: &str| Err(AtariError::State(why.into()));
        let Some((mark, rest)) = bytes.split_at_checked(8) else { return refuse("too short") };
        if mark != MARK {
            return refuse("not one of this version");
        }
        let Some((sum, content)) = rest.split_at_checked(8) else { return refuse("too short") };
        if sum != checksum(content).to_le_bytes() {
            return refuse("damaged (its checksum differs)");
        }
        Ok(Reader(content))
    }

    fn bytes(&mut self, n: usize) -> Result<&'a [u8], AtariError> {
        let (head, rest) = self.0.split_at_checked(n).ok_or_else(|| AtariError::State("too short".into()))?;
        self.0 = rest;
        Ok(head)
    }

    pub fn number(&mut self) -> Result<u64, AtariError> {
        Ok(u64::from_le_bytes(self.bytes(8)?.try_into().expect("8 bytes")))
    }

    pub fn block(&mut self) -> Result<&'a [u8], AtariError> {
        let n = self.number()?;
        self.bytes(usize::try_from(n).unwrap_or(usize::MAX))
    }

    /// A block of exactly `n` bytes.
    pub fn exactly(&mut self, n: usize, what: &str) -> Result<&'a [u8], AtariError> {
        let block = self.block()?;
        if block.len() == n {
            return Ok(block);
        }
        Err(AtariError::State(format!("{what} has {} bytes, {n} are needed: another game or protocol", block.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_is_seen() {
        let mut w = Writer::default();
        w.number(7);
        w.block(b"abc");
        let bytes = w.finish();
        let mut r = Reader::new(&bytes).expect("whole");
        assert_eq!((r.number(), r.block()), (Ok(7), Ok(&b"abc"[..])));
        assert!(r.number().is_err());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(Reader::new(&damaged).is_err(), "byte {at}");
            assert!(Reader::new(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
