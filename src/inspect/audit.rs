//! Pages of tablespaces, checked as their members pass.

use std::collections::HashMap;

use crate::codec::stack::layers_of;
use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::Item;
use crate::innodb::page::{TablespaceChecker, role_of};
use crate::io::pulse::Pulse;
use crate::limits;
use crate::pages::{BadPage, FileCheck, Tally};

/// Watches a stream's items.
#[derive(Default)]
pub(super) struct PageAudit {
    open: HashMap<MemberId, Audit>,
    tally: Tally,
    /// The first damaged page.
    first: Option<String>,
    /// Tablespaces that are compressed or encrypted in the stream.
    coded: u64,
}

struct Audit {
    path: MemberPath,
    checker: TablespaceChecker,
}

impl PageAudit {
    /// Sees the next item of the stream.
    pub(super) fn see(&mut self, item: &Item<'_>, pulse: &Pulse<'_>) -> Result<()> {
        match item {
            Item::Open { id, path, .. } => self.begin(*id, path),
            Item::Data { id, offset, bytes } => {
                let Some(audit) = self.open.get_mut(id) else { return Ok(()) };
                let mut found = Vec::new();
                audit.checker.feed_at(*offset, bytes, &mut |page| found.push(*page));
                let path = audit.path.clone();
                return self.tell(&path, &found, pulse);
            }
            // Holes are what no data covers.
            Item::Close { id, path, size } => return self.end(*id, path, *size, pulse),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, id: MemberId, path: &MemberPath) {
        let Some(role) = role_of(path.as_bytes()) else {
            let (layers, plain) = layers_of(path.as_bytes());
            self.coded += u64::from(!layers.is_empty() && role_of(plain).is_some());
            return;
        };
        if self.open.len() < limits::AUDITED_MEMBERS {
            let checker = TablespaceChecker::new(role);
            self.open.insert(id, Audit { path: path.clone(), checker });
        }
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
        let (file, _) = audit.checker.finish_at(size, &mut |page| found.push(*page));
        self.tell(path, &found, pulse)?;
        self.count(path, &file, pulse)
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
                "{count} tablespaces are compressed or encrypted in the stream, so their pages \
                 were not checked"
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
