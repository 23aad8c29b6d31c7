"""From a backup to a directory that a server can start on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable

from . import _xbkit
from ._endpoints import Source, opened_source
from ._events import OnEvent, PrepareReport, RestoreReport, emitter
from ._jobs import MAX_DECODED_SIZE, MAX_RATIO, StrPath, _names

USE_MEMORY = 128 << 20
"""Bytes of the buffer pool of a server that recovers, unless asked otherwise."""


def prepare(
    dir: StrPath,
    *,
    server_program: StrPath | None = None,
    use_memory: int = USE_MEMORY,
    server_options: Iterable[str] = (),
    tmpdir: StrPath | None = None,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> PrepareReport:
    """Prepares the directory that the backup of a running server was extracted to.

    What DDL did meanwhile is applied, and a server of the backup's version is run privately on the
    directory, as a child process, until it has recovered and shut down. Full backups of
    ``mariabackup`` are taken, too. A run that failed or was killed can be repeated; a directory that
    is prepared already is left as it is.

    Args:
        dir: the directory.
        server_program: the server's program; if not given, ``mariadbd`` and ``mysqld`` are looked
            for in ``PATH`` and the usual places.
        use_memory: bytes of its buffer pool, at least 5 MiB.
        server_options: further options for it, such as
            ``"file_key_management_filename=/etc/keys"``.
        tmpdir: where its socket is, so the path must be short; as ``tempfile`` chooses unless given.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job, once
            the server has ended.
        cancel: ends the job when set, from any thread.

    Raises:
        NotFoundError: the directory holds no backup, or no fitting server is there.
        InvalidStateError: an extraction into it did not finish.
        RecoveryError: the server did not recover it.
        UnsupportedError: the backup is incremental.
        LockedError: another process works on it.
    """
    program, warnings = _xbkit.prepare(
        dir,
        _recovery(server_program, use_memory, server_options, tmpdir),
        emitter(on_event),
        on_event is not None,
        cancel,
    )
    return PrepareReport(None if program is None else os.fspath(program), tuple(warnings))


def restore(
    source: Source,
    datadir: StrPath,
    *,
    owner: str | None = None,
    parallel: int = 1,
    key: bytes | None = None,
    decode_threads: int = 1,
    max_decoded_size: int = MAX_DECODED_SIZE,
    max_ratio: int = MAX_RATIO,
    server_program: StrPath | None = None,
    use_memory: int = USE_MEMORY,
    server_options: Iterable[str] = (),
    tmpdir: StrPath | None = None,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> RestoreReport:
    """Makes a data directory of a stream: extracts it as :func:`extract` does, has a server recover
    the backup of a running one as :func:`prepare` does, and gives the files to the server's user.

    If the job fails behind the extraction, :func:`prepare` can be tried on ``datadir`` again.

    Args:
        source: where the stream comes from; read to its end, never closed.
        datadir: the data directory, new or empty.
        owner: the user, by name, who gets the files. Unless given, root gives them to the owner of
            ``datadir`` if it was there, else to ``mysql``.
        parallel: threads that write, 1 to 256.
        key: of what is encrypted, 16, 24 or 32 bytes.
        decode_threads: as for :func:`extract`.
        max_decoded_size: as for :func:`extract`.
        max_ratio: as for :func:`extract`.
        server_program: as for :func:`prepare`.
        use_memory: as for :func:`prepare`.
        server_options: as for :func:`prepare`.
        tmpdir: as for :func:`prepare`.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.

    Raises:
        XbkitError: as :func:`extract` and :func:`prepare`.
    """
    recovery = _recovery(server_program, use_memory, server_options, tmpdir)
    with opened_source(source, cancel) as spec:
        extracted, recovered = _xbkit.restore(
            spec,
            datadir,
            owner,
            parallel,
            (True, True, decode_threads, max_decoded_size, max_ratio, key),
            recovery,
            emitter(on_event),
            on_event is not None,
            cancel,
        )
    return RestoreReport(*extracted, recovered=recovered)


def put_back(
    dir: StrPath,
    datadir: StrPath,
    *,
    data_home: StrPath | None = None,
    undo_dir: StrPath | None = None,
    log_dir: StrPath | None = None,
    aria_log_dir: StrPath | None = None,
    move_files: bool = False,
    non_empty: bool = False,
    on_event: OnEvent | None = None,
    cancel: _xbkit.CancelToken | None = None,
) -> int:
    """Copies or moves a prepared backup into a data directory, and says how many files it has.

    Root gives them to the owner of ``datadir`` if it was there, else to ``mysql``. Files of a copy
    that fails are removed again; what was moved stays where it is.

    Args:
        dir: the prepared backup.
        datadir: the data directory, new or empty.
        data_home: where the system tablespace goes, if elsewhere: ``innodb_data_home_dir``.
        undo_dir: where undo tablespaces go, if elsewhere: ``innodb_undo_directory``.
        log_dir: where the redo log goes, if elsewhere: ``innodb_log_group_home_dir``.
        aria_log_dir: where Aria's log goes, if elsewhere: ``aria_log_dir_path``.
        move_files: move instead of copying.
        non_empty: let ``datadir`` hold files; those of the backup may not be there all the same.
        on_event: called with each :data:`Event`, on this thread; what it raises ends the job.
        cancel: ends the job when set, from any thread.

    Raises:
        InvalidStateError: the backup is not prepared.
        ExistsError: a directory is not empty, or a file is there.
    """
    return _xbkit.put_back(
        dir,
        datadir,
        data_home,
        undo_dir,
        log_dir,
        aria_log_dir,
        move_files,
        non_empty,
        emitter(on_event),
        on_event is not None,
        cancel,
    )


def _recovery(
    program: StrPath | None, memory: int, options: Iterable[str], tmpdir: StrPath | None
) -> _xbkit._Recovery:
    least = 5 << 20
    if not least <= memory <= 1 << 48:
        raise ValueError(f"use_memory {memory} is not between {least} and {1 << 48}")
    directory = os.path.abspath(tempfile.gettempdir() if tmpdir is None else tmpdir)
    return (program, memory, _names(options, "server_options"), directory)
