//! Hashing members on the thread that writes them.

use super::packer::{Ended, Parcel};

/// Hashes what a single reader left unhashed, as its parcels come: one member after the other.
#[derive(Default)]
pub(super) struct MemberDigest {
    hasher: blake3::Hasher,
    /// Whether the hasher has seen bytes of the member that is open.
    begun: bool,
}

impl MemberDigest {
    /// Takes note of a parcel, and gives the members that end in it the hashes they lack.
    pub(super) fn see(&mut self, parcel: &mut Parcel) {
        let mut ended = std::mem::take(&mut parcel.ended);
        self.hash(parcel, &mut ended);
        parcel.ended = ended;
    }

    fn hash(&mut self, parcel: &Parcel, ended: &mut [Ended]) {
        let mut open = ended.iter_mut().filter(|member| member.hash.is_none()).peekable();
        let mut payloads = parcel.unhashed().peekable();
        while let Some((begin, bytes)) = payloads.next() {
            while let Some(member) = open.next_if(|member| member.at <= begin) {
                member.hash = Some(self.finish());
            }
            // A member that is all here needs no hasher, which is cheaper.
            let next = payloads.peek().map_or(usize::MAX, |(begin, _)| *begin);
            match open.next_if(|member| !self.begun && member.at <= next) {
                Some(member) => member.hash = Some(blake3::hash(bytes)),
                None => self.update(bytes),
            }
        }
        for member in open {
            member.hash = Some(self.finish());
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.begun = true;
    }

    fn finish(&mut self) -> blake3::Hash {
        if !std::mem::take(&mut self.begun) {
            return blake3::hash(&[]);
        }
        let hash = self.hasher.finalize();
        self.hasher.reset();
        hash
    }
}
