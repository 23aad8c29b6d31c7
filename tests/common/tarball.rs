//! Archives for tests: made by xbkit's encoder, or block by block, right or wrong.

use xbkit::format::tar;

/// An archive being put together.
#[derive(Clone, Default)]
pub(crate) struct Tarball(pub(crate) Vec<u8>);

/// A header block to be varied.
#[derive(Clone)]
pub(crate) struct Header(pub(crate) [u8; 512]);

impl Header {
    /// A regular file's, by hand and not by the encoder.
    pub(crate) fn file(name: &[u8], size: u64) -> Self {
        Self::of(b'0', name, size)
    }

    /// One of another type.
    pub(crate) fn of(kind: u8, name: &[u8], size: u64) -> Self {
        let header = Self([0; 512])
            .put(0, name)
            .put(100, b"0000644\0")
            .put(108, b"0000000\0")
            .put(116, b"0000000\0")
            .put(124, format!("{size:011o}\0").as_bytes())
            .put(136, b"00000000000\0")
            .put(156, &[kind])
            .put(257, b"ustar\x0000");
        header.right()
    }

    /// Puts bytes at an offset, and leaves the sum as it is.
    pub(crate) fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Makes the sum right.
    pub(crate) fn right(self) -> Self {
        let blank = self.put(148, b"        ");
        let sum: u32 = blank.0.iter().map(|byte| u32::from(*byte)).sum();
        blank.put(148, format!("{sum:06o}\0 ").as_bytes())
    }
}

impl Tarball {
    /// Adds a file as the encoder writes it.
    pub(crate) fn file(mut self, path: &[u8], bytes: &[u8]) -> Self {
        tar::append_member(&mut self.0, path, bytes.len() as u64, 0).expect("a good path");
        self.filled(bytes)
    }

    /// Adds a directory as the encoder writes it.
    pub(crate) fn directory(mut self, path: &[u8]) -> Self {
        tar::append_directory(&mut self.0, path, 0).expect("a good path");
        self
    }

    /// Adds a block.
    pub(crate) fn header(mut self, header: &Header) -> Self {
        self.0.extend_from_slice(&header.0);
        self
    }

    /// Adds bytes, filled up to whole blocks.
    pub(crate) fn filled(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Adds bytes.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds records for the next member.
    pub(crate) fn records(self, records: &[(&str, &[u8])]) -> Self {
        self.records_of(b'x', records)
    }

    /// Adds records of a type.
    pub(crate) fn records_of(self, kind: u8, records: &[(&str, &[u8])]) -> Self {
        let body: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.header(&Header::of(kind, b"records", body.len() as u64)).filled(&body)
    }

    /// Ends the archive.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&tar::END);
        self.0
    }
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let tail = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let len = (tail.len()..tail.len() + 20).find(|len| len - tail.len() == len.to_string().len());
    let len = len.expect("a length that counts itself");
    [len.to_string().as_bytes(), &tail].concat()
}

/// Small archives that are accepted, one for each thing that an archive may hold.
pub(crate) fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let new = Tarball::default;
    let long = [b"p".repeat(120), b"/".to_vec(), b"n".repeat(120)].concat();
    let bytes = [b"\xff".repeat(120), b"/x".to_vec()].concat();
    let mut all = vec![
        ("plain", new().file(b"db/a.frm", &[7; 600]).file(b"b", b"").directory(b"e").end()),
        ("records", new().file(&long, b"1").end()),
        ("long-name", new().file(&bytes, b"1").end()),
        ("two", [new().file(b"a", b"1").end(), new().file(b"b", b"2").end()].concat()),
        (
            "size",
            new().records(&[("size", b"3")]).header(&Header::file(b"a", 1)).filled(b"abc").end(),
        ),
        (
            "global",
            new()
                .records_of(b'g', &[("comment", b"about")])
                .file(b"a", b"1")
                .file(b"b", b"2")
                .end(),
        ),
        (
            "base-256",
            new()
                .header(&Header::file(b"a", 0).put(124, b"\x80\0\0\0\0\0\0\0\0\0\0\x03").right())
                .filled(b"abc")
                .end(),
        ),
    ];
    all.extend(sparse_samples());
    all
}

/// A file `t` of 3000 bytes, in each layout that GNU tar knows for holes.
pub(crate) fn sparse_samples() -> Vec<(&'static str, Vec<u8>)> {
    let new = Tarball::default;
    let data = b"0123456789abc";
    let len = data.len() as u64;
    let size = &b"3000"[..];
    let version_0_0 = new()
        .records(&[
            ("GNU.sparse.size", size),
            ("GNU.sparse.numblocks", b"2"),
            ("GNU.sparse.offset", b"600"),
            ("GNU.sparse.numbytes", b"10"),
            ("GNU.sparse.offset", b"2000"),
            ("GNU.sparse.numbytes", b"3"),
        ])
        .header(&Header::file(b"t", len));
    let version_0_1 = new()
        .records(&[
            ("GNU.sparse.size", size),
            ("GNU.sparse.name", b"t"),
            ("GNU.sparse.map", b"600,10,2000,3,3000,0"),
        ])
        .header(&Header::file(b"GNUSparseFile.1/t", len));
    let version_1_0 = new()
        .records(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"t"),
            ("GNU.sparse.realsize", size),
        ])
        .header(&Header::file(b"GNUSparseFile.1/t", 512 + len))
        .filled(b"2\n600\n10\n2000\n3\n");
    let entry = |offset: u64, len: u64| format!("{offset:011o}\0{len:011o}\0").into_bytes();
    let old = Header::of(b'S', b"t", len)
        .put(257, b"ustar  \0")
        .put(386, &[entry(600, 4), entry(604, 1), entry(605, 1), entry(606, 1)].concat())
        .put(482, b"\x01")
        .put(483, b"00000005670\0")
        .right();
    let old = new().header(&old).filled(&[entry(607, 3), entry(2000, 3), entry(3000, 0)].concat());
    [
        ("sparse-0.0", version_0_0),
        ("sparse-0.1", version_0_1),
        ("sparse-1.0", version_1_0),
        ("sparse-old", old),
    ]
    .map(|(name, head)| (name, head.filled(data).end()))
    .to_vec()
}
