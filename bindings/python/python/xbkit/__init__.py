"""Streams physical backups of MySQL and MariaDB as xbstream or tar, and extracts such streams,
verified.

Jobs on whole streams: :func:`backup` of a stopped or a running server, :func:`cat`,
:func:`convert`, :func:`create`, :func:`extract`, :func:`info`, :func:`list`, :func:`verify`; from a
backup to a data directory, :func:`restore`, or in steps :func:`prepare` and :func:`put_back`; pages
on disk, :func:`check`. Streams of your own data, and streams read without extracting: :func:`open`.

Sources and sinks are descriptors, paths, sockets, and any object with ``read``, ``readinto`` or
``write``; sources also iterables of buffers. They are used on the thread that calls, with the
interpreter released around all other work, and never closed. Ctrl-C ends a job within 200 ms on
the main thread; elsewhere use a :class:`CancelToken`. In asyncio, call
``await asyncio.to_thread(xbkit.extract, ...)``.

Warnings go to ``logging.getLogger("xbkit")``. Errors are :class:`XbkitError`.
"""

from __future__ import annotations

import os
import warnings
from typing import Literal, overload

from . import _xbkit
from ._backup import LOCK_WAIT_TIMEOUT, MAX_SERVER_SPOOL, backup
from ._endpoints import Readable, ReadableInto, Sink, Source, Writable
from ._errors import (
    AuthError,
    BadKeyError,
    CancelledError,
    ChecksumError,
    ConnectError,
    DecompressError,
    DecryptError,
    ExistsError,
    FileChangedError,
    FormatError,
    IncompleteError,
    InternalError,
    InvalidArgumentError,
    InvalidStateError,
    LimitError,
    LockWaitError,
    LockedError,
    NoSpaceError,
    NotFoundError,
    PageCorruptError,
    PermissionDeniedError,
    PipeClosedError,
    QueryError,
    RecoveryError,
    RedoFormatError,
    RedoOverrunError,
    StreamIOError,
    TruncatedError,
    UnprovenError,
    UnsafePathError,
    UnsupportedError,
    XbkitError,
)
from ._events import (
    BadPage,
    CatReport,
    CheckReport,
    ConvertReport,
    CreateReport,
    Event,
    ExtractReport,
    FileChecked,
    Log,
    MemberDone,
    OnEvent,
    PageCounts,
    PrepareReport,
    Progress,
    RestoreReport,
    ServerReport,
    StageTimes,
    VerifyReport,
)
from ._info import (
    BackupInfo,
    BinlogPosition,
    ExternalTablespace,
    GaleraPosition,
    Replica,
    ReplicaChannel,
)
from ._items import Chunk, Close, Data, Directory, Hole, Item, Open, Remove, Rename
from ._jobs import (
    CHUNK_SIZE,
    CODEC_BLOCK,
    MANIFEST_NAME,
    MAX_DECODED_SIZE,
    MAX_RATIO,
    Compress,
    Dialect,
    Encrypt,
    Format,
    MemberInfo,
    cat,
    check,
    convert,
    create,
    extract,
    info,
    list,
    verify,
)
from ._reader import MAX_SPOOL, Member, StreamReader
from ._restore import USE_MEMORY, prepare, put_back, restore
from ._writer import EntryWriter, StreamWriter
from ._xbkit import CancelToken, Server

__version__: str = _xbkit.VERSION

__all__ = [
    "CHUNK_SIZE",
    "CODEC_BLOCK",
    "LOCK_WAIT_TIMEOUT",
    "MANIFEST_NAME",
    "MAX_DECODED_SIZE",
    "MAX_RATIO",
    "MAX_SERVER_SPOOL",
    "MAX_SPOOL",
    "USE_MEMORY",
    "AuthError",
    "BackupInfo",
    "BinlogPosition",
    "BadKeyError",
    "BadPage",
    "CancelToken",
    "CancelledError",
    "CatReport",
    "CheckReport",
    "ChecksumError",
    "Chunk",
    "Close",
    "Compress",
    "ConvertReport",
    "ConnectError",
    "CreateReport",
    "Data",
    "DecompressError",
    "DecryptError",
    "Dialect",
    "Encrypt",
    "Directory",
    "EntryWriter",
    "Event",
    "ExistsError",
    "ExternalTablespace",
    "ExtractReport",
    "FileChangedError",
    "FileChecked",
    "Format",
    "FormatError",
    "GaleraPosition",
    "Hole",
    "IncompleteError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidStateError",
    "Item",
    "LimitError",
    "LockWaitError",
    "LockedError",
    "Log",
    "Member",
    "MemberDone",
    "MemberInfo",
    "NoSpaceError",
    "NotFoundError",
    "OnEvent",
    "Open",
    "PageCorruptError",
    "PageCounts",
    "PermissionDeniedError",
    "PipeClosedError",
    "PrepareReport",
    "Progress",
    "QueryError",
    "Readable",
    "ReadableInto",
    "RecoveryError",
    "RedoFormatError",
    "RedoOverrunError",
    "Remove",
    "Rename",
    "Replica",
    "ReplicaChannel",
    "RestoreReport",
    "Server",
    "ServerReport",
    "Sink",
    "Source",
    "StageTimes",
    "StreamIOError",
    "StreamReader",
    "StreamWriter",
    "TruncatedError",
    "UnprovenError",
    "UnsafePathError",
    "UnsupportedError",
    "VerifyReport",
    "Writable",
    "XbkitError",
    "__version__",
    "backup",
    "build_info",
    "cat",
    "check",
    "convert",
    "create",
    "extract",
    "info",
    "list",
    "open",
    "prepare",
    "put_back",
    "restore",
    "verify",
]


def build_info() -> dict[str, str | bool]:
    """Version, and whether this is a debug build."""
    return {"version": _xbkit.VERSION, "debug": _xbkit.DEBUG}


@overload
def open(
    file: Source,
    mode: Literal["r"] = "r",
    *,
    format: Format | None = None,
    max_spool: int = MAX_SPOOL,
    tmpdir: str | os.PathLike[str] | None = None,
    allow_missing_end: bool = False,
    key: bytes | None = None,
    cancel: CancelToken | None = None,
) -> StreamReader: ...


@overload
def open(
    file: Sink,
    mode: Literal["w"],
    *,
    format: Format | None = None,
    chunk_size: int = CHUNK_SIZE,
    dialect: Dialect = "mariadb",
    manifest: bool = True,
    overwrite: bool = False,
    cancel: CancelToken | None = None,
) -> StreamWriter: ...


def open(
    file: Source | Sink,
    mode: Literal["r", "w"] = "r",
    *,
    format: Format | None = None,
    **options: object,
) -> StreamReader | StreamWriter:
    """Opens a stream for reading (``"r"``) or writing (``"w"``).

    Args:
        file: a source or a sink; never closed. Reading waits for its first bytes.
        mode: ``"r"`` or ``"w"``.
        format: ``"xbstream"``, unless given, or ``"tar"``, which takes one member at a time and
            needs its size first. Reading, the stream tells it, and another one is an error;
            compression around it is found.
        max_spool: reading: most bytes that are kept of members that are not being read, see
            :class:`Member`.
        tmpdir: reading: where they are kept beyond 16 MiB; as ``tempfile`` chooses unless given.
        allow_missing_end: reading: let a tar archive end without its two blocks of zeros.
        key: reading: of a stream that is encrypted as a whole. Members are as they are stored.
        chunk_size: writing: payload bytes of a chunk, 64 KiB to 64 MiB.
        dialect: writing: whether holes travel as sparse chunks.
        manifest: writing: whether the stream ends in a manifest, by which it can be proven whole.
            Reading, it is checked and never a member.
        overwrite: writing: whether ``file``, given as a path, may exist and is replaced.
        cancel: ends waits when set, from any thread.
    """
    if format not in (None, "xbstream", "tar"):
        raise ValueError(f"format {format!r} is neither 'xbstream' nor 'tar'")
    if mode == "r":
        reader = StreamReader(file, **options)  # type: ignore[arg-type]
        if format not in (None, reader.format):
            reader.close()
            raise FormatError(f"the stream is of format {reader.format}, not {format}")
        return reader
    if mode == "w":
        return StreamWriter(file, format=format or "xbstream", **options)  # type: ignore[arg-type]
    raise ValueError(f"mode {mode!r} is neither 'r' nor 'w'")


if _xbkit.DEBUG:
    warnings.warn(
        "xbkit was built for debugging, so it is slow; install it with pip for use",
        RuntimeWarning,
        stacklevel=2,
    )
