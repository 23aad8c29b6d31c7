//! Any tree, written in any way, is read back as it was: names, contents, write sizes, the order
//! of chunks of open members, holes, seeks, rewrites, renames and removes, and any input pieces.
//!
//! A strategy draws a script; the script is run on a plain model of files and on the encoder at
//! once, so the expected files never pass through the code that is tested.

#![expect(clippy::cast_possible_truncation, reason = "the lengths are drawn small")]

mod common;

use std::collections::BTreeMap;

use common::build::Chunks;
use common::chunks::{Kind, chunks};
use common::reference;
use common::tree::{Content, Files, decode, decode_whole};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// What a writer does next. Members are chosen by [`Index`] among those that are there.
#[derive(Clone, Debug)]
enum Act {
    Write { member: Index, bytes: Vec<u8> },
    Sparse { member: Index, runs: Vec<(u16, Vec<u8>)> },
    Seek { member: Index, to: u16, bytes: Vec<u8> },
    SeekOnly { member: Index, to: u64 },
    Close { member: Index },
    Skipped { letter: u8, path: Vec<u8>, bytes: Vec<u8> },
    Rename { member: Index, to: Index },
    Remove { member: Index },
    Rewrite { member: Index, bytes: Vec<u8> },
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        1 => vec(any::<u8>(), 500..1500),
        1 => (1usize..3000).prop_map(|len| vec![0; len]),
        1 => Just(b"XBSTCK01\0E\x01\0\0\0a".to_vec()),
    ]
}

/// One component of a path: any bytes but NUL and slash, and not a name of a directory itself.
fn component() -> impl Strategy<Value = Vec<u8>> {
    let any = vec(any::<u8>().prop_filter("no NUL, no slash", |b| !matches!(b, 0 | b'/')), 1..12);
    let control = vec(prop_oneof![1u8..32, Just(127u8), 0x80u8..0xa0], 1..6);
    let long = (1usize..=255).prop_map(|len| vec![b'n'; len]);
    let dots = prop_oneof![Just(b"...".to_vec()), Just(b"..x".to_vec()), Just(b".x".to_vec())];
    prop_oneof![5 => any, 2 => control, 2 => "[a-c]".prop_map(String::into_bytes), 1 => long, 1 => dots]
        .prop_filter("a name", |name| name != b"." && name != b"..")
}

/// A path of 1 to 511 bytes.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let nested = vec(component(), 1..5).prop_map(|components| components.join(&b'/'));
    let longest = Just([&[b'd'; 255][..], b"/", &[b'e'; 253], b"/f"].concat());
    prop_oneof![12 => nested, 1 => longest]
        .prop_filter("at most 511 bytes", |path| path.len() <= 511)
}

fn paths() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(path(), 1..8).prop_map(|mut paths| {
        paths.sort();
        paths.dedup();
        paths
    })
}

fn act() -> impl Strategy<Value = Act> {
    let member = any::<Index>;
    prop_oneof![
        8 => (member(), bytes()).prop_map(|(member, bytes)| Act::Write { member, bytes }),
        3 => (member(), vec((any::<u16>(), vec(any::<u8>(), 0..20)), 1..6))
            .prop_map(|(member, runs)| Act::Sparse { member, runs }),
        3 => (member(), any::<u16>(), bytes())
            .prop_map(|(member, to, bytes)| Act::Seek { member, to, bytes }),
        1 => (member(), 0..=1u64 << 48).prop_map(|(member, to)| Act::SeekOnly { member, to }),
        4 => member().prop_map(|member| Act::Close { member }),
        1 => (prop_oneof![Just(b'Z'), Just(0u8), Just(0xffu8)], path(), bytes())
            .prop_map(|(letter, path, bytes)| Act::Skipped { letter, path, bytes }),
        2 => (member(), member()).prop_map(|(member, to)| Act::Rename { member, to }),
        1 => member().prop_map(|member| Act::Remove { member }),
        2 => (member(), bytes()).prop_map(|(member, bytes)| Act::Rewrite { member, bytes }),
    ]
}

/// Runs a script on files as plain vectors of bytes, and writes it down as a stream.
#[derive(Default)]
struct Writer {
    stream: Chunks,
    /// Names that were never used.
    unused: Vec<Vec<u8>>,
    /// Open members: bytes, and where the next chunk goes.
    open: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
    closed: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Writer {
    fn new(unused: Vec<Vec<u8>>) -> Self {
        Self { unused, ..Self::default() }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Write { member, bytes } => self.write(member, &bytes),
            Act::Sparse { member, runs } => self.sparse(member, &runs),
            Act::Seek { member, to, bytes } => {
                let Some(path) = self.open_one(member) else { return };
                self.seek(&path, u64::from(to));
                self.put(&path, &bytes);
            }
            Act::SeekOnly { member, to } => {
                let Some(path) = self.open_one(member) else { return };
                self.seek(&path, to);
            }
            Act::Close { member } => {
                let Some(path) = self.open_one(member) else { return };
                self.close(&path);
            }
            Act::Skipped { letter, path, bytes } => {
                self.stream = self.take().like_payload(1, letter, &path, &bytes);
            }
            Act::Rename { member, to } => self.rename(member, to),
            Act::Remove { member } => {
                let Some(path) = self.closed_one(member) else { return };
                self.closed.remove(&path);
                self.stream = self.take().remove(&path);
                self.unused.push(path);
            }
            Act::Rewrite { member, bytes } => {
                let Some(path) = self.closed_one(member) else { return };
                self.closed.remove(&path);
                self.stream = self.take().rewrite(&path, &bytes);
                self.open.insert(path, (bytes.clone(), bytes.len() as u64));
            }
        }
    }

    fn take(&mut self) -> Chunks {
        std::mem::take(&mut self.stream)
    }

    /// A member to write to: one that is open, or a new one.
    fn open_one(&mut self, member: Index) -> Option<Vec<u8>> {
        let choice = member.index((self.open.len() + self.unused.len()).max(1));
        if let Some(path) = self.open.keys().nth(choice) {
            return Some(path.clone());
        }
        let path = self.unused.pop()?;
        self.open.insert(path.clone(), (Vec::new(), 0));
        Some(path)
    }

    fn closed_one(&self, member: Index) -> Option<Vec<u8>> {
        let choice = member.index(self.closed.len().max(1));
        self.closed.keys().nth(choice).cloned()
    }

    fn write(&mut self, member: Index, bytes: &[u8]) {
        let Some(path) = self.open_one(member) else { return };
        let (file, next) = &self.open[&path];
        // Behind a far seek a plain vector would be too large.
        if *next <= file.len().max(1 << 17) as u64 {
            self.put(&path, bytes);
        }
    }

    fn put(&mut self, path: &[u8], bytes: &[u8]) {
        let Some((file, next)) = self.open.get_mut(path) else { return };
        let begin = *next;
        overwrite(file, begin, bytes);
        *next += bytes.len() as u64;
        self.stream = self.take().payload(path, begin, bytes);
    }

    fn seek(&mut self, path: &[u8], to: u64) {
        if let Some((_, next)) = self.open.get_mut(path) {
            *next = to;
        }
        self.stream = self.take().seek(path, to);
    }

    fn sparse(&mut self, member: Index, runs: &[(u16, Vec<u8>)]) {
        let Some(path) = self.open_one(member) else { return };
        let Some((file, next)) = self.open.get_mut(&path) else { return };
        let begin = *next;
        if begin < file.len() as u64 || begin > 1 << 17 {
            return;
        }
        let mut at = begin;
        for (skip, bytes) in runs {
            at += u64::from(*skip);
            overwrite(file, at, bytes);
            at += bytes.len() as u64;
        }
        if at > begin {
            file.resize(at as usize, 0);
        }
        *next = at;
        let map: Vec<_> =
            runs.iter().map(|(skip, bytes)| (u32::from(*skip), bytes.len() as u32)).collect();
        let payload: Vec<u8> = runs.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        self.stream = self.take().sparse(&path, begin, &map, &payload);
    }

    fn close(&mut self, path: &[u8]) {
        let Some((file, _)) = self.open.remove(path) else { return };
        self.closed.insert(path.to_vec(), file);
        self.stream = self.take().end(path);
    }

    /// To another closed member's name, which it replaces, or to a new one.
    fn rename(&mut self, member: Index, to: Index) {
        let Some(from) = self.closed_one(member) else { return };
        let choice = to.index(self.closed.len() + self.unused.len());
        let to = match self.closed.keys().nth(choice) {
            Some(path) => path.clone(),
            None => self.unused.pop().unwrap_or_else(|| from.clone()),
        };
        self.stream = self.take().rename(&from, &to);
        if from != to {
            let file = self.closed.remove(&from).unwrap_or_default();
            self.closed.insert(to, file);
            self.unused.push(from);
        }
    }

    /// The stream, with all members closed, and the files that it must make.
    fn finish(mut self) -> (Vec<u8>, Files) {
        let open: Vec<_> = self.open.keys().cloned().collect();
        for path in open {
            self.close(&path);
        }
        let files = self.closed.into_iter();
        (self.stream.0, files.map(|(path, bytes)| (path, Content::from(&*bytes))).collect())
    }
}

fn overwrite(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let (begin, end) = (at as usize, at as usize + bytes.len());
    if file.len() < end {
        file.resize(end, 0);
    }
    file[begin..end].copy_from_slice(bytes);
}

/// Four times as many cases as usual (`PROPTEST_CASES` counts in fours): they are small.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases * 4, failure_persistence: None, ..usual }
}

/// What the strategies draw is not all of one kind.
#[test]
fn scripts_hold_every_kind_of_chunk() {
    let mut runner = TestRunner::deterministic();
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut most_open = 0;
    for _ in 0..100 {
        let script = (paths(), vec(act(), 40)).new_tree(&mut runner).unwrap().current();
        let mut writer = Writer::new(script.0);
        for act in script.1 {
            writer.act(act);
            most_open = most_open.max(writer.open.len());
        }
        let (stream, _) = writer.finish();
        for chunk in chunks(&stream) {
            *kinds.entry(chunk.kind.unwrap()).or_default() += 1;
        }
    }
    assert!(kinds.len() == 7 && kinds.values().all(|count| *count >= 20), "{kinds:?}");
    assert!(most_open >= 4, "{most_open}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_was_written_is_read(
        paths in paths(),
        acts in vec(act(), 0..40),
        pieces in vec(0usize..200, 1..8),
    ) {
        let mut writer = Writer::new(paths);
        for act in acts {
            writer.act(act);
        }
        let (stream, expected) = writer.finish();
        prop_assume!(!stream.is_empty());

        let whole = decode_whole(&stream);
        prop_assert!(whole.result.is_ok(), "{:?}", whole.result);
        prop_assert_eq!(&whole.files, &expected);
        let mut pieces = pieces.into_iter().chain([1]).cycle();
        let in_pieces = decode(&stream, || pieces.next().unwrap_or(1));
        prop_assert_eq!(in_pieces.verdict(), whole.verdict());
        prop_assert_eq!(reference::read(&stream), Ok(expected));
    }

    /// Damage that may hit anywhere, in streams that no one thought of.
    #[test]
    fn damage_is_judged_like_the_reference_does(
        paths in paths(),
        acts in vec(act(), 1..20),
        at in any::<Index>(),
        change in prop_oneof![
            (1u8..=255).prop_map(Some), Just(None),
        ],
    ) {
        let mut writer = Writer::new(paths);
        for act in acts {
            writer.act(act);
        }
        let (mut stream, _) = writer.finish();
        prop_assume!(!stream.is_empty());
        let at = at.index(stream.len());
        match change {
            Some(mask) => stream[at] ^= mask,
            None => stream.truncate(at),
        }
        let outcome = decode(&stream, || 11);
        let whole = decode_whole(&stream);
        prop_assert_eq!(outcome.verdict(), whole.verdict());
        let found = outcome.result.as_ref().err();
        let found = found.map(|error| (error.kind(), error.stream_offset().unwrap_or(u64::MAX)));
        match reference::read(&stream) {
            Ok(files) => prop_assert_eq!((found, outcome.files), (None, files)),
            Err(refusal) => prop_assert_eq!(found, Some(refusal)),
        }
    }
}
