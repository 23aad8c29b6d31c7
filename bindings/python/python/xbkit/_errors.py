"""The exceptions. Every one that xbkit itself raises is an :class:`XbkitError`.

What your own source, sink or callback raises passes through a job unchanged, and mistakes in
arguments that Python can see are ``TypeError`` and ``ValueError``, as everywhere.
"""

from __future__ import annotations

import os


class XbkitError(Exception):
    """Base of all: what failed, and where.

    The text names the failure and the place; the fields say the same for programs.
    """

    code: int = 0
    """Pinned number of the kind of failure, the same in C and Rust: -1 to -19 the caller,
    -20 to -39 input and output, -40 to -59 the stream, -60 to -79 codecs,
    -80 to -99 the server, -100 to -119 InnoDB. Never reused."""
    path: str | None = None
    """The file or member concerned, decoded as ``os.fsdecode`` does."""
    stream_offset: int | None = None
    """Where in the stream, in bytes from its beginning, inside all compression layers."""
    file_offset: int | None = None
    """Where in the file or member, in bytes."""
    hint: str | None = None
    """What to do next, where xbkit knows. Tracebacks show it as a note."""


class InternalError(XbkitError):
    """A bug in xbkit: a panic was caught."""


class InvalidArgumentError(XbkitError, ValueError):
    """An argument is not acceptable."""


class InvalidStateError(XbkitError, ValueError):
    """The call does not fit the object's state: closed, failed before, or busy with this thread.

    A ``ValueError``, as operations on closed files are.
    """


class CancelledError(XbkitError):
    """The job's :class:`CancelToken` was set."""


class UnsupportedError(XbkitError):
    """xbkit knows what was asked for, and does not do it."""


class LimitError(XbkitError):
    """A cap was exceeded, such as the length of a path or ``max_spool``."""


class StreamIOError(XbkitError, OSError):
    """Reading or writing failed; ``errno`` is set if the operating system said why."""


class PipeClosedError(StreamIOError, BrokenPipeError):
    """The reader of the output is gone."""


class NoSpaceError(StreamIOError):
    """The file system or device is full, or a quota is reached."""


class NotFoundError(StreamIOError, FileNotFoundError):
    """A file or directory does not exist, or no member matches a pattern."""


class ExistsError(StreamIOError, FileExistsError):
    """A file, directory or member exists already and may not be replaced."""


class PermissionDeniedError(StreamIOError, PermissionError):
    """The operating system forbids it."""


class FileChangedError(XbkitError):
    """A file changed while it was being read or written."""


class LockedError(XbkitError):
    """A file is locked: a server uses the data directory."""


class FormatError(XbkitError):
    """The stream breaks the rules of its format."""


class TruncatedError(XbkitError):
    """The stream ends too early."""


class ChecksumError(XbkitError):
    """A checksum does not match its data."""


class UnsafePathError(XbkitError):
    """A member's path is refused for safety: absolute, with ``..``, through a symlink, ..."""


class IncompleteError(XbkitError):
    """A backup lacks members that it must have."""


class UnprovenError(XbkitError):
    """The stream is sound, but nothing in it proves that it is complete."""


class DecompressError(XbkitError):
    """A compressed layer cannot be decoded."""


class BadKeyError(XbkitError):
    """A key is missing, or cannot be one."""


class DecryptError(XbkitError):
    """Encrypted data cannot be decrypted: the key is wrong, or the data were changed."""


class ConnectError(XbkitError):
    """The server cannot be reached, or the connection to it broke."""


class AuthError(XbkitError):
    """The server refuses the login, or the account lacks a privilege."""


class QueryError(XbkitError):
    """The server answers a statement with an error."""


class LockWaitError(XbkitError):
    """The server did not grant a lock in time."""


class RecoveryError(XbkitError):
    """The server did not recover a backup."""


class PageCorruptError(XbkitError):
    """A page of a tablespace does not match its checksum, however often it is read."""


class RedoOverrunError(XbkitError):
    """The server wrote over redo that was not copied yet."""


class RedoFormatError(XbkitError):
    """The redo log is of a format that is not known, or makes no sense."""


_BY_CODE: dict[int, type[XbkitError]] = {
    -1: InternalError,
    -2: InvalidArgumentError,
    -3: InvalidStateError,
    -4: CancelledError,
    -6: UnsupportedError,
    -9: LimitError,
    -20: StreamIOError,
    -21: StreamIOError,
    -22: PipeClosedError,
    -23: NoSpaceError,
    -24: NotFoundError,
    -25: ExistsError,
    -26: PermissionDeniedError,
    -27: FileChangedError,
    -28: LockedError,
    -40: FormatError,
    -41: TruncatedError,
    -42: ChecksumError,
    -43: UnsafePathError,
    -44: UnprovenError,
    -45: IncompleteError,
    -61: DecompressError,
    -62: BadKeyError,
    -63: DecryptError,
    -80: ConnectError,
    -81: AuthError,
    -82: QueryError,
    -83: LockWaitError,
    -84: RecoveryError,
    -100: PageCorruptError,
    -101: RedoOverrunError,
    -102: RedoFormatError,
}


def _from_core(
    code: int,
    message: str,
    path: str | None,
    shown_path: str | None,
    stream_offset: int | None,
    file_offset: int | None,
    errno: int | None,
    hint: str | None,
) -> XbkitError:
    """The exception for an error of the core."""
    cls = _BY_CODE.get(code, XbkitError)
    error: XbkitError
    if errno is not None and issubclass(cls, OSError):
        # No `__init__` of our own: so `errno` and `filename` are OSError's, and pickling works.
        error = cls(errno, message, path) if path is not None else cls(errno, message)
    else:
        error = cls(f"{shown_path}: {message}" if shown_path is not None else message)
    error.code = code
    error.path = path
    error.stream_offset = stream_offset
    error.file_offset = file_offset
    error.hint = hint
    if hint is not None:
        error.add_note(f"hint: {hint}")
    return error


def _invalid_state(message: str, path: str | None = None) -> XbkitError:
    return _from_core(-3, message, path, path, None, None, None, None)


def _exists(path: str) -> XbkitError:
    import errno

    return _from_core(
        -25,
        os.strerror(errno.EEXIST),
        path,
        path,
        None,
        None,
        errno.EEXIST,
        "give another name, or overwrite=True to replace it",
    )
