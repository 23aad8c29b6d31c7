//! The layers of the members that one thread writes.

use std::collections::HashMap;
use std::sync::Arc;

use super::units::{Decoders, Peeler};
use crate::codec::stack::Growth;
use crate::error::Result;
use crate::format::member::{MemberId, MemberPath};
use crate::io::unpack::{Decoding, Layers, check_place};

/// Members of one thread whose layers are being taken off.
pub(super) struct Peelers<'d> {
    growth: Growth,
    decoders: Arc<Decoders<'d>>,
    open: HashMap<MemberId, Open<'d>>,
    /// The one member of which parts may be with the decoders.
    active: Option<MemberId>,
}

struct Open<'d> {
    peeler: Peeler<'d>,
    path: MemberPath,
    /// Stored bytes so far.
    stored: u64,
}

/// Takes plain bytes of a member with their place.
type Write<'w> = &'w mut dyn FnMut(MemberId, u64, &[u8]) -> Result<()>;

impl<'d> Peelers<'d> {
    pub(super) fn new(decoding: &'d Decoding, decoders: Arc<Decoders<'d>>) -> Self {
        Self { growth: decoding.growth, decoders, open: HashMap::new(), active: None }
    }

    pub(super) fn open(&mut self, id: MemberId, layers: &Layers) -> Result<()> {
        let peeler = Peeler::new(&layers.codecs, self.growth, &self.decoders)?;
        self.open.insert(id, Open { peeler, path: layers.path.clone(), stored: 0 });
        Ok(())
    }

    /// Takes stored bytes of a member, and hands plain ones to `write`, some of them later: in
    /// [`Peelers::rest`], or with the next calls. `false`: the member has no layers.
    pub(super) fn data(
        &mut self,
        id: MemberId,
        offset: u64,
        bytes: &[u8],
        write: Write<'_>,
    ) -> Result<bool> {
        if !self.open.contains_key(&id) {
            return Ok(false);
        }
        if self.active != Some(id) {
            self.rest(write)?;
            self.active = Some(id);
        }
        let Some(member) = self.open.get_mut(&id) else { return Ok(false) };
        check_place(&member.path, member.stored, offset)?;
        member.stored += bytes.len() as u64;
        member.peel(id, write, |peeler, sink| peeler.push(bytes, sink)).map(|()| true)
    }

    /// Waits for what is with the decoders.
    pub(super) fn rest(&mut self, write: Write<'_>) -> Result<()> {
        let Some(id) = self.active.take() else { return Ok(()) };
        let Some(member) = self.open.get_mut(&id) else { return Ok(()) };
        member.peel(id, write, Peeler::rest)
    }

    /// Ends a member of `size` stored bytes. Gives its plain size, if it has layers.
    pub(super) fn close(
        &mut self,
        id: MemberId,
        size: u64,
        write: Write<'_>,
    ) -> Result<Option<u64>> {
        let Some(member) = self.open.get_mut(&id) else { return Ok(None) };
        check_place(&member.path, member.stored, size)?;
        member.peel(id, write, Peeler::finish)?;
        let plain = member.peeler.plain_bytes();
        self.open.remove(&id);
        Ok(Some(plain))
    }

    /// What was accepted of a member though a format does not allow it.
    pub(super) fn warning(&mut self, id: MemberId) -> Option<&'static str> {
        self.open.get_mut(&id)?.peeler.warning()
    }
}

impl<'d> Open<'d> {
    /// Does something that gives plain bytes.
    fn peel(
        &mut self,
        id: MemberId,
        write: Write<'_>,
        what: impl FnOnce(&mut Peeler<'d>, &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let mut at = self.peeler.plain_bytes();
        let peeled = what(&mut self.peeler, &mut |plain| {
            write(id, at, plain)?;
            at += plain.len() as u64;
            Ok(())
        });
        peeled.map_err(|error| error.at_path(&self.path))
    }
}
