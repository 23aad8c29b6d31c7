//! Options of `xbstream` (2.4 and 8.x in one) and of `mbstream` (10.11).

use super::common::{DECOMPRESS, DECRYPT, FIFO, HELP};
use crate::dropin::option::{Id, Opt, Table, Takes};

const WITH_DECRYPT: &str = "matters only with --decrypt";
const WITH_DECOMPRESS: &str = "matters only with --decompress";
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
    Opt::refused("decrypt", Takes::Value, DECRYPT).short('d'),
    Opt::refused("encrypt-key", Takes::Secret, DECRYPT).short('k'),
    Opt::refused("encrypt-key-file", Takes::Value, DECRYPT).short('f'),
    Opt::ignored("encrypt-threads", Takes::Value, WITH_DECRYPT),
    Opt::refused("decompress", Takes::Bool, DECOMPRESS),
    Opt::ignored("decompress-threads", Takes::Value, WITH_DECOMPRESS),
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

/// mbstream has none of these; callers that mistake it for xbstream get a reason.
static MBSTREAM_ONLY: &[Opt] = &[
    Opt::used("version", Takes::Nothing, Id::Version, "print the version and exit"),
    Opt::refused("decompress", Takes::Bool, DECOMPRESS),
    Opt::ignored("decompress-threads", Takes::Value, WITH_DECOMPRESS),
    Opt::refused("decrypt", Takes::Value, DECRYPT),
    Opt::refused("encrypt-key", Takes::Secret, DECRYPT),
    Opt::refused("encrypt-key-file", Takes::Value, DECRYPT),
    Opt::ignored("encrypt-threads", Takes::Value, WITH_DECRYPT),
];

/// `xbstream`.
pub(crate) static XBSTREAM: Table = &[BOTH, XBSTREAM_ONLY];
/// `mbstream`.
pub(crate) static MBSTREAM: Table = &[BOTH, MBSTREAM_ONLY];
