//! Members that are compressed or encrypted: which they are, and taking that off.

use std::collections::HashMap;

use crate::codec::stack::{Codec, Growth, Unpacker, layers_of};
use crate::codec::xbcrypt::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::Coded;

/// What is taken off members.
#[derive(Clone, Debug)]
pub(crate) struct Decoding {
    pub(crate) decompress: bool,
    pub(crate) decrypt: bool,
    pub(crate) key: Option<Key>,
    pub(crate) growth: Growth,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { decompress: true, decrypt: true, key: None, growth: Growth::default() }
    }
}

/// The layers that are taken off a member, outermost first, and the name it is left with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layers {
    pub(crate) codecs: Vec<Codec>,
    pub(crate) path: MemberPath,
}

impl Decoding {
    /// What is done with a member of this name; `None`: it is written as it is. `said` is what
    /// the stream itself says of it: only where it says nothing the name counts, and then only
    /// for suffixes that XtraBackup writes.
    pub(crate) fn of(&self, path: &MemberPath, said: Option<Coded>) -> Result<Option<Layers>> {
        let mut codecs = if let Some(said) = said {
            said_codecs(path, said)?
        } else {
            let (mut codecs, _) = layers_of(path.as_bytes());
            codecs.retain(|codec| *codec != Codec::Gzip);
            codecs
        };
        let is_encrypted = codecs.first() == Some(&Codec::Xbcrypt);
        if is_encrypted && !self.decrypt {
            return Ok(None);
        }
        if !self.decompress {
            codecs.truncate(usize::from(is_encrypted));
        }
        if codecs.is_empty() {
            return Ok(None);
        }
        let path = MemberPath::new(without(path.as_bytes(), &codecs))?;
        Ok(Some(Layers { codecs, path }))
    }
}

/// The codecs of a member that is coded so, as its name says.
fn said_codecs(path: &MemberPath, said: Coded) -> Result<Vec<Codec>> {
    let mut name = path.as_bytes();
    let mut codecs = Vec::new();
    for (is_said, is_encryption) in [(said.encrypted, true), (said.compressed, false)] {
        if !is_said {
            continue;
        }
        match Codec::of_name(name) {
            Some((codec, rest)) if (codec == Codec::Xbcrypt) == is_encryption => {
                codecs.push(codec);
                name = rest;
            }
            _ => {
                let message =
                    "the member is compressed or encrypted, and its name does not say how";
                return Err(Error::new(ErrorKind::Unsupported, message).at_path(path).hint(
                    "the stream was made by a newer version of xbkit: extract with that one",
                ));
            }
        }
    }
    Ok(codecs)
}

/// The name without the suffixes of these codecs.
fn without<'n>(name: &'n [u8], codecs: &[Codec]) -> &'n [u8] {
    codecs
        .iter()
        .fold(name, |name, codec| name.strip_suffix(codec.suffix().as_bytes()).unwrap_or(name))
}

/// Members of one thread whose layers are being taken off.
pub(crate) struct Unpackers<'d> {
    decoding: &'d Decoding,
    open: HashMap<MemberId, Open>,
}

struct Open {
    unpacker: Unpacker,
    path: MemberPath,
    /// Stored bytes so far.
    stored: u64,
}

impl<'d> Unpackers<'d> {
    pub(crate) fn new(decoding: &'d Decoding) -> Self {
        Self { decoding, open: HashMap::new() }
    }

    pub(crate) fn open(&mut self, id: MemberId, layers: &Layers) -> Result<()> {
        let key = self.decoding.key.as_ref();
        let unpacker = Unpacker::new(&layers.codecs, key, self.decoding.growth)?;
        self.open.insert(id, Open { unpacker, path: layers.path.clone(), stored: 0 });
        Ok(())
    }

    /// Takes stored bytes of a member, and hands plain ones with their place to `write`. `false`:
    /// the member has no layers.
    pub(crate) fn data(
        &mut self,
        id: MemberId,
        offset: u64,
        bytes: &[u8],
        write: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<bool> {
        let Some(member) = self.open.get_mut(&id) else { return Ok(false) };
        member.check_place(offset)?;
        member.stored += bytes.len() as u64;
        let mut at = member.unpacker.plain_bytes();
        let path = member.path.clone();
        let pushed = member.unpacker.push(bytes, &mut |plain| {
            write(at, plain)?;
            at += plain.len() as u64;
            Ok(())
        });
        pushed.map(|()| true).map_err(|error| error.at_path(path))
    }

    /// Ends a member of `size` stored bytes. Gives its plain size, if it has layers.
    pub(crate) fn close(&mut self, id: MemberId, size: u64) -> Result<Option<u64>> {
        let Some(mut member) = self.open.remove(&id) else { return Ok(None) };
        member.check_place(size)?;
        member.unpacker.finish().map_err(|error| error.at_path(&member.path))?;
        Ok(Some(member.unpacker.plain_bytes()))
    }
}

impl Open {
    fn check_place(&self, offset: u64) -> Result<()> {
        check_place(&self.path, self.stored, offset)
    }
}

/// Stored bytes of a member, of which there were `stored`, come one after the other, without holes.
pub(crate) fn check_place(path: &MemberPath, stored: u64, offset: u64) -> Result<()> {
    if offset == stored {
        return Ok(());
    }
    let message =
        format!("a compressed or encrypted member goes on at byte {offset}, not at {stored}");
    Err(Error::new(ErrorKind::Format, message).at_path(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> MemberPath {
        MemberPath::new(name.as_bytes()).unwrap()
    }

    fn decided(decoding: &Decoding, name: &str, said: Option<Coded>) -> (usize, String) {
        match decoding.of(&path(name), said).unwrap() {
            Some(layers) => (layers.codecs.len(), layers.path.to_string()),
            None => (0, name.to_owned()),
        }
    }

    const PLAIN: Option<Coded> = Some(Coded { compressed: false, encrypted: false });
    const COMPRESSED: Option<Coded> = Some(Coded { compressed: true, encrypted: false });
    const ENCRYPTED: Option<Coded> = Some(Coded { compressed: false, encrypted: true });
    const BOTH: Option<Coded> = Some(Coded { compressed: true, encrypted: true });

    #[test]
    fn names_count_where_the_stream_says_nothing() {
        let all = Decoding::default();
        let no_key = Decoding { decrypt: false, ..Decoding::default() };
        let keep = Decoding { decompress: false, ..Decoding::default() };
        for (decoding, name, said, layers, plain) in [
            (&all, "t.ibd.zst", None, 1, "t.ibd"),
            (&all, "t.ibd.zst", COMPRESSED, 1, "t.ibd"),
            (&all, "dump.sql.zst", PLAIN, 0, "dump.sql.zst"),
            (&all, "dump.sql.gz", None, 0, "dump.sql.gz"),
            (&all, "dump.sql.gz.zst", COMPRESSED, 1, "dump.sql.gz"),
            (&all, "dump.sql.gz.xbcrypt", None, 1, "dump.sql.gz"),
            (&all, "dump.sql.gz.xbcrypt", ENCRYPTED, 1, "dump.sql.gz"),
            (&all, "t.ibd.gz.xbcrypt", BOTH, 2, "t.ibd"),
            (&all, "t.ibd.qp.xbcrypt", None, 2, "t.ibd"),
            (&no_key, "t.ibd.qp.xbcrypt", None, 0, "t.ibd.qp.xbcrypt"),
            (&no_key, "t.ibd.qp", None, 1, "t.ibd"),
            (&keep, "t.ibd.qp.xbcrypt", None, 1, "t.ibd.qp"),
            (&keep, "t.ibd.qp", None, 0, "t.ibd.qp"),
        ] {
            assert_eq!(
                decided(decoding, name, said),
                (layers, plain.to_owned()),
                "{name} {said:?}"
            );
        }
        for (name, said) in [("t.new", COMPRESSED), ("t.qp", ENCRYPTED), ("t.xbcrypt", BOTH)] {
            let error = all.of(&path(name), said).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}");
        }
    }
}
