//! Cutting stored data where a decoder may begin anew, so that several threads can decode it.
//!
//! Nothing is judged here: only lengths are read, of frames, chunks and blocks. What makes no sense,
//! or has no such places within a MiB, is left to one decoder, which says what is wrong with it.

use super::Decoder;
use super::lz4::Lz4Decoder;
use super::qpress::QpressDecoder;
use super::stack::Codec;
use super::xbcrypt::{Key, XbcryptDecoder};
use super::zstd::{ZstdBulk, ZstdDecoder};
use crate::error::Result;

/// Stored bytes from which on a unit is worth another thread's while: some 0.4 ms of it.
const LEAST: usize = 512 << 10;

/// Most stored bytes of a unit: a frame of 1 MiB that does not compress, and what is about it.
const MOST: usize = (1 << 20) + (64 << 10);

/// Plain bytes that are enough for a unit, where the format tells their number.
const ENOUGH: u64 = 1 << 20;

/// Most plain bytes of a unit; what holds more is decoded piece by piece.
const MOST_PLAIN: usize = 2 << 20;

/// What cutting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// There is a unit in [`Cutter::take`].
    Whole,
    /// All of the input was taken.
    More,
    /// What follows has to go through [`Cutter::into_serial`].
    Serial,
}

/// Where in the format the bytes behind `Cutter::seen` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where a frame, a chunk, or the whole archive begins.
    Start,
    ZstdBlock {
        sum: usize,
    },
    Lz4Block {
        block_sum: usize,
        sum: usize,
    },
    QpressBlock,
    QpressEnd,
}

/// What the bytes at a place say.
enum Step {
    /// So many have to be seen.
    Need(usize),
    /// So many belong together, and hold so many plain ones, where that is known.
    Pass(usize, u64, Place),
    /// Nothing that can be cut.
    Unknown,
}

/// Cuts the stored data of one layer into units.
pub(crate) struct Cutter {
    codec: Codec,
    unit: Vec<u8>,
    /// Up to where `unit` is understood.
    seen: usize,
    /// How long `unit` must be for the next step.
    need: usize,
    place: Place,
    plain: u64,
    /// Where in the stored data `unit` begins, and at which place.
    at: u64,
    begin: Place,
    /// Of a qpress archive, as its beginning says.
    block_size: usize,
}

/// Stored data that are decoded on their own.
pub(crate) struct Unit {
    pub(crate) stored: Vec<u8>,
    begin: Begin,
}

/// What a decoder has to know to begin in the middle.
#[derive(Clone, Copy, Debug)]
struct Begin {
    codec: Codec,
    at: u64,
    place: Place,
    block_size: usize,
}

impl Cutter {
    /// `None`: the format has no places that can be found without decoding it.
    pub(crate) fn new(codec: Codec) -> Option<Self> {
        (codec != Codec::Gzip).then_some(Self {
            codec,
            unit: Vec::new(),
            seen: 0,
            need: 0,
            place: Place::Start,
            plain: 0,
            at: 0,
            begin: Place::Start,
            block_size: 0,
        })
    }

    /// Takes bytes from the front of `input`.
    pub(crate) fn cut(&mut self, input: &mut &[u8]) -> Cut {
        loop {
            let missing = self.need.saturating_sub(self.unit.len());
            let (some, rest) = input.split_at(missing.min(input.len()));
            self.unit.extend_from_slice(some);
            *input = rest;
            if self.unit.len() < self.need {
                return Cut::More;
            }
            let is_between = matches!(self.place, Place::Start | Place::QpressBlock);
            if is_between
                && self.unit.len() == self.seen
                && (self.seen >= LEAST || self.plain >= ENOUGH)
            {
                return Cut::Whole;
            }
            match self.step(self.unit.get(self.seen..).unwrap_or_default()) {
                Step::Need(len) => self.need = self.seen + len,
                Step::Pass(len, plain, place) => {
                    if self.place == Place::Start && self.codec == Codec::Quicklz {
                        let size = self.unit.get(8..16).unwrap_or_default();
                        self.block_size = usize::try_from(number(size)).unwrap_or(usize::MAX);
                    }
                    self.seen = self.seen.saturating_add(len);
                    self.need = self.seen;
                    self.plain = self.plain.saturating_add(plain);
                    self.place = place;
                }
                Step::Unknown => return Cut::Serial,
            }
            if self.need > MOST {
                return Cut::Serial;
            }
        }
    }

    /// The unit that [`Cutter::cut`] announced; the next one grows in `buffer`.
    pub(crate) fn take(&mut self, mut buffer: Vec<u8>) -> Unit {
        buffer.clear();
        let begin = self.begin();
        let stored = std::mem::replace(&mut self.unit, buffer);
        self.at += stored.len() as u64;
        self.begin = self.place;
        (self.seen, self.need, self.plain) = (0, 0, 0);
        Unit { stored, begin }
    }

    /// Whether the data may end here, all of them being in units.
    pub(crate) fn has_ended(&self) -> bool {
        let may = if self.codec == Codec::Quicklz { Place::QpressEnd } else { Place::Start };
        self.unit.is_empty() && self.at > 0 && self.place == may
    }

    /// A decoder for what is not in units, and what of it was taken already.
    pub(crate) fn into_serial(self, key: Option<&Key>) -> Result<(Box<dyn Decoder>, Vec<u8>)> {
        Ok((self.begin().decoder(key)?, self.unit))
    }

    fn begin(&self) -> Begin {
        let Self { codec, at, begin: place, block_size, .. } = *self;
        Begin { codec, at, place, block_size }
    }

    fn step(&self, rest: &[u8]) -> Step {
        match (self.place, self.codec) {
            (Place::Start, Codec::Xbcrypt) => xbcrypt_chunk(rest),
            (Place::Start, Codec::Zstd) => zstd_header(rest),
            (Place::Start, Codec::Lz4) => lz4_header(rest),
            (Place::Start, Codec::Quicklz) => qpress_start(rest),
            (Place::ZstdBlock { sum }, _) => zstd_block(rest, sum),
            (Place::Lz4Block { block_sum, sum }, _) => lz4_block(rest, block_sum, sum),
            (Place::QpressBlock, _) => qpress_block(rest),
            (Place::QpressEnd, _) if rest.is_empty() => Step::Need(1),
            _ => Step::Unknown,
        }
    }
}

impl Begin {
    fn decoder(self, key: Option<&Key>) -> Result<Box<dyn Decoder>> {
        let Self { codec, at, place, block_size } = self;
        Ok(match (codec, place) {
            (Codec::Quicklz, Place::QpressBlock | Place::QpressEnd) => {
                Box::new(QpressDecoder::within(block_size, at, place == Place::QpressEnd))
            }
            (Codec::Lz4, _) if at > 0 => Box::new(Lz4Decoder::behind(at)),
            (Codec::Zstd, _) if at > 0 => Box::new(ZstdDecoder::behind(at)?),
            (Codec::Xbcrypt, _) => Box::new(XbcryptDecoder::behind(key.cloned(), at)),
            _ => codec.decoder(key)?,
        })
    }
}

/// What of a unit that was decoded should be told, see [`Decoder::warning`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told(pub(crate) Option<&'static str>);

/// Decodes units; what it needs is used again.
#[derive(Default)]
pub(crate) struct UnitDecoder {
    zstd: Option<ZstdBulk>,
}

impl UnitDecoder {
    /// Appends the plain bytes to `plain`. `None`: they are too many, or something is wrong, which
    /// [`Unit::decoder`] has to find out.
    pub(crate) fn decode(
        &mut self,
        unit: &Unit,
        key: Option<&Key>,
        plain: &mut Vec<u8>,
    ) -> Option<Told> {
        if unit.begin.codec == Codec::Zstd {
            let zstd = match &mut self.zstd {
                Some(zstd) => zstd,
                empty => empty.insert(ZstdBulk::new().ok()?),
            };
            return zstd.decode(&unit.stored, plain, MOST_PLAIN).then_some(Told(None));
        }
        if unit.begin.codec == Codec::Xbcrypt {
            let decoder = XbcryptDecoder::behind(key.cloned(), unit.begin.at);
            return decoder.decode_all(&unit.stored, plain, MOST_PLAIN);
        }
        let mut decoder = unit.decoder(key).ok()?;
        let mut input = unit.stored.as_slice();
        let mut warning = None;
        while decoder.decode(&mut input).ok()? {
            if plain.len() + decoder.output().len() > MOST_PLAIN {
                return None;
            }
            plain.extend_from_slice(decoder.output());
            warning = warning.or(decoder.warning());
        }
        unit.end(&mut *decoder).ok()?;
        Some(Told(warning.or(decoder.warning())))
    }
}

impl Unit {
    /// A decoder of its own.
    pub(crate) fn decoder(&self, key: Option<&Key>) -> Result<Box<dyn Decoder>> {
        self.begin.decoder(key)
    }

    /// All of the unit was decoded.
    pub(crate) fn end(&self, decoder: &mut dyn Decoder) -> Result<()> {
        // A unit of qpress is a part of an archive.
        if self.begin.codec == Codec::Quicklz { Ok(()) } else { decoder.finish() }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The little-endian number of these bytes, as a length.
fn length(bytes: Option<&[u8]>) -> usize {
    usize::try_from(number(bytes.unwrap_or_default())).unwrap_or(usize::MAX)
}

fn xbcrypt_chunk(rest: &[u8]) -> Step {
    const HEAD: usize = 36;
    if rest.len() < HEAD {
        return Step::Need(HEAD);
    }
    let body = length(rest.get(24..32));
    let chunk = match rest.get(..8) {
        Some(b"XBCRYP01") => HEAD.saturating_add(body),
        Some(b"XBCRYP02" | b"XBCRYP03") => match rest.get(HEAD..HEAD + 8) {
            None => return Step::Need(HEAD + 8),
            iv => (HEAD + 8).saturating_add(length(iv)).saturating_add(body),
        },
        _ => return Step::Unknown,
    };
    Step::Pass(chunk, body as u64, Place::Start)
}

/// RFC 8878, 3.1.1.
fn zstd_header(rest: &[u8]) -> Step {
    let &[a, b, c, d, descriptor, ..] = rest else { return Step::Need(5) };
    if u32::from_le_bytes([a, b, c, d]) != 0xfd2f_b528 {
        return Step::Unknown; // a skippable frame, or none
    }
    let (single, dictionary) = (descriptor & 0x20 != 0, descriptor & 3 != 0);
    let field = match descriptor >> 6 {
        0 => usize::from(single),
        log => 1 << log,
    };
    let window = usize::from(!single);
    let len = 5 + window + field;
    if rest.len() < len {
        return Step::Need(len);
    }
    // Larger windows than this are left to the decoder, which has an opinion.
    let is_large = window > 0 && rest.get(5).is_none_or(|window| window >> 3 > 13);
    if dictionary || is_large {
        return Step::Unknown;
    }
    let add = if field == 2 { 256 } else { 0 };
    let plain = number(rest.get(5 + window..len).unwrap_or_default()).saturating_add(add);
    Step::Pass(len, plain, Place::ZstdBlock { sum: usize::from(descriptor & 4 != 0) * 4 })
}

fn zstd_block(rest: &[u8], sum: usize) -> Step {
    let Some(&header) = rest.first_chunk::<3>() else { return Step::Need(3) };
    let [a, b, c] = header;
    let header = u32::from_le_bytes([a, b, c, 0]);
    let size = (header >> 3) as usize;
    let body = if header >> 1 & 3 == 1 { 1 } else { size };
    if header & 1 == 0 {
        return Step::Pass(3 + body, 0, Place::ZstdBlock { sum });
    }
    Step::Pass(3 + body + sum, 0, Place::Start)
}

fn lz4_header(rest: &[u8]) -> Step {
    let &[a, b, c, d, flags, _, ..] = rest else { return Step::Need(6) };
    if u32::from_le_bytes([a, b, c, d]) != 0x184d_2204 || flags & 1 != 0 {
        return Step::Unknown;
    }
    let size = if flags & 8 == 0 { 0 } else { 8 };
    let len = 6 + size + 1;
    if rest.len() < len {
        return Step::Need(len);
    }
    let plain = number(rest.get(6..6 + size).unwrap_or_default());
    let sum = |flag| if flags & flag == 0 { 0 } else { 4 };
    Step::Pass(len, plain, Place::Lz4Block { block_sum: sum(0x10), sum: sum(4) })
}

fn lz4_block(rest: &[u8], block_sum: usize, sum: usize) -> Step {
    let Some(size) = rest.first_chunk() else { return Step::Need(4) };
    match u32::from_le_bytes(*size) & 0x7fff_ffff {
        0 => Step::Pass(4 + sum, 0, Place::Start),
        len => Step::Pass(4 + len as usize + block_sum, 0, Place::Lz4Block { block_sum, sum }),
    }
}

fn qpress_start(rest: &[u8]) -> Step {
    const HEAD: usize = 8 + 8 + 1 + 4;
    if rest.len() < HEAD {
        return Step::Need(HEAD);
    }
    let name = length(rest.get(HEAD - 4..HEAD));
    Step::Pass(HEAD.saturating_add(name).saturating_add(1), 0, Place::QpressBlock)
}

fn qpress_block(rest: &[u8]) -> Step {
    const HEAD: usize = 8 + 8 + 4;
    match rest.get(..8) {
        None => Step::Need(8),
        Some(b"ENDSENDS") => Step::Pass(16, 0, Place::QpressEnd),
        Some(b"NEWBNEWB") => match rest.get(HEAD).map(|flags| flags & 2 == 0) {
            Some(true) if rest.len() >= HEAD + 3 => {
                let (packet, plain) = (rest.get(HEAD + 1..HEAD + 2), rest.get(HEAD + 2..HEAD + 3));
                Step::Pass(HEAD + length(packet), length(plain) as u64, Place::QpressBlock)
            }
            Some(false) if rest.len() >= HEAD + 9 => {
                let (packet, plain) = (rest.get(HEAD + 1..HEAD + 5), rest.get(HEAD + 5..HEAD + 9));
                let packet = HEAD.saturating_add(length(packet));
                Step::Pass(packet, length(plain) as u64, Place::QpressBlock)
            }
            Some(short) => Step::Need(if short { HEAD + 3 } else { HEAD + 9 }),
            None => Step::Need(HEAD + 1),
        },
        Some(_) => Step::Unknown,
    }
}
