//! Options of `xbstream` (2.4 and 8.x in one) and of `mbstream` (10.11).

use super::common::{
    DECOMPRESS_THREADS, ENCRYPT_KEY, ENCRYPT_KEY_FILE, ENCRYPT_THREADS, FIFO, HELP,
};
use crate::dropin::option::{Id, Opt, Table, Takes};

const WITH_FIFO: &str = "matters only with --fifo-streams";

static BOTH: &[Opt] = &[
    Opt::used("create", Takes::Nothing, Id::Create, "stream the files to standard output")
        .short('c'),
    Opt::used("extract", Takes::Nothing, Id::Extract, "extract the stream on standard input")
        .short('x'),
    Opt::used(
        "directory",
        Takes::Value,
        Id::Directory,
        "change to this directory before streaming or extracting",
    )
    .short('C'),
    Opt::used("verbose", Takes::Bool, Id::Verbose, "name each file on standard error").short('v'),
    Opt::used(
        "parallel",
        Takes::Value,
        Id::Parallel,
        "worker threads; 1, but 2 to extract where there are processors",
    )
    .short('p'),
    Opt::used(
        "manifest",
        Takes::Bool,
        Id::Manifest,
        "with -c: end the stream in a manifest, by which it can be proven whole",
    ),
    HELP,
];

/// The letters for keys and threads are those of xbstream; `-f`, which 8.x claims twice, is left
/// to the key file, as in 2.4.
static XBSTREAM_ONLY: &[Opt] = &[
    Opt::used("version", Takes::Nothing, Id::Version, "print the version and exit").short('V'),
    DECRYPT.short('d'),
    ENCRYPT_KEY.short('k'),
    ENCRYPT_KEY_FILE.short('f'),
    ENCRYPT_THREADS,
    DECOMPRESS,
    DECOMPRESS_THREADS,
    Opt::refused("fifo-streams", Takes::Value, FIFO).unless(&["0", "1"]),
    Opt::ignored("fifo-dir", Takes::Value, WITH_FIFO),
    Opt::ignored("fifo-timeout", Takes::Value, WITH_FIFO),
    Opt::refused(
        "absolute-names",
        Takes::Bool,
        (
            "names that begin with '/' or contain '..' are never written nor followed",
            "leave it out, and choose the directory with -C",
        ),
    )
    .short('P'),
];

/// The real mbstream has none of these but its version.
static MBSTREAM_ONLY: &[Opt] = &[
    Opt::used("version", Takes::Nothing, Id::Version, "print the version and exit"),
    DECOMPRESS,
    DECOMPRESS_THREADS,
    DECRYPT,
    ENCRYPT_KEY,
    ENCRYPT_KEY_FILE,
    ENCRYPT_THREADS,
];

const DECOMPRESS: Opt = Opt::used(
    "decompress",
    Takes::Bool,
    Id::Decompress,
    "with -x: decompress files whose names end in .qp, .lz4 or .zst, and drop that",
);

const DECRYPT: Opt = Opt::used(
    "decrypt",
    Takes::Value,
    Id::Decrypt,
    "with -x: decrypt files whose names end in .xbcrypt: AES128, AES192 or AES256",
);

/// `xbstream`.
pub(crate) static XBSTREAM: Table = &[BOTH, XBSTREAM_ONLY];
/// `mbstream`.
pub(crate) static MBSTREAM: Table = &[BOTH, MBSTREAM_ONLY];
