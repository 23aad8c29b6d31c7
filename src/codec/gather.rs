//! Collecting the parts of a format that pieces of input cut anywhere.

/// Bytes wanted as one slice, and what came of them.
#[derive(Debug, Default)]
pub(super) struct Gather {
    held: Vec<u8>,
    /// Whether what [`Gather::take`] gave last was held here.
    given: bool,
    /// Bytes given so far: where in the stored data the next ones begin.
    at: u64,
}

impl Gather {
    /// For data that begin at byte `at` of all.
    pub(super) fn behind(at: u64) -> Self {
        Self { at, ..Self::default() }
    }

    /// The next `len` bytes, if they are there: straight from `input` where it has them all.
    /// Otherwise takes all of `input`. Memory grows with the bytes that come, not with `len`.
    pub(super) fn take<'b, 'i: 'b>(
        &'b mut self,
        input: &mut &'i [u8],
        len: usize,
    ) -> Option<&'b [u8]> {
        if std::mem::take(&mut self.given) {
            self.held.clear();
        }
        if self.held.is_empty()
            && let Some((whole, rest)) = input.split_at_checked(len)
        {
            *input = rest;
            self.at += len as u64;
            return Some(whole);
        }
        let missing = len.saturating_sub(self.held.len());
        let (more, rest) = input.split_at(missing.min(input.len()));
        self.held.extend_from_slice(more);
        *input = rest;
        if self.held.len() < len {
            return None;
        }
        self.given = true;
        self.at += len as u64;
        Some(&self.held)
    }

    /// As many of the next `len` bytes as there are in `input` (nothing may be held).
    pub(super) fn take_some<'i>(&mut self, input: &mut &'i [u8], len: usize) -> &'i [u8] {
        let (some, rest) = input.split_at(len.min(input.len()));
        *input = rest;
        self.at += some.len() as u64;
        some
    }

    /// Where in the stored data the next bytes begin.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether bytes are held that were not given yet.
    pub(super) fn is_empty(&self) -> bool {
        self.given || self.held.is_empty()
    }

    /// Frees what a large part needed.
    pub(super) fn shrink(&mut self, most: usize) {
        if self.given && self.held.capacity() > most {
            self.held = Vec::new();
            self.given = false;
        }
    }
}
