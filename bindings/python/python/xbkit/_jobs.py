"""The jobs: whole streams made, extracted, listed and verified by one call."""

from __future__ import annotations

import builtins
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from . import _xbkit
from ._endpoints import Sink, Source, opened_sink, opened_source
from ._events import (
    CatReport,
    ConvertReport,
    CheckReport,
    CreateReport,
    Event,
    ExtractReport,
    MemberDone,
    OnEvent,
    PageCounts,
    VerifyReport,
    emitter,
)
from ._info import BackupInfo

CHUNK_SIZE = 1 << 20
"""Payload bytes of a chunk unless asked otherwise: 1 MiB."""

MANIFEST_NAME = "xbkit_manifest.json"
"""The file into which an extraction writes the manifest of a stream that has one."""

Dialect = Literal["mariadb", "percona"]
"""``"mariadb"``: what every reader takes; holes travel as zeros. ``"percona"``: holes of sparse
files travel as sparse chunks, which only Percona's ``xbstream`` 8.x and xbkit read."""

Format = Literal["xbstream", "tar"]
"""``"xbstream"``: members interleave. ``"tar"``: they stand one behind the other, and every tar
program extracts them."""

Compress = Literal["quicklz", "lz4", "zstd", "gzip"]
"""How members are compressed: each by itself, as XtraBackup does; a tar archive as a whole."""

Encrypt = Literal["AES128", "AES192", "AES256"]
"""The cipher: each member is encrypted by itself, as XtraBackup does; a tar archive as a whole."""

CODEC_BLOCK = 1 << 16
"""Bytes that are compressed or encrypted on their own unless asked otherwise: 64 KiB."""

MAX_DECODED_SIZE = 1 << 48
"""Most bytes that a member may become unless asked otherwise: 256 TiB."""

MAX_RATIO = 2000
"""Most bytes for a stored one that a member may become unless asked otherwise."""

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class MemberInfo:
    """A member of a stream, as :func:`list` tells it."""

    name: str
    """Its path in the stream."""
    size: int
    """Its size in bytes, holes included."""


def extract(
    source: Source,
    dir: StrPath,
    *,
    in_place: bool = False,
    overwrite: bool = False,
    sync: bool = True,
    allow_missing_end: bool = False,
    parallel: int = 1,
    members: Iterable[str] = (),
    require_backup: bool = False,
    key: bytes | None = None,
    decompress: bool = True,
    decrypt: bool = True,
    decode_threads: int = 1,
    max_decoded_size: int = MAX_DECODED_SIZE,
    max_ratio: int = MAX_RATIO,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> ExtractReport:
    """Extracts a stream into a directory, verified, and whole or not at all.

    Outer gzip, zstd and lz4 layers come off by themselves. The directory is made if it is missing
    and must be empty; members grow in ``.xbkit-partial`` below it and move up when the stream
    proved complete and everything is on disk. Whatever ends the job before, an exception of your
    source or Ctrl-C included, leaves no member.

    A stream with a manifest, as xbkit makes them, is proven by it to be complete and unchanged. An
    xbstream without one has no end mark: if it was cut between two members, that cannot be seen.
    Keep the exit status of the program that wrote it; :attr:`ExtractReport.proven` tells the two
    apart.

    Args:
        source: where the stream comes from; read to its end, never closed.
        dir: the target directory.
        in_place: write straight into ``dir``, which must exist and may hold other files, as
            ``xbstream -x`` does; a file that exists is an error; on failure what was made is
            removed again.
        overwrite: let ``dir`` hold files, and replace those with a member's name, at the end.
        sync: wait until everything is on disk. Ctrl-C is seen after that wait.
        allow_missing_end: let a tar archive end without its two blocks of zeros, as some writers
            leave it; one that was cut behind a member then passes for whole.
        parallel: threads that write, 1 to 256.
        members: patterns; only members that match one are extracted (the rest is verified all
            the same). A name stands for itself or all below it; ``*``, ``?``, ``[...]``,
            ``{a,b}`` within a component, ``**`` across.
        require_backup: refuse a stream that lacks what a backup of a whole server has; members
            that no pattern asks for count.
        key: of what is encrypted, 16, 24 or 32 bytes.
        decompress: decompress members that are compressed each by itself.
        decrypt: decrypt members that are encrypted each by itself, which needs the key.
        decode_threads: threads that decrypt, decompress and write, if that is more than
            ``parallel``.
        max_decoded_size: refuse a member that decodes to more bytes.
        max_ratio: refuse a member that decodes to more bytes for each stored one, from 64 MiB on
            and zeros aside.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.

    Raises:
        XbkitError: of the class that says what went wrong; see there.
        NotFoundError: also if a pattern matched no member.
        IncompleteError: by ``require_backup``; it names what is missing.
    """
    with opened_source(source, cancel) as spec:
        report = _xbkit.extract(
            spec,
            dir,
            in_place,
            overwrite,
            sync,
            allow_missing_end,
            parallel,
            _names(members, "members"),
            require_backup,
            (decompress, decrypt, decode_threads, max_decoded_size, max_ratio, key),
            emitter(on_event),
            on_event is not None,
            cancel,
        )
    return ExtractReport(*report)


def create(
    sink: Sink,
    files: Iterable[StrPath | tuple[str, StrPath]],
    *,
    base: StrPath = "",
    parallel: int = 1,
    chunk_size: int = CHUNK_SIZE,
    format: Format = "xbstream",
    dialect: Dialect = "mariadb",
    manifest: bool = True,
    changed: Literal["refuse", "warn"] = "refuse",
    overwrite: bool = False,
    compress: Compress | None = None,
    compress_level: int | None = None,
    compress_threads: int = 1,
    compress_chunk_size: int = CODEC_BLOCK,
    encrypt: Encrypt | None = None,
    encrypt_threads: int = 1,
    encrypt_chunk_size: int = CODEC_BLOCK,
    key: bytes | None = None,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> CreateReport:
    """Makes a stream of files.

    If the job fails after a member was complete, half a header is appended to the stream, so that
    no reader can take what was written for a whole one. A sink given as a path is not there then.

    Args:
        sink: where the stream goes; never closed.
        files: regular files; relative paths, which become the members' names, or pairs of a name
            and a path.
        base: directory that relative paths start from.
        parallel: threads that read, 1 to 256; each file belongs to one, so members interleave.
        chunk_size: payload bytes of a chunk, 64 KiB to 64 MiB.
        format: the stream's format; in ``"tar"`` threads only read ahead.
        dialect: whether holes travel as sparse chunks; not in ``"tar"``.
        manifest: whether the stream ends in a manifest, by which it can be proven whole.
        changed: whether a file that changes while it is read is an error or a warning.
        overwrite: whether ``sink``, given as a path, may exist and is replaced.
        compress: how members are compressed, if they are.
        compress_level: of zstd, 1 to 19 (1 if not given), or gzip, 1 to 9 (6).
        compress_threads: threads that compress, besides those that read; the stream is the same
            for every number.
        compress_chunk_size: bytes that quicklz and lz4 compress on their own.
        encrypt: the cipher that members are encrypted with, if they are.
        encrypt_threads: threads that encrypt, besides those that read.
        encrypt_chunk_size: bytes that are encrypted on their own.
        key: 16, 24 or 32 bytes, as the cipher wants.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.
    """
    if isinstance(files, (str, bytes, os.PathLike)):
        raise TypeError("files is one path; give a list of paths")
    pairs = [
        (os.fspath(file[0]), os.fspath(file[1]))
        if isinstance(file, tuple)
        else (os.fspath(file), os.fspath(file))
        for file in files
    ]
    with opened_sink(sink, overwrite=overwrite) as spec:
        report = _xbkit.create(
            spec,
            pairs,
            base,
            parallel,
            chunk_size,
            format,
            dialect,
            manifest,
            changed,
            (
                compress,
                compress_level,
                compress_threads,
                compress_chunk_size,
                encrypt,
                encrypt_threads,
                encrypt_chunk_size,
                key,
            ),
            emitter(on_event),
            on_event is not None,
            cancel,
        )
    members, payload, stream, pages = report
    return CreateReport(members, payload, stream, PageCounts(*pages))


def list(
    source: Source,
    *,
    allow_missing_end: bool = False,
    key: bytes | None = None,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> builtins.list[MemberInfo]:
    """The members of a stream, in the order of their ends; the stream is checked on the way.

    Reads to the end. Members that MariaDB's chunks rename or remove later are listed under their
    first name. For long lists, ``on_event`` gets each :class:`MemberDone` as it comes.

    Args:
        source: where the stream comes from; never closed.
        allow_missing_end: as for :func:`extract`.
        key: of a stream that is encrypted as a whole.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.
    """
    found: builtins.list[MemberInfo] = []

    def collect(event: Event) -> None:
        if isinstance(event, MemberDone):
            found.append(MemberInfo(event.name, event.size))
        if on_event is not None:
            on_event(event)

    with opened_source(source, cancel) as spec:
        _xbkit.list(spec, allow_missing_end, key, emitter(collect), cancel)
    return found


def verify(
    source: Source,
    *,
    allow_unproven: bool = False,
    allow_missing_end: bool = False,
    require_backup: bool = False,
    key: bytes | None = None,
    pages: bool = False,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> VerifyReport:
    """Verifies a stream without writing it anywhere.

    Success means *proven* to be complete and unchanged, by the manifest in the stream. Without
    ``allow_unproven`` a sound stream that has none ends in :class:`UnprovenError`.

    Args:
        source: where the stream comes from; never closed.
        allow_unproven: whether a stream may pass whose structure and checksums are right, but
            which nothing proves to be complete.
        allow_missing_end: as for :func:`extract`.
        require_backup: refuse a stream that lacks what a backup of a whole server has, such as the
            system tablespace or the redo log; :class:`IncompleteError` names it.
        key: of a stream that is encrypted as a whole.
        pages: check the pages of tablespaces, too; each damaged one is a :class:`BadPage`, and at
            the end :class:`PageCorruptError` is raised.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.
    """
    with opened_source(source, cancel) as spec:
        report = _xbkit.verify(
            spec,
            allow_unproven,
            allow_missing_end,
            require_backup,
            key,
            pages,
            emitter(on_event),
            on_event is not None,
            cancel,
        )
    members, payload, stream, proven, backup, seen = report
    return VerifyReport(members, payload, stream, proven, backup, PageCounts(*seen))


def check(
    *paths: StrPath,
    parallel: int = 1,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> CheckReport:
    """Checks every page of the tablespaces in directories, or of single files: of a *stopped*
    server, or of an extracted backup.

    Each damaged page is a :class:`BadPage`, each file a :class:`FileChecked`. A file that cannot be
    read is a :class:`Log`, and the job fails at its end, so that one pass shows all there is.

    Args:
        paths: data directories or files.
        parallel: threads that read, 1 to 256.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.

    Raises:
        PageCorruptError: a page is damaged, or missing at the end of a file.
        LockedError: a server uses a file.
        FileChangedError: a file changed meanwhile.
        NotFoundError: there is no such path, or no tablespace below it.
    """
    files, size, pages = _xbkit.check(
        [os.fspath(path) for path in paths],
        parallel,
        emitter(on_event),
        on_event is not None,
        cancel,
    )
    return CheckReport(files, size, PageCounts(*pages))


def info(
    source: Source,
    *,
    key: bytes | None = None,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> BackupInfo:
    """Says what backup a stream or a directory holds: type, server, LSNs, positions.

    It reads as little as it can: of a regular file without compression around it headers and a few
    small members, of other sources everything, or without a manifest until nothing more can be
    learned. What is missing is ``None`` and no error; a file that is malformed is one, and named.

    Args:
        source: where the stream comes from, never closed; or the path of a directory.
        key: of a stream that is encrypted as a whole, or of files that are each by itself; without
            it these are named in ``unread``.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.
    """
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
        return BackupInfo._of_json(_xbkit.info_of_dir(source, key, cancel))
    with opened_source(source, cancel) as spec:
        return BackupInfo._of_json(
            _xbkit.info(spec, key, emitter(on_event), on_event is not None, cancel)
        )


def cat(
    source: Source,
    member: StrPath,
    sink: Sink,
    *,
    tmpdir: StrPath | None = None,
    max_spool: int = 64 << 30,
    raw: bool = False,
    allow_missing_end: bool = False,
    key: bytes | None = None,
    overwrite: bool = False,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> CatReport:
    """Writes the bytes of one member of a stream, and verifies the whole stream.

    Up to 16 MiB are written only when all is well. A larger member may be written before the
    stream turns out to be damaged: then this raises, and what was written is not to be used. A
    sink given as a path is not there then.

    Args:
        source: where the stream comes from; read to its end, never closed.
        member: the member's path in the stream, with or without suffixes such as ``.zst``;
            ``MANIFEST_NAME`` is one, too.
        sink: where its bytes go; never closed.
        tmpdir: where a member waits that may still change and does not fit into memory; as
            ``tempfile`` chooses unless given.
        max_spool: most bytes that wait there; larger members are written as they come.
        raw: write the member as the stream stores it, and do not decode it.
        allow_missing_end: let a tar archive end without its two blocks of zeros.
        key: of a stream that is encrypted as a whole, or of the member if it is by itself.
        overwrite: whether ``sink``, given as a path, may exist and is replaced.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.

    Raises:
        NotFoundError: the stream has no such member.
        LimitError: the stream changed bytes of the member that were written already.
    """
    directory = tempfile.gettempdir() if tmpdir is None else tmpdir
    with opened_source(source, cancel) as spec, opened_sink(sink, overwrite=overwrite) as to:
        report = _xbkit.cat(
            spec,
            member,
            to,
            directory,
            max_spool,
            raw,
            allow_missing_end,
            key,
            emitter(on_event),
            on_event is not None,
            cancel,
        )
    return CatReport(*report)


def convert(
    source: Source,
    sink: Sink,
    *,
    format: Format,
    chunk_size: int = CHUNK_SIZE,
    manifest: bool = True,
    tmpdir: StrPath | None = None,
    max_spool: int = 64 << 30,
    spool_all: bool = False,
    allow_missing_end: bool = False,
    overwrite: bool = False,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> ConvertReport:
    """Turns a stream into one of another format, with a manifest of its own.

    A tar archive needs each member's size before its bytes, so members of an xbstream wait until
    they end: a mebibyte each and 64 in all in memory, then in files without names. A failed job
    ends the new stream as :func:`create` does.

    Args:
        source: where the stream comes from; read to its end, never closed.
        sink: where the new one goes; never closed.
        format: the format of the new one.
        chunk_size: payload bytes of a chunk of the new one, 64 KiB to 64 MiB.
        manifest: whether the new one ends in a manifest, by which it can be proven whole.
        tmpdir: where members wait; as ``tempfile`` chooses unless given.
        max_spool: most bytes that may wait at once.
        spool_all: let every member wait for the end, for streams of MariaDB that rename, remove or
            rewrite members that ended.
        allow_missing_end: as for :func:`extract`.
        overwrite: whether ``sink``, given as a path, may exist and is replaced.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.

    Raises:
        UnsupportedError: for a stream that changes members that ended, without ``spool_all``.
    """
    directory = tempfile.gettempdir() if tmpdir is None else tmpdir
    with opened_source(source, cancel) as from_spec, opened_sink(sink, overwrite=overwrite) as spec:
        report = _xbkit.convert(
            from_spec,
            spec,
            format,
            chunk_size,
            manifest,
            directory,
            max_spool,
            spool_all,
            allow_missing_end,
            emitter(on_event),
            on_event is not None,
            cancel,
        )
    return ConvertReport(*report)


def _names(patterns: Iterable[str], option: str) -> builtins.list[str]:
    if isinstance(patterns, str):
        raise TypeError(f"{option} is one string; give a list of strings")
    return [*patterns]
