//! Options of `xbcrypt`, 2.x and 8.x in one.

use super::common::{ENCRYPT_KEY, ENCRYPT_KEY_FILE, HELP};
use crate::dropin::option::{Id, Opt, Table, Takes};

static OPTIONS: &[Opt] = &[
    Opt::used("decrypt", Takes::Nothing, Id::Decrypt, "decrypt instead of encrypting").short('d'),
    Opt::used("input", Takes::Value, Id::Input, "read this file instead of standard input")
        .short('i'),
    Opt::used(
        "output",
        Takes::Value,
        Id::Output,
        "write this file instead of standard output; it must not exist yet",
    )
    .short('o'),
    Opt::used(
        "encrypt-algo",
        Takes::Value,
        Id::Encrypt,
        "AES128, AES192 or AES256; to encrypt, it must be said",
    )
    .short('a'),
    ENCRYPT_KEY.short('k'),
    ENCRYPT_KEY_FILE.short('f'),
    Opt::used(
        "encrypt-chunk-size",
        Takes::Value,
        Id::EncryptChunkSize,
        "bytes that are encrypted on their own; 64K",
    )
    .short('s'),
    Opt::ignored(
        "encrypt-threads",
        Takes::Value,
        "one thread keeps up with what a disk or network takes",
    )
    .short('t'),
    Opt::ignored("read-buffer-size", Takes::Value, "tunes what is not tuned here").short('r'),
    Opt::ignored("verbose", Takes::Nothing, "there is nothing to tell").short('v'),
    Opt::used("version", Takes::Nothing, Id::Version, "print the version and exit").short('V'),
    HELP,
];

/// `xbcrypt`.
pub(crate) static XBCRYPT: Table = &[OPTIONS];
