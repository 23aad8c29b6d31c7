//! Header and checkpoints of the log, and a header for a log of our own.

use super::{be32, be64, crc32c};
use crate::error::{Error, ErrorKind, Result};

/// A log sequence number: bytes of redo written since the server was installed.
pub(crate) type Lsn = u64;

/// Bytes before the ring.
pub(crate) const HEADER_LEN: usize = 12288;

/// Where in the file the two checkpoint blocks are.
const CHECKPOINTS: [usize; 2] = [4096, 8192];

/// Bytes of a block that its checksum, which follows them, covers.
const HEADER_BODY: usize = 508;
const CHECKPOINT_BODY: usize = 60;

/// The format of 10.8 and later; with a key version at 48 it is encrypted.
const PHYSICAL: u32 = 0x5068_7973;
/// Encrypted, as later 10.11 and 11.x write it.
const ENCRYPTED: u32 = 0xf09f_979d;

/// Longest creator, its NUL included.
const CREATOR_LEN: usize = 32;

/// What the header block says.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// The block's bytes that a log of our own repeats.
    body: [u8; HEADER_BODY],
    /// The LSN at the begin of the ring.
    pub(crate) first_lsn: Lsn,
    /// Whether each mini-transaction carries a nonce.
    pub(crate) encrypted: bool,
    /// Bytes of the ring.
    pub(crate) capacity: u64,
}

/// Where recovery begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// All changes before it are in the data files.
    pub(crate) lsn: Lsn,
    /// Where the log ended when the checkpoint was written.
    pub(crate) end_lsn: Lsn,
}

impl Header {
    /// Reads the first block of a log file of `file_size` bytes.
    ///
    /// # Errors
    /// `RedoFormat` if it is of another format, `Checksum` if it is damaged or half written.
    pub(crate) fn parse(bytes: &[u8], file_size: u64) -> Result<Self> {
        let short = || Error::new(ErrorKind::Truncated, "the redo log ends within its header");
        let format = be32(bytes, 0).ok_or_else(short)?;
        if format != PHYSICAL && format != ENCRYPTED {
            return Err(Error::new(
                ErrorKind::RedoFormat,
                format!("redo log format 0x{format:08x} is not that of MariaDB 10.8 and later"),
            )
            .hint("hot backups need such a server; stop an older one, and back it up cold"));
        }
        let body: [u8; HEADER_BODY] =
            bytes.get(..HEADER_BODY).and_then(|body| body.try_into().ok()).ok_or_else(short)?;
        if be32(bytes, HEADER_BODY) != Some(crc32c(&body)) {
            let message = "the header of the redo log does not match its checksum";
            return Err(Error::new(ErrorKind::Checksum, message).at_file(HEADER_BODY as u64));
        }
        let capacity = file_size.checked_sub(HEADER_LEN as u64).filter(|size| *size > 0);
        let key_version = be32(&body, 48).unwrap_or(0);
        Ok(Self {
            body,
            first_lsn: be64(&body, 8).ok_or_else(short)?,
            encrypted: format == ENCRYPTED || key_version != 0,
            capacity: capacity.ok_or_else(short)?,
        })
    }

    /// The newer of the valid checkpoints in the first [`HEADER_LEN`] bytes of the file; `None` if
    /// neither is valid, which passes if one is just being written.
    pub(crate) fn checkpoint(&self, bytes: &[u8]) -> Option<Checkpoint> {
        CHECKPOINTS
            .iter()
            .filter_map(|at| self.checkpoint_block(bytes.get(*at..at + CHECKPOINT_BODY + 4)?))
            .max_by_key(|checkpoint| checkpoint.lsn)
    }

    fn checkpoint_block(&self, block: &[u8]) -> Option<Checkpoint> {
        let body = block.get(..CHECKPOINT_BODY)?;
        let zeros = body.get(16..)?.iter().all(|byte| *byte == 0);
        let found = Checkpoint { lsn: be64(body, 0)?, end_lsn: be64(body, 8)? };
        let valid = zeros
            && be32(block, CHECKPOINT_BODY)? == crc32c(body)
            && self.first_lsn <= found.lsn
            && found.lsn <= found.end_lsn;
        valid.then_some(found)
    }

    /// Where in the file an LSN lives.
    pub(crate) fn offset(&self, lsn: Lsn) -> u64 {
        HEADER_LEN as u64 + lsn.saturating_sub(self.first_lsn) % self.capacity
    }

    /// What ends a mini-transaction whose last byte but checksum is at `lsn`: it changes with each
    /// round of the ring.
    pub(super) fn sequence_byte(&self, lsn: Lsn) -> u8 {
        u8::from((lsn.saturating_sub(self.first_lsn) / self.capacity).is_multiple_of(2))
    }

    /// The server that made the log, such as `MariaDB 10.11.19`.
    #[cfg(test)]
    fn creator(&self) -> String {
        let text = self.body.get(16..16 + CREATOR_LEN).unwrap_or_default();
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned()
    }
}

/// The first [`HEADER_LEN`] bytes of a log of our own: a ring that never went round, and begins at
/// `checkpoint`. Behind them go the source's bytes from there on, as [`super::rewrite`] leaves them.
///
/// A creator that begins with `Backup ` tells the server that it starts after a restore: it then
/// does not miss the files of tables that an `ALTER TABLE` was just making.
pub(crate) fn own_header(source: &Header, checkpoint: Checkpoint, version: &str) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    let mut put = |at: usize, part: &[u8]| {
        bytes.iter_mut().skip(at).zip(part).for_each(|(to, from)| *to = *from);
    };
    let mut body = source.body;
    let creator = format!("Backup {version}");
    let creator = creator.as_bytes().iter().copied().take(CREATOR_LEN - 1);
    let field = checkpoint.lsn.to_be_bytes().into_iter();
    let field = field.chain(creator.chain(std::iter::repeat(0)).take(CREATOR_LEN));
    body.iter_mut().skip(8).zip(field).for_each(|(to, from)| *to = from);
    put(0, &body);
    put(HEADER_BODY, &crc32c(&body).to_be_bytes());
    let mut block = [0; CHECKPOINT_BODY];
    let lsns = checkpoint.lsn.to_be_bytes().into_iter().chain(checkpoint.end_lsn.to_be_bytes());
    block.iter_mut().zip(lsns).for_each(|(to, from)| *to = from);
    put(CHECKPOINTS[0], &block);
    put(CHECKPOINTS[0] + CHECKPOINT_BODY, &crc32c(&block).to_be_bytes());
    bytes
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A log of `capacity` bytes whose ring begins at `first_lsn`.
    pub(crate) fn header(first_lsn: Lsn, capacity: u64, format: u32, key: u32) -> Header {
        let bytes = block(first_lsn, format, key);
        Header::parse(&bytes, capacity + HEADER_LEN as u64).unwrap()
    }

    fn block(first_lsn: Lsn, format: u32, key: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        bytes[..4].copy_from_slice(&format.to_be_bytes());
        bytes[8..16].copy_from_slice(&first_lsn.to_be_bytes());
        bytes[16..32].copy_from_slice(b"MariaDB 10.11.19");
        bytes[48..52].copy_from_slice(&key.to_be_bytes());
        let crc = crc32c(&bytes[..HEADER_BODY]);
        bytes[508..512].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn put_checkpoint(bytes: &mut [u8], at: usize, lsn: Lsn, end: Lsn) {
        bytes[at..at + 8].copy_from_slice(&lsn.to_be_bytes());
        bytes[at + 8..at + 16].copy_from_slice(&end.to_be_bytes());
        let crc = crc32c(&bytes[at..at + 60]);
        bytes[at + 60..at + 64].copy_from_slice(&crc.to_be_bytes());
    }

    #[test]
    fn formats_are_told_apart() {
        assert!(!header(12288, 1000, PHYSICAL, 0).encrypted);
        assert!(header(12288, 1000, PHYSICAL, 1).encrypted);
        assert!(header(12288, 1000, ENCRYPTED, 1).encrypted);
        for old in [103_u32, 0x8000_0067, 0x5048_5953, 0] {
            let error = Header::parse(&block(12288, old, 0), 1 << 20).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::RedoFormat, "{old:x}");
        }
        let mut torn = block(12288, PHYSICAL, 0);
        torn[20] ^= 1;
        assert_eq!(Header::parse(&torn, 1 << 20).unwrap_err().kind(), ErrorKind::Checksum);
        for len in [0, 3, 100, 511] {
            let error = Header::parse(&torn[..len], 1 << 20).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Checksum), "{len}");
        }
        assert!(Header::parse(&block(12288, PHYSICAL, 0), 12288).is_err());
    }

    #[test]
    fn the_newest_valid_checkpoint_counts() {
        let mut bytes = block(12288, PHYSICAL, 0);
        let header = Header::parse(&bytes, 1 << 20).unwrap();
        assert_eq!(header.checkpoint(&bytes), None);
        put_checkpoint(&mut bytes, 4096, 13000, 13100);
        assert_eq!(header.checkpoint(&bytes), Some(Checkpoint { lsn: 13000, end_lsn: 13100 }));
        put_checkpoint(&mut bytes, 8192, 14000, 14000);
        assert_eq!(header.checkpoint(&bytes).unwrap().lsn, 14000);
        // Of two of one LSN, the second.
        put_checkpoint(&mut bytes, 4096, 14000, 15000);
        assert_eq!(header.checkpoint(&bytes).unwrap().end_lsn, 14000);
        // Damaged, or impossible: passed over.
        bytes[8192 + 30] = 1;
        assert_eq!(header.checkpoint(&bytes).unwrap().end_lsn, 15000);
        put_checkpoint(&mut bytes, 8192, 20000, 19999);
        bytes[8192 + 30] = 0;
        put_checkpoint(&mut bytes, 8192, 20000, 19999);
        assert_eq!(header.checkpoint(&bytes).unwrap().end_lsn, 15000);
        put_checkpoint(&mut bytes, 4096, 12287, 15000);
        assert_eq!(header.checkpoint(&bytes), None);
    }

    #[test]
    fn the_ring_goes_round_and_its_sequence_byte_with_it() {
        let header = header(5000, 100, PHYSICAL, 0);
        assert_eq!((header.offset(5000), header.sequence_byte(5000)), (12288, 1));
        assert_eq!((header.offset(5099), header.sequence_byte(5099)), (12387, 1));
        assert_eq!((header.offset(5100), header.sequence_byte(5100)), (12288, 0));
        assert_eq!((header.offset(5250), header.sequence_byte(5250)), (12338, 1));
        assert_eq!(header.creator(), "MariaDB 10.11.19");
    }

    #[test]
    fn our_own_header_is_one_that_we_would_read() {
        let source = header(5000, 100, ENCRYPTED, 7);
        let checkpoint = Checkpoint { lsn: 70_000, end_lsn: 70_123 };
        let bytes = own_header(&source, checkpoint, "10.11.19-MariaDB-of-a-very-long-name");
        assert_eq!(bytes.len(), HEADER_LEN);
        let own = Header::parse(&bytes, 1 << 20).unwrap();
        assert_eq!((own.first_lsn, own.encrypted), (70_000, true));
        assert_eq!(own.checkpoint(&bytes), Some(checkpoint));
        assert_eq!(own.creator(), "Backup 10.11.19-MariaDB-of-a-ve");
        assert_eq!(own.body[48..], source.body[48..]);
        assert!(bytes[8192..].iter().all(|byte| *byte == 0));
    }
}
