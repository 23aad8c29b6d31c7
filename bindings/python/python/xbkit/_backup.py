"""Backups of servers, stopped and running."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import overload

from . import _xbkit
from ._endpoints import Sink, opened_sink
from ._events import CreateReport, OnEvent, PageCounts, ServerReport, StageTimes, emitter
from ._info import BinlogPosition
from ._jobs import (
    CHUNK_SIZE,
    CODEC_BLOCK,
    Compress,
    Dialect,
    Encrypt,
    Format,
    StrPath,
)

MAX_SERVER_SPOOL = 1 << 40
"""Most bytes in each of the two spools of a running server's backup unless asked otherwise: 1 TiB,
which is to say that the free space of ``tmpdir`` is the limit."""

LOCK_WAIT_TIMEOUT = 60
"""Seconds that the backup of a running server waits for each lock unless asked otherwise."""

SAFE_SLAVE_WAIT = 300
"""Seconds that ``safe_slave_backup`` waits unless asked otherwise."""


@overload
def backup(
    sink: Sink | None = None,
    *,
    datadir: StrPath,
    target_dir: StrPath | None = None,
    data_home: StrPath | None = None,
    system_files: Iterable[StrPath] | None = None,
    undo_dir: StrPath | None = None,
    log_dir: StrPath | None = None,
    aria_log_dir: StrPath | None = None,
    parallel: int = 1,
    chunk_size: int = CHUNK_SIZE,
    format: Format = "xbstream",
    dialect: Dialect = "mariadb",
    manifest: bool = True,
    log_page_corruption: bool = False,
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
) -> CreateReport: ...


@overload
def backup(
    sink: Sink | None = None,
    *,
    server: _xbkit.Server,
    datadir: StrPath | None = None,
    target_dir: StrPath | None = None,
    tmpdir: StrPath | None = None,
    max_spool: int | None = None,
    throttle: int | None = None,
    lock_wait_timeout: int | None = None,
    slave_info: bool = False,
    galera_info: bool = False,
    safe_slave_backup: bool = False,
    safe_slave_backup_timeout: int | None = None,
    parallel: int = 1,
    chunk_size: int = CHUNK_SIZE,
    format: Format = "xbstream",
    dialect: Dialect = "mariadb",
    manifest: bool = True,
    log_page_corruption: bool = False,
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
) -> ServerReport: ...


def backup(
    sink: Sink | None = None,
    *,
    server: _xbkit.Server | None = None,
    datadir: StrPath | None = None,
    target_dir: StrPath | None = None,
    data_home: StrPath | None = None,
    system_files: Iterable[StrPath] | None = None,
    undo_dir: StrPath | None = None,
    log_dir: StrPath | None = None,
    aria_log_dir: StrPath | None = None,
    tmpdir: StrPath | None = None,
    max_spool: int | None = None,
    throttle: int | None = None,
    lock_wait_timeout: int | None = None,
    slave_info: bool = False,
    galera_info: bool = False,
    safe_slave_backup: bool = False,
    safe_slave_backup_timeout: int | None = None,
    parallel: int = 1,
    chunk_size: int = CHUNK_SIZE,
    format: Format = "xbstream",
    dialect: Dialect = "mariadb",
    manifest: bool = True,
    log_page_corruption: bool = False,
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
    """Backs up a server: a *stopped* one, whose ``datadir`` is given, or a *running* ``server``.

    Of a stopped one, the system tablespace stays locked throughout: a server that runs is noticed,
    and one started meanwhile refuses to.

    A running one is a MariaDB server, 10.8 or later, on this machine. What comes out is what it would
    have left had it crashed at :attr:`ServerReport.binlog`: every transaction that committed before,
    and none after. A server must recover it: see :func:`restore` and :func:`prepare`. Others wait for
    the backup only in its last stages, as :attr:`ServerReport.times` tells; a sink that stalls holds
    no lock. However the job ends, an exception of your sink or Ctrl-C included, all locks are released
    at once. The account needs ``RELOAD``, with a binary log ``BINLOG MONITOR``, and with
    ``slave_info`` ``SLAVE MONITOR``.

    A failed job ends its stream as :func:`create` does, or leaves no file in ``target_dir``.

    Args:
        sink: where the stream goes; never closed. Either this or ``target_dir``.
        server: the running server.
        datadir: the data directory of a stopped server. Of a running one it need not be given: then
            it is what you take for the server's, and another one is an error.
        target_dir: a new or empty directory that gets files instead of a stream, stored as the
            members of an xbstream would be: compressed and encrypted, if that is asked for.
        data_home: of a stopped server, ``innodb_data_home_dir``, if the system tablespace is not in
            ``datadir``.
        system_files: of a stopped server, files of ``innodb_data_file_path``, without sizes;
            ``ibdata1`` unless given.
        undo_dir: of a stopped server, ``innodb_undo_directory``, if not ``datadir``.
        log_dir: of a stopped server, ``innodb_log_group_home_dir``, if not ``datadir``.
        aria_log_dir: of a stopped server, ``aria_log_dir_path``, if not ``datadir``.
        tmpdir: of a running server: where redo and what is read under locks wait, beyond 8 MiB each;
            as ``tempfile`` chooses unless given.
        max_spool: of a running server: most bytes that wait there, of each; 1 TiB unless given.
        throttle: of a running server: read data files with so many bytes a second at most.
        lock_wait_timeout: of a running server: seconds to wait for each lock, 1 to 31536000; 60
            unless given. Others queue behind meanwhile.
        slave_info: of a running server: keep what makes the restored one a replica of its
            primaries.
        galera_info: of a running server: keep its place in its Galera cluster.
        safe_slave_backup: of a running replica: copy a moment at which it has no temporary tables of
            its primary's sessions, which a backup does not carry. What it applies is stopped while
            locks are held, and started again. Needs also ``REPLICATION SLAVE ADMIN``.
        safe_slave_backup_timeout: seconds to wait for that moment, 1 to 31536000; 300 unless given.
        parallel: threads that read, 1 to 256.
        chunk_size: payload bytes of a chunk, 64 KiB to 64 MiB.
        format: the stream's format; in ``"tar"`` threads only read ahead.
        dialect: whether holes travel as sparse chunks; not in ``"tar"``.
        manifest: whether the stream ends in a manifest, by which it can be proven whole.
        log_page_corruption: report damaged pages by :class:`BadPage` and carry them, instead of
            failing at the first; the report counts them, and the copy is as damaged. That of a
            running server lists them in ``innodb_corrupted_pages``.
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

    Raises:
        LockedError: a server uses the directory of a stopped one.
        NotFoundError: it is no data directory.
        FileChangedError: something in it changed meanwhile.
        PageCorruptError: a page of a tablespace is not what the server wrote.
        ConnectError: the server cannot be reached, or the connection broke.
        AuthError: it refuses the login, or the account lacks a privilege, which the hint names.
        LockWaitError: it did not grant a lock in time.
        RedoOverrunError: it wrote over redo that was not read yet.
        UnsupportedError: it is a server of another kind or version.
    """
    storing = (
        compress,
        compress_level,
        compress_threads,
        compress_chunk_size,
        encrypt,
        encrypt_threads,
        encrypt_chunk_size,
        key,
    )
    of_stopped = {
        "data_home": data_home,
        "system_files": system_files,
        "undo_dir": undo_dir,
        "log_dir": log_dir,
        "aria_log_dir": aria_log_dir,
    }
    of_running = {
        "tmpdir": tmpdir,
        "max_spool": max_spool,
        "throttle": throttle,
        "lock_wait_timeout": lock_wait_timeout,
        "slave_info": slave_info or None,
        "galera_info": galera_info or None,
        "safe_slave_backup": safe_slave_backup or None,
        "safe_slave_backup_timeout": safe_slave_backup_timeout,
    }
    if server is None:
        _refuse(of_running, "without a server, so the server is a stopped one")
        if datadir is None:
            raise TypeError("neither server nor datadir is given")
    else:
        _refuse(of_stopped, "together with a server that runs")
        _within("lock_wait_timeout", lock_wait_timeout, 1, 31_536_000)
        _within("safe_slave_backup_timeout", safe_slave_backup_timeout, 1, 31_536_000)
        _within("throttle", throttle, 1, 1 << 48)
        _within("max_spool", max_spool, 0, 1 << 48)
    with _opened_target(sink, target_dir, overwrite) as target:
        if server is None:
            files = None if system_files is None else [os.fspath(file) for file in system_files]
            assert datadir is not None
            made = _xbkit.backup(
                target,
                datadir,
                data_home,
                files,
                undo_dir,
                log_dir,
                aria_log_dir,
                parallel,
                chunk_size,
                format,
                dialect,
                manifest,
                storing,
                log_page_corruption,
                emitter(on_event),
                on_event is not None,
                cancel,
            )
            members, payload, stream, pages = made
            return CreateReport(members, payload, stream, PageCounts(*pages))
        made, told = _xbkit.backup_server(
            target,
            server,
            datadir,
            os.path.abspath(tempfile.gettempdir() if tmpdir is None else tmpdir),
            MAX_SERVER_SPOOL if max_spool is None else max_spool,
            throttle,
            LOCK_WAIT_TIMEOUT if lock_wait_timeout is None else lock_wait_timeout,
            slave_info,
            galera_info,
            (safe_slave_backup_timeout or SAFE_SLAVE_WAIT) if safe_slave_backup else None,
            parallel,
            chunk_size,
            format,
            dialect,
            manifest,
            storing,
            log_page_corruption,
            emitter(on_event),
            on_event is not None,
            cancel,
        )
    members, payload, stream, pages = made
    position, (from_lsn, to_lsn, last_lsn), times, torn = told
    return ServerReport(
        members,
        payload,
        stream,
        PageCounts(*pages),
        binlog=None if position is None else BinlogPosition(*position),
        from_lsn=from_lsn,
        to_lsn=to_lsn,
        last_lsn=last_lsn,
        times=StageTimes(*times),
        torn_pages=torn,
    )


@contextlib.contextmanager
def _opened_target(
    sink: Sink | None, target_dir: StrPath | None, overwrite: bool
) -> Iterator[_xbkit._Target]:
    """The sink, or the directory, as the core takes it."""
    if (sink is None) == (target_dir is None):
        raise TypeError("of sink and target_dir one is to be given")
    if target_dir is not None:
        yield [target_dir]
    else:
        assert sink is not None
        with opened_sink(sink, overwrite=overwrite) as spec:
            yield spec


def _refuse(given: Mapping[str, object], why: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise TypeError(f"{name} is given {why}")


def _within(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise ValueError(f"{name} {value} is not between {least} and {most}")
