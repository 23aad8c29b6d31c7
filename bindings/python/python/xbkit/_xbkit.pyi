"""The native half of ``xbkit``. Use the package: what is here changes without notice."""

import builtins
import os
from collections.abc import Callable
from typing import Final, final

from typing_extensions import Buffer

_SourceSpec = tuple[int, bytes] | tuple[str, Callable[..., object]]
_SinkSpec = int | tuple[Callable[[bytes], int | None], Callable[[], object] | None, bool]
_Emit = Callable[[int, object, object, object], None]
_Path = str | os.PathLike[str]
_Storing = tuple[
    str | None, int | None, int, int, str | None, int, int, bytes | None
]
_Counts = tuple[int, int, int, int, int, int]
_Target = _SinkSpec | builtins.list[_Path]
_Decoding = tuple[bool, bool, int, int, int, bytes | None]
_Recovery = tuple[_Path | None, int, builtins.list[str], _Path]

__all__ = [
    "VERSION",
    "DEBUG",
    "CancelToken",
    "Entry",
    "Reader",
    "Server",
    "Writer",
    "backup",
    "backup_server",
    "cat",
    "check",
    "convert",
    "create",
    "error_kinds",
    "extract",
    "info",
    "info_of_dir",
    "list",
    "prepare",
    "put_back",
    "restore",
    "verify",
]

VERSION: Final[str]
DEBUG: Final[bool]

@final
class CancelToken:
    """Cancels the jobs it was given to."""

    def __new__(cls) -> CancelToken: ...
    def cancel(self) -> None:
        """Sets the token: jobs end within 200 ms with ``CancelledError``. Any thread may call."""

    @property
    def cancelled(self) -> bool:
        """Whether the token was set."""

@final
class Server:
    """Where a running MariaDB server is, and whose account to use.

    It is on this machine all the same, as files are read from disk. Its ``repr`` names the place and
    nothing else. The environment is not read: pass ``os.environ["..."]`` as the password.

    Args:
        socket: its Unix socket.
        host: the host by which it is reached over TCP; not together with ``socket``.
        port: the port of the host; 3306 unless given.
        user: the account; the server decides if none is given.
        password: its password, of which a copy is kept that is wiped with this object; never in
            messages, events or logs.
        password_file: a file whose first line is the password.
        defaults_file: an option file whose groups ``[client]``, ``[client-mariadb]`` and ``[xbkit]``
            say what is not given here: socket, host, port, user, password, ssl-ca.
        tls: encrypt TCP connections, and check the server's certificate.
        tls_ca: a PEM file with the certificates of the authority to trust; implies ``tls``.
        tls_cert: a PEM file with the certificate that the server is shown; needs ``tls_key``.
        tls_key: its key, PEM.
        tls_no_verify: encrypt, but do not check who the server is.
    """

    def __new__(
        cls,
        *,
        socket: _Path | None = None,
        host: str | None = None,
        port: int | None = None,
        user: str | None = None,
        password: str | bytes | bytearray | None = None,
        password_file: _Path | None = None,
        defaults_file: _Path | None = None,
        tls: bool = False,
        tls_ca: _Path | None = None,
        tls_cert: _Path | None = None,
        tls_key: _Path | None = None,
        tls_no_verify: bool = False,
    ) -> Server: ...

@final
class Reader:
    """Reads a stream's items."""

    def __new__(
        cls,
        source: _SourceSpec,
        allow_missing_end: bool,
        key: bytes | None,
        cancel: CancelToken | None,
    ) -> Reader: ...
    @property
    def layers(self) -> builtins.list[str]:
        """The layers found around the stream, outermost first."""

    @property
    def format(self) -> str:
        """The stream's format."""

    def stream_offset(self) -> int:
        """Stream bytes decoded so far, inside all layers."""

    def next_item(self) -> tuple[int, object, object, object] | None:
        """The next item, or ``None`` at the proper end of the stream."""

    def is_proven(self) -> bool:
        """Whether the stream was proven to be whole, by a manifest in it, now that it has ended."""

    def close(self) -> None:
        """Lets go of the source."""

@final
class Writer:
    """Writes a stream."""

    def __new__(
        cls,
        sink: _SinkSpec,
        chunk_size: int,
        format: str,
        dialect: str,
        manifest: bool,
        cancel: CancelToken | None,
    ) -> Writer: ...
    def entry(self, name: _Path, size: int | None) -> Entry:
        """Begins a member."""

    @property
    def failed(self) -> bool:
        """Whether the stream cannot become whole any more."""

    @property
    def stream_bytes(self) -> int:
        """Stream bytes given to the sink so far."""

    def finish(self) -> None:
        """Ends the stream and flushes the sink."""

    def abort(self) -> None:
        """Gives up: leaves the stream unfinished, and so that this shows."""

@final
class Entry:
    """Writes one member."""

    @property
    def name(self) -> str:
        """The member's path, normalised."""

    @property
    def size(self) -> int:
        """Bytes written so far, holes included."""

    def write(self, data: Buffer) -> int:
        """Appends bytes, and says how many."""

    def hole(self, len: int) -> None:
        """Appends zeros."""

    def finish(self) -> None:
        """Ends the member."""

    def abort(self) -> None:
        """Gives up the member, and with it the stream."""

def extract(
    source: _SourceSpec,
    dir: _Path,
    in_place: bool,
    overwrite: bool,
    sync: bool,
    allow_missing_end: bool,
    parallel: int,
    members: builtins.list[str],
    require_backup: bool,
    decoding: _Decoding,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[int, int, int, int, bool, str | None]:
    """Members, skipped, payload bytes, stream bytes, whether proven, kind of backup."""

def create(
    sink: _SinkSpec,
    files: builtins.list[tuple[str, str]],
    base: _Path,
    parallel: int,
    chunk_size: int,
    format: str,
    dialect: str,
    manifest: bool,
    changed: str,
    storing: _Storing,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[int, int, int, _Counts]:
    """Members, payload bytes, stream bytes; pages: all, good, zero, damaged, missing, unchecked."""

def backup(
    target: _Target,
    datadir: _Path,
    data_home: _Path | None,
    system_files: builtins.list[str] | None,
    undo_dir: _Path | None,
    log_dir: _Path | None,
    aria_log_dir: _Path | None,
    parallel: int,
    chunk_size: int,
    format: str,
    dialect: str,
    manifest: bool,
    storing: _Storing,
    log_page_corruption: bool,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[int, int, int, _Counts]:
    """Members, payload bytes, stream bytes; pages: all, good, zero, damaged, missing, unchecked."""

def list(
    source: _SourceSpec,
    allow_missing_end: bool,
    key: bytes | None,
    emit: _Emit,
    cancel: CancelToken | None,
) -> tuple[int, int, int, bool, str | None, _Counts]:
    """Members, payload bytes, stream bytes, whether proven, kind of backup, pages."""

def verify(
    source: _SourceSpec,
    allow_unproven: bool,
    allow_missing_end: bool,
    require_backup: bool,
    key: bytes | None,
    pages: bool,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[int, int, int, bool, str | None, _Counts]:
    """Members, payload bytes, stream bytes, whether proven, kind of backup, pages."""

def info(
    source: _SourceSpec,
    key: bytes | None,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> str:
    """What backup a stream holds, as JSON."""

def info_of_dir(dir: _Path, key: bytes | None, cancel: CancelToken | None) -> str:
    """What backup a directory holds, as JSON."""

def cat(
    source: _SourceSpec,
    member: _Path,
    sink: _SinkSpec,
    tmpdir: _Path,
    max_spool: int,
    raw: bool,
    allow_missing_end: bool,
    key: bytes | None,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[int, int, bool]:
    """The member's size, stream bytes, whether proven."""

def convert(
    source: _SourceSpec,
    sink: _SinkSpec,
    format: str,
    chunk_size: int,
    manifest: bool,
    tmpdir: _Path,
    max_spool: int,
    spool_all: bool,
    allow_missing_end: bool,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[int, int, int, bool]:
    """Members, payload bytes, stream bytes, whether proven."""

def check(
    paths: builtins.list[str],
    parallel: int,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[int, int, _Counts]:
    """Files, bytes, pages."""

def backup_server(
    target: _Target,
    server: Server,
    datadir: _Path | None,
    tmpdir: _Path,
    max_spool: int,
    throttle: int | None,
    lock_wait_timeout: int,
    slave_info: bool,
    galera_info: bool,
    safe_slave: int | None,
    parallel: int,
    chunk_size: int,
    format: str,
    dialect: str,
    manifest: bool,
    storing: _Storing,
    log_page_corruption: bool,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[
    tuple[int, int, int, _Counts],
    tuple[
        tuple[str, int, str] | None,
        tuple[int, int, int],
        tuple[float, float, float],
        int,
    ],
]:
    """What was streamed; position, LSNs, seconds under locks, torn pages."""

def prepare(
    dir: _Path,
    recovery: _Recovery,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[_Path | None, builtins.list[str]]:
    """The server's program, and what it warned of."""

def restore(
    source: _SourceSpec,
    datadir: _Path,
    owner: str | None,
    parallel: int,
    decoding: _Decoding,
    recovery: _Recovery,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> tuple[tuple[int, int, int, int, bool, str | None], bool]:
    """What was extracted, and whether a server recovered it."""

def put_back(
    dir: _Path,
    datadir: _Path,
    data_home: _Path | None,
    undo_dir: _Path | None,
    log_dir: _Path | None,
    aria_log_dir: _Path | None,
    move_files: bool,
    non_empty: bool,
    emit: _Emit,
    wants_all: bool,
    cancel: CancelToken | None,
) -> int:
    """Files that were put back."""

def error_kinds() -> builtins.list[tuple[str, int]]:
    """Name and code of every kind of error."""
