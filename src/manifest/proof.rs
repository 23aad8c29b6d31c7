//! Proving a stream by its manifest while it is read.

use std::collections::HashMap;

use super::read::ManifestReader;
use super::write::Ended;
use crate::error::{Error, ErrorKind, Result};
use crate::format::any::AnyDecoder;
use crate::format::framing::{FramingDigest, MANIFEST_NAME};
use crate::format::member::MemberId;
use crate::format::xbstream::Item;

/// What to do about a stream that does not match its manifest.
pub(super) const DAMAGED: &str = "the stream is not what was made: it was damaged or changed on its way or at rest; fetch it again";

/// 128 bits of a digest over all that is known of a member that ended. Enough to tell two apart,
/// and small enough to keep for each member of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print([u8; 16]);

impl Print {
    pub(crate) fn of(path: &[u8], size: u64, hash: &blake3::Hash) -> Self {
        // In one piece, as that is cheaper than a hasher for each member.
        let all = [hash.as_bytes().as_slice(), &size.to_le_bytes(), path].concat();
        let mut print = [0; 16];
        print.copy_from_slice(blake3::hash(&all).as_bytes().split_at(16).0);
        Self(print)
    }
}

/// Where a member stands among those that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// Hashes open members. Memory: 2 KiB for each of them, [`limits::HASHED_MEMBERS`] at most; in
/// boxes, as the map would double what it has when it grows.
///
/// [`limits::HASHED_MEMBERS`]: crate::limits::HASHED_MEMBERS
#[derive(Debug, Default)]
pub(crate) struct MemberHashes {
    /// The one that had data last: most members are alone in their stretch of the stream.
    last: Option<(MemberId, Box<blake3::Hasher>)>,
    /// All others.
    open: HashMap<MemberId, Box<blake3::Hasher>>,
    /// To be used again.
    spare: Option<Box<blake3::Hasher>>,
}

impl MemberHashes {
    pub(crate) fn update(&mut self, id: MemberId, bytes: &[u8]) {
        if let Some((last, hasher)) = &mut self.last
            && *last == id
        {
            hasher.update(bytes);
            return;
        }
        if let Some((other, hasher)) = self.last.take() {
            self.open.insert(other, hasher);
        }
        let known = self.open.remove(&id).or_else(|| self.spare.take());
        let (_, hasher) = self.last.insert((id, known.unwrap_or_default()));
        hasher.update(bytes);
    }

    /// What is known of a member that ends.
    pub(crate) fn end(&mut self, id: MemberId, path: &[u8], size: u64) -> Print {
        let hash = match self.take(id) {
            None => blake3::hash(&[]),
            Some(mut hasher) => {
                let hash = hasher.finalize();
                hasher.reset();
                self.spare = Some(hasher);
                hash
            }
        };
        Print::of(path, size, &hash)
    }

    fn take(&mut self, id: MemberId) -> Option<Box<blake3::Hasher>> {
        match self.last.take_if(|(last, _)| *last == id) {
            Some((_, hasher)) => Some(hasher),
            None => self.open.remove(&id),
        }
    }
}

/// Compares a stream with its manifest, if it announces one. Memory: 17 bytes for each member that
/// ended, and a line of the manifest.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    seen: Vec<Option<Print>>,
    manifest: Option<(MemberId, ManifestReader)>,
    listed: usize,
    /// Bytes of the members that were listed, as they were proven to be.
    listed_bytes: u64,
}

impl Proof {
    /// Keeps a place for a member that ends now; what is known of it may come later, but before
    /// the manifest begins.
    pub(crate) fn ends(&mut self) -> Place {
        self.seen.push(None);
        Place(self.seen.len() - 1)
    }

    pub(crate) fn set(&mut self, place: Place, print: Print) {
        if let Some(seen) = self.seen.get_mut(place.0) {
            *seen = Some(print);
        }
    }

    /// Takes note of an item, and gives whether it belongs to the manifest. What is known of all
    /// members that ended must have been set before the manifest's first data.
    ///
    /// # Errors
    /// `Checksum` if a member is not what the manifest says, `Format`, `Limit` or `Unsupported`
    /// for a manifest that cannot be read.
    pub(crate) fn follow(&mut self, item: &Item<'_>, decoder: &AnyDecoder) -> Result<bool> {
        if !decoder.announces_manifest() {
            return Ok(false); // a file of its name is a file like others
        }
        match item {
            Item::Open { id, path, .. } if path.as_bytes() == MANIFEST_NAME.as_bytes() => {
                self.manifest = Some((*id, ManifestReader::default()));
                Ok(true)
            }
            Item::Data { id, bytes, .. } if self.is_manifest(*id) => {
                self.manifest_data(bytes)?;
                Ok(true)
            }
            Item::Close { id, .. } => Ok(self.is_manifest(*id)),
            _ => Ok(false),
        }
    }

    fn is_manifest(&self, id: MemberId) -> bool {
        self.manifest.as_ref().is_some_and(|(manifest, _)| *manifest == id)
    }

    fn manifest_data(&mut self, data: &[u8]) -> Result<()> {
        let Some((_, reader)) = &mut self.manifest else { return Ok(()) };
        let (seen, listed, bytes) = (&self.seen, &mut self.listed, &mut self.listed_bytes);
        reader.push(data, |said| {
            let print = Print::of(said.path.as_bytes(), said.size, &said.hash);
            let found = seen.get(*listed).copied().flatten();
            *listed += 1;
            if found == Some(print) {
                *bytes = bytes.saturating_add(said.size);
                return Ok(());
            }
            Err(differs(&said, *listed, seen.len()))
        })
    }

    /// Says that the stream has ended, and gives whether it is proven.
    ///
    /// # Errors
    /// `Checksum` or `Truncated` if the stream is not what its manifest says.
    pub(crate) fn finish(&self, decoder: &AnyDecoder) -> Result<bool> {
        let Some((_, reader)) = &self.manifest else { return Ok(false) };
        let footer = reader.finish()?;
        if footer.count != self.seen.len() as u64 || self.listed != self.seen.len() {
            let message = format!(
                "the stream holds {} members, and its manifest names {} and counts {}",
                self.seen.len(),
                self.listed,
                footer.count
            );
            return Err(Error::new(ErrorKind::Checksum, message).hint(DAMAGED));
        }
        if footer.payload_bytes != self.listed_bytes {
            let (found, said) = (self.listed_bytes, footer.payload_bytes);
            let message = format!("the members have {found} bytes, and the manifest says {said}");
            return Err(Error::new(ErrorKind::Checksum, message).hint(DAMAGED));
        }
        let framing = decoder.framing();
        if framing == footer.framing {
            return Ok(true);
        }
        Err(framing_differs(&footer.framing, &framing))
    }
}

fn differs(said: &Ended, number: usize, count: usize) -> Error {
    let what = if number > count { "is not in the stream" } else { "is not what the stream holds" };
    let message = format!(
        "member {number} of the manifest, with {} bytes and BLAKE3 {}, {what}",
        said.size,
        said.hash.to_hex()
    );
    Error::new(ErrorKind::Checksum, message).at_path(&said.path).hint(DAMAGED)
}

fn framing_differs(said: &FramingDigest, found: &FramingDigest) -> Error {
    let show = |it: &FramingDigest| format!("{} bytes with BLAKE3 {}", it.bytes, it.hash.to_hex());
    let message =
        format!("the stream's framing is {}, and its manifest says {}", show(found), show(said));
    Error::new(ErrorKind::Checksum, message).hint(DAMAGED)
}

/// Proves a stream on the thread that decodes it.
#[derive(Debug, Default)]
pub(crate) struct Prover {
    proof: Proof,
    hashes: MemberHashes,
}

impl Prover {
    /// Takes note of an item, and gives whether it belongs to the manifest.
    pub(crate) fn follow(&mut self, item: &Item<'_>, decoder: &AnyDecoder) -> Result<bool> {
        let is_manifest = self.proof.follow(item, decoder)?;
        if is_manifest || !decoder.announces_manifest() {
            return Ok(is_manifest);
        }
        match item {
            Item::Data { id, bytes, .. } => self.hashes.update(*id, bytes),
            Item::Close { id, path, size } => {
                let place = self.proof.ends();
                self.proof.set(place, self.hashes.end(*id, path.as_bytes(), *size));
            }
            _ => {}
        }
        Ok(false)
    }

    /// As [`Proof::finish`].
    pub(crate) fn finish(&self, decoder: &AnyDecoder) -> Result<bool> {
        self.proof.finish(decoder)
    }
}
