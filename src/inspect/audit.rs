//! Pages of tablespaces, checked as their members pass.

use std::collections::HashMap;

use crate::codec::stack::Codec;
use crate::codec::stack::layers_of;
use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::format::any::AnyDecoder;
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::{Coded, Item};
use crate::innodb::page::{TablespaceChecker, role_of};
use crate::io::pulse::Pulse;
use crate::io::unpack::{Decoding, Unpackers};
use crate::limits;
use crate::pages::{BadPage, FileCheck, Tally};

/// Watches a stream's items.
pub(super) struct PageAudit<'d> {
    decoding: &'d Decoding,
    unpackers: Unpackers<'d>,
    open: HashMap<MemberId, Audit>,
    tally: Tally,
    /// The first damaged page.
    first: Option<String>,
    /// Tablespaces whose layers could not be taken off.
    coded: u64,
}

struct Audit {
    path: MemberPath,
    checker: TablespaceChecker,
}

impl<'d> PageAudit<'d> {
    /// An audit that takes layers off by this.
    pub(super) fn new(decoding: &'d Decoding) -> Self {
        let (unpackers, open) = (Unpackers::new(decoding), HashMap::new());
        Self { decoding, unpackers, open, tally: Tally::default(), first: None, coded: 0 }
    }

    /// Sees the next item of the stream.
    pub(super) fn see(
        &mut self,
        item: &Item<'_>,
        decoder: &AnyDecoder,
        pulse: &Pulse<'_>,
    ) -> Result<()> {
        match item {
            Item::Open { id, path, .. } => return self.begin(*id, path, decoder.opens_coded()),
            Item::Data { id, offset, bytes } => {
                let Some(audit) = self.open.get_mut(id) else { return Ok(()) };
                let (mut found, checker) = (Vec::new(), &mut audit.checker);
                let is_coded = self.unpackers.data(*id, *offset, bytes, &mut |at, plain| {
                    checker.feed_at(at, plain, &mut |page| found.push(*page));
                    Ok(())
                })?;
                if !is_coded {
                    checker.feed_at(*offset, bytes, &mut |page| found.push(*page));
                }
                let path = audit.path.clone();
                return self.tell(&path, &found, pulse);
            }
            // Holes are what no data covers.
            Item::Close { id, path, size } => return self.end(*id, path, *size, pulse),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, id: MemberId, path: &MemberPath, said: Option<Coded>) -> Result<()> {
        let has_room = self.open.len() < limits::AUDITED_MEMBERS;
        if let Some(role) = role_of(path.as_bytes()) {
            if has_room {
                let checker = TablespaceChecker::new(role);
                self.open.insert(id, Audit { path: path.clone(), checker });
            }
            return Ok(());
        }
        let (named, plain) = layers_of(path.as_bytes());
        let Some(role) = role_of(plain).filter(|_| !named.is_empty()) else { return Ok(()) };
        let layers = self.decoding.of(path, said).unwrap_or_default();
        let layers = layers.filter(|layers| layers.path.as_bytes() == plain && has_room);
        let lacks_key = named.contains(&Codec::Xbcrypt) && self.decoding.key.is_none();
        let Some(layers) = layers.filter(|_| !lacks_key) else {
            self.coded += 1;
            return Ok(());
        };
        self.unpackers.open(id, &layers)?;
        self.open.insert(id, Audit { path: layers.path, checker: TablespaceChecker::new(role) });
        Ok(())
    }

    fn end(&mut self, id: MemberId, path: &MemberPath, size: u64, pulse: &Pulse<'_>) -> Result<()> {
        let Some(audit) = self.open.remove(&id) else {
            if role_of(path.as_bytes()).is_some() {
                let (checker, mut ignored) = (TablespaceChecker::disordered(), |_: &BadPage| ());
                let (file, _) = checker.finish_at(size, &mut ignored);
                return self.count(path, &file, pulse);
            }
            return Ok(());
        };
        let mut found = Vec::new();
        let size = self.unpackers.close(id, size)?.unwrap_or(size);
        let (file, _) = audit.checker.finish_at(size, &mut |page| found.push(*page));
        self.tell(&audit.path, &found, pulse)?;
        self.count(&audit.path, &file, pulse)
    }

    fn tell(&mut self, path: &MemberPath, found: &[BadPage], pulse: &Pulse<'_>) -> Result<()> {
        for page in found {
            let name = || format!("{}: {page}", escape_path(path.as_path()));
            self.first.get_or_insert_with(name);
            pulse.bad_page(path.as_path(), page)?;
        }
        Ok(())
    }

    fn count(&mut self, path: &MemberPath, file: &FileCheck, pulse: &Pulse<'_>) -> Result<()> {
        self.tally.add(&file.tally);
        pulse.file_checked(path.as_path(), file)
    }

    /// The stream ended well. Fails if a page is damaged.
    pub(super) fn finish(self, pulse: &Pulse<'_>) -> Result<Tally> {
        if self.coded > 0 {
            let count = self.coded;
            pulse.warn(&format!(
                "{count} tablespaces are encrypted in the stream, and no key is given, or are \
                 compressed in a way that the stream does not tell: their pages were not checked"
            ))?;
        }
        let Some(first) = self.first else { return Ok(self.tally) };
        let (bad, pages) = (self.tally.bad, self.tally.pages);
        let message = format!("{bad} of {pages} pages are damaged; the first: {first}");
        Err(Error::new(ErrorKind::PageCorrupt, message)
            .hint("the stream holds what its writer read; take the backup again"))
    }
}

// What is held of all open members together stays below this.
const _: () = assert!(limits::AUDITED_MEMBERS * (256 << 10) <= 64 << 20);
