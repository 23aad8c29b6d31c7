//! Memory: what a header announces is not allocated, only what arrives.

#![expect(unsafe_code, reason = "a global allocator that counts is `unsafe` by its trait")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::build::Chunks;
use xbkit::format::xbstream::{Decoder, Item};
use xbkit::{Error, ErrorKind};

/// Counts what each thread asks for.
struct Counting;

thread_local! {
    /// Bytes asked for, in sum.
    static ASKED: Cell<u64> = const { Cell::new(0) };
    /// Bytes given back, in sum.
    static FREED: Cell<u64> = const { Cell::new(0) };
}

fn count(to: &'static std::thread::LocalKey<Cell<u64>>, bytes: usize) {
    // A thread that ends has no counter any more, and nothing to measure.
    let _ = to.try_with(|all| all.set(all.get() + bytes as u64));
}

// SAFETY: every call goes to `System` as it came; counting touches no memory that it manages.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(&ASKED, layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(&ASKED, layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(&ASKED, size);
        count(&FREED, layout.size());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(ptr, layout, size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(&FREED, layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a decoder of a stream in pieces asks for, what it holds at the end, and how it ends.
struct Cost {
    asked: u64,
    held: u64,
    end: Option<ErrorKind>,
}

fn cost(stream: &[u8], piece: usize) -> Cost {
    let (asked, freed) = (ASKED.get(), FREED.get());
    let mut decoder = Decoder::new();
    let result = stream.chunks(piece).try_for_each(|mut input| {
        loop {
            let step = decoder.decode(input)?;
            input = &input[step.consumed..];
            if step.item.is_none() {
                return Ok(());
            }
        }
    });
    let held = (ASKED.get() - asked) - (FREED.get() - freed);
    let end = result.and_then(|()| decoder.finish()).err().map(|error: Error| error.kind());
    Cost { asked: ASKED.get() - asked, held, end }
}

#[test]
fn the_counter_counts() {
    let before = ASKED.get();
    drop(std::hint::black_box(vec![0u8; 1 << 20]));
    assert!(ASKED.get() - before >= 1 << 20);
}

/// 64 KiB: a header, its path, an open member, and an error's text are all that there is to hold.
const LIMIT: u64 = 64 << 10;

fn header_of_payload(flags: u8, letter: u8, len: u64) -> Vec<u8> {
    let body = [&len.to_le_bytes()[..], &[0; 12], b"what is there"].concat();
    Chunks::default().chunk(flags, letter, b"a", &body).0
}

fn header_of_sparse(entries: u32, len: u64) -> Vec<u8> {
    let body =
        [&entries.to_le_bytes()[..], &len.to_le_bytes(), &[0; 12], b"what is there"].concat();
    Chunks::default().chunk(0, b'S', b"a", &body).0
}

#[test]
fn announced_lengths_are_not_allocated() {
    use ErrorKind::{Limit, Truncated};
    let path = |len: u32| [&b"XBSTCK01\0E"[..], &len.to_le_bytes(), &[b'p'; 600]].concat();
    let to = Chunks::default().end(b"a").chunk(0, b'R', b"a", &[0xff; 600]).0;
    let hostile = [
        ("a payload of 2^48 bytes", header_of_payload(0, b'P', 1 << 48), Truncated),
        ("a payload of 2^63 bytes", header_of_payload(0, b'P', 1 << 63), Limit),
        ("a skipped payload of 2^64 - 1 bytes", header_of_payload(1, b'Z', u64::MAX), Truncated),
        ("a map of 2^20 entries", header_of_sparse(1 << 20, 1 << 40), Truncated),
        ("a map of 2^32 - 1 entries", header_of_sparse(u32::MAX, 1 << 40), Limit),
        ("a sparse payload of 2^64 - 1 bytes", header_of_sparse(2, u64::MAX), Truncated),
        ("a path of 2^32 - 1 bytes", path(u32::MAX), Limit),
        ("a path of 512 bytes", path(512), Limit),
        ("a new path of 2^32 - 1 bytes", to, Limit),
    ];
    for (what, stream, kind) in hostile {
        for piece in [1, stream.len()] {
            let Cost { asked, end, .. } = cost(&stream, piece);
            assert_eq!(end, Some(kind), "{what}");
            assert!(asked < LIMIT, "{what} allocates {asked} bytes");
        }
    }
}

/// A map costs its own bytes, twice over while its memory doubles, and again no payload.
#[test]
fn a_map_costs_what_has_arrived_of_it() {
    let header = header_of_sparse(1 << 20, 0);
    let header = &header[..header.len() - b"what is there".len()];
    for entries in [100, 10_000, 1_000_000] {
        let stream = [header, &vec![0; entries * 8]].concat();
        let Cost { asked, held, end } = cost(&stream, 4096);
        assert_eq!(end, Some(ErrorKind::Truncated));
        let own = 8 * entries as u64;
        assert!(held < LIMIT + 2 * own, "{entries} entries hold {held} bytes");
        assert!(asked < LIMIT + 4 * own, "{entries} entries ask for {asked} bytes");
    }
}

/// 65,537 holes of 4 GiB are 256 TiB and a bit: refused by their sum, not by an item each.
#[test]
fn holes_are_summed_before_they_are_made() {
    let map = vec![(u32::MAX, 0); (1 << 16) + 1];
    for (holes, refused) in [(1 << 16, false), ((1 << 16) + 1, true)] {
        let stream = Chunks::default().sparse(b"s", 0, &map[..holes], b"").end(b"s").0;
        let mut decoder = Decoder::new();
        let first = decoder.decode(&stream).unwrap();
        assert!(matches!(first.item, Some(Item::Open { .. })));
        let second = decoder.decode(&stream[first.consumed..]);
        let error = second.as_ref().map(|_| ()).map_err(Error::kind);
        assert_eq!(error, if refused { Err(ErrorKind::Limit) } else { Ok(()) });
    }
}

/// Memory for payloads does not grow with them: a decoder holds none.
#[test]
fn payloads_are_not_held() {
    let payload = vec![7; 4 << 20];
    let stream = Chunks::default().file(b"a", &payload).0;
    let Cost { asked, end, .. } = cost(&stream, 1 << 16);
    assert_eq!(end, None);
    assert!(asked < LIMIT, "{asked} bytes for a payload of {}", payload.len());
}

/// What the documentation of `Decoder` says: about 150 bytes and the path for each open member,
/// and about 30 for each closed one. 60,000 is a bad number for tables that double: half empty.
#[test]
fn members_cost_what_is_documented() {
    const MEMBERS: u64 = 60_000;
    let name = |number: u64| format!("database/table{number:06}.ibd").into_bytes();
    let open = (0..MEMBERS).fold(Chunks::default(), |all, n| all.payload(&name(n), 0, b""));
    let Cost { held, end, .. } = cost(&open.0, 1 << 16);
    assert_eq!(end, Some(ErrorKind::Truncated));
    let each = held / MEMBERS;
    assert!(each < 150 + name(0).len() as u64, "an open member costs {each} bytes");
    let closed = (0..MEMBERS).fold(Chunks::default(), |all, n| all.end(&name(n)));
    let Cost { held, end, .. } = cost(&closed.0, 1 << 16);
    assert_eq!(end, None);
    assert!(held / MEMBERS < 40, "a closed member costs {} bytes", held / MEMBERS);
}
