//! MySQL's page compression, undone.
//!
//! | bytes | of a page of type 14 |
//! |---|---|
//! | 26 | version, 1 or 2: the server reads no other |
//! | 27 | algorithm: 1 zlib, 2 LZ4 (one block without a frame) |
//! | 28..30 | the page's own type |
//! | 30..32 | bytes behind the header, unpacked |
//! | 32..34 | bytes behind the header, packed |
//! | 38.. | packed bytes |

use flate2::{Decompress, FlushDecompress, Status};

use super::be16;
use crate::pages::{Fault, What};

/// Bytes of a page's header, which is never packed.
const HEADER: usize = 38;

/// Versions that a server unpacks.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=2;

const ZLIB: u8 = 1;
const LZ4: u8 = 2;

/// Unpacks `page` into `plain`, which is as long.
pub(super) fn unpack(page: &[u8], plain: &mut [u8]) -> Result<(), Fault> {
    let (version, algorithm) = match page.get(26..28) {
        Some(&[version, algorithm]) => (version, algorithm),
        _ => (0, 0),
    };
    let unpacked = usize::from(be16(page, 30));
    let packed = usize::from(be16(page, 32));
    let room = page.len().saturating_sub(HEADER);
    // With pages of 64 KiB, all that is behind the header still fits the field.
    if unpacked != room {
        return Err(length(unpacked, room));
    }
    let data = page.get(HEADER..HEADER + packed).ok_or_else(|| length(packed, room))?;
    let (Some(header), Some((plain_header, body))) =
        (page.get(..HEADER), plain.split_at_mut_checked(HEADER))
    else {
        return Err(length(page.len(), HEADER));
    };
    plain_header.copy_from_slice(header);
    if let (Some(to), Some(from)) = (plain_header.get_mut(24..26), header.get(28..30)) {
        to.copy_from_slice(from);
    }
    if let Some(control) = plain_header.get_mut(26..34) {
        control.fill(0);
    }
    let len = match algorithm {
        _ if !VERSIONS.contains(&version) => None,
        ZLIB => inflate(data, body),
        LZ4 => lz4_flex::block::decompress_into(data, body).ok(),
        _ => None,
    };
    if len == Some(body.len()) {
        return Ok(());
    }
    let computed = u32::try_from(room).unwrap_or(u32::MAX);
    Err(Fault { what: What::Unpack, stored: u32::from(algorithm), computed })
}

fn inflate(data: &[u8], body: &mut [u8]) -> Option<usize> {
    let mut inflater = Decompress::new(true);
    match inflater.decompress(data, body, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) if inflater.total_in() == data.len() as u64 => {
            usize::try_from(inflater.total_out()).ok()
        }
        _ => None,
    }
}

fn length(stored: usize, room: usize) -> Fault {
    let number = |len| u32::try_from(len).unwrap_or(u32::MAX);
    Fault { what: What::Length, stored: number(stored), computed: number(room) }
}
