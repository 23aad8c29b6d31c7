//! What calls return. Numbers are pinned, in ranges of twenty; retired ones stay reserved.

use std::ffi::{CStr, c_char};

use crate::guard;

/// What every call that can fail returns: XBK_OK, XBK_EOF, or an error below 0.
/// Treat an error that this header does not name like any other.
pub type xbk_status = i32;

/// Done.
pub const XBK_OK: xbk_status = 0;
/// The end of the stream, as it should be. Only from xbk_reader_next().
pub const XBK_EOF: xbk_status = 1;

/// A bug in xbkit: a panic was caught. The object concerned is of no use any more.
pub const XBK_E_PANIC: xbk_status = -1;
/// An argument or option is not acceptable; also NULL where an object is needed.
pub const XBK_E_INVALID_ARGUMENT: xbk_status = -2;
/// The call does not fit the object's state: finished, failed before, or in use.
pub const XBK_E_INVALID_STATE: xbk_status = -3;
/// Cancelled by an xbk_cancel, or by an observer.
pub const XBK_E_CANCELLED: xbk_status = -4;
// -5 is reserved for running out of memory.
/// xbkit knows what was asked for, and does not do it; also an option number it does not know.
pub const XBK_E_UNSUPPORTED: xbk_status = -6;
/// A callback returned a negative value; the message has it.
pub const XBK_E_CALLBACK: xbk_status = -7;
/// The object was made by another process: this one is its forked child.
pub const XBK_E_FORKED: xbk_status = -8;
/// A limit was exceeded.
pub const XBK_E_LIMIT: xbk_status = -9;
/// Reading the input failed.
pub const XBK_E_SOURCE: xbk_status = -20;
/// Writing the output failed.
pub const XBK_E_SINK: xbk_status = -21;
/// The reader of the output is gone. Never comes with a SIGPIPE.
pub const XBK_E_PIPE_CLOSED: xbk_status = -22;
/// The file system or device is full, or a quota is reached.
pub const XBK_E_NO_SPACE: xbk_status = -23;
/// A file, directory, or wanted member does not exist.
pub const XBK_E_NOT_FOUND: xbk_status = -24;
/// A file or member exists, and may not be replaced.
pub const XBK_E_EXISTS: xbk_status = -25;
/// The operating system forbids it.
pub const XBK_E_PERMISSION: xbk_status = -26;
/// A file changed while it was read.
pub const XBK_E_FILE_CHANGED: xbk_status = -27;
/// A file is locked, so a server uses it.
pub const XBK_E_LOCKED: xbk_status = -28;
/// The stream breaks the rules of its format.
pub const XBK_E_FORMAT: xbk_status = -40;
/// The stream ends too early.
pub const XBK_E_TRUNCATED: xbk_status = -41;
/// A checksum does not match its data.
pub const XBK_E_CHECKSUM: xbk_status = -42;
/// A member's path is refused for safety.
pub const XBK_E_UNSAFE_PATH: xbk_status = -43;
/// The stream is sound, but nothing proves that it is complete.
pub const XBK_E_UNPROVEN: xbk_status = -44;
/// A backup lacks members that it must have.
pub const XBK_E_INCOMPLETE: xbk_status = -45;
/// A compressed layer cannot be decoded.
pub const XBK_E_DECOMPRESS: xbk_status = -61;
/// A key is missing, or cannot be one.
pub const XBK_E_KEY: xbk_status = -62;
/// Encrypted data cannot be decrypted: the key is wrong, or the data were changed.
pub const XBK_E_DECRYPT: xbk_status = -63;
/// The server cannot be reached, or the connection to it broke.
pub const XBK_E_CONNECT: xbk_status = -80;
/// The server refuses the login, or the account lacks a privilege.
pub const XBK_E_AUTH: xbk_status = -81;
/// The server answers a statement with an error.
pub const XBK_E_QUERY: xbk_status = -82;
/// The server did not grant a lock in time.
pub const XBK_E_LOCK_WAIT: xbk_status = -83;
/// The server did not recover a backup.
pub const XBK_E_RECOVERY: xbk_status = -84;
/// A page of a tablespace does not match its checksum, however often it is read.
pub const XBK_E_PAGE_CORRUPT: xbk_status = -100;
/// The server wrote over redo that was not copied yet.
pub const XBK_E_REDO_OVERRUN: xbk_status = -101;
/// The redo log is of a format that is not known, or makes no sense.
pub const XBK_E_REDO_FORMAT: xbk_status = -102;

/// Every status and its name.
const NAMES: &[(xbk_status, &CStr)] = &[
    (XBK_OK, c"XBK_OK"),
    (XBK_EOF, c"XBK_EOF"),
    (XBK_E_PANIC, c"XBK_E_PANIC"),
    (XBK_E_INVALID_ARGUMENT, c"XBK_E_INVALID_ARGUMENT"),
    (XBK_E_INVALID_STATE, c"XBK_E_INVALID_STATE"),
    (XBK_E_CANCELLED, c"XBK_E_CANCELLED"),
    (XBK_E_UNSUPPORTED, c"XBK_E_UNSUPPORTED"),
    (XBK_E_CALLBACK, c"XBK_E_CALLBACK"),
    (XBK_E_FORKED, c"XBK_E_FORKED"),
    (XBK_E_LIMIT, c"XBK_E_LIMIT"),
    (XBK_E_SOURCE, c"XBK_E_SOURCE"),
    (XBK_E_SINK, c"XBK_E_SINK"),
    (XBK_E_PIPE_CLOSED, c"XBK_E_PIPE_CLOSED"),
    (XBK_E_NO_SPACE, c"XBK_E_NO_SPACE"),
    (XBK_E_NOT_FOUND, c"XBK_E_NOT_FOUND"),
    (XBK_E_EXISTS, c"XBK_E_EXISTS"),
    (XBK_E_PERMISSION, c"XBK_E_PERMISSION"),
    (XBK_E_FILE_CHANGED, c"XBK_E_FILE_CHANGED"),
    (XBK_E_LOCKED, c"XBK_E_LOCKED"),
    (XBK_E_FORMAT, c"XBK_E_FORMAT"),
    (XBK_E_TRUNCATED, c"XBK_E_TRUNCATED"),
    (XBK_E_CHECKSUM, c"XBK_E_CHECKSUM"),
    (XBK_E_UNSAFE_PATH, c"XBK_E_UNSAFE_PATH"),
    (XBK_E_UNPROVEN, c"XBK_E_UNPROVEN"),
    (XBK_E_INCOMPLETE, c"XBK_E_INCOMPLETE"),
    (XBK_E_DECOMPRESS, c"XBK_E_DECOMPRESS"),
    (XBK_E_KEY, c"XBK_E_KEY"),
    (XBK_E_DECRYPT, c"XBK_E_DECRYPT"),
    (XBK_E_CONNECT, c"XBK_E_CONNECT"),
    (XBK_E_AUTH, c"XBK_E_AUTH"),
    (XBK_E_QUERY, c"XBK_E_QUERY"),
    (XBK_E_LOCK_WAIT, c"XBK_E_LOCK_WAIT"),
    (XBK_E_RECOVERY, c"XBK_E_RECOVERY"),
    (XBK_E_PAGE_CORRUPT, c"XBK_E_PAGE_CORRUPT"),
    (XBK_E_REDO_OVERRUN, c"XBK_E_REDO_OVERRUN"),
    (XBK_E_REDO_FORMAT, c"XBK_E_REDO_FORMAT"),
];

/// The name of a status, such as "XBK_E_TRUNCATED".
/// \return a static string; "unknown" for a number that this version does not know
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn xbk_status_name(status: xbk_status) -> *const c_char {
    guard::value("xbk_status_name", c"unknown".as_ptr(), || {
        NAMES
            .iter()
            .find(|(number, _)| *number == status)
            .map_or(c"unknown", |(_, name)| name)
            .as_ptr()
    })
}
