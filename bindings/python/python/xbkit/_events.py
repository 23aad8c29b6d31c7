"""What jobs tell while they run, and what they report at their end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ._info import BinlogPosition

logger = logging.getLogger("xbkit")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; at most every 100 ms, and once at its end."""

    stream_bytes: int
    """Stream bytes written or read so far, as they pass the descriptor or object."""
    members: int
    """Members finished so far."""
    total_bytes: int | None
    """Stream bytes expected in all, where that is known."""


@dataclass(frozen=True, slots=True)
class MemberDone:
    """A member was finished."""

    name: str
    """Its path in the stream."""
    size: int
    """Its size in bytes."""


@dataclass(frozen=True, slots=True)
class Log:
    """A sentence for a log; ``logging.getLogger("xbkit")`` gets it, too."""

    level: int
    """``logging.INFO`` or ``logging.WARNING``."""
    message: str
    """The sentence."""


@dataclass(frozen=True, slots=True)
class BadPage:
    """A page of a tablespace is not what the server wrote."""

    name: str
    """The file or member."""
    page: int
    """Its place in the file, in pages from 0."""
    offset: int
    """Where in the file it begins, in bytes."""
    message: str
    """Place, fault, and both checksums."""


@dataclass(frozen=True, slots=True)
class PageCounts:
    """How many pages of tablespaces are what."""

    pages: int = 0
    """All pages."""
    good: int = 0
    """Pages that are right."""
    zero: int = 0
    """Pages of zeros: allocated, never written."""
    damaged: int = 0
    """Pages that are not what the server wrote."""
    missing: int = 0
    """Pages that are not there, of those that a file's first page says there are."""
    unchecked: int = 0
    """Pages that nothing can tell whether they are right: encrypted by MySQL, without checksum,
    compressed by older MariaDB, in the doublewrite buffer."""


@dataclass(frozen=True, slots=True)
class FileChecked:
    """All pages of a tablespace were looked at."""

    name: str
    """The file or member."""
    pages: PageCounts
    """How many of them are what."""


Event = Progress | MemberDone | Log | BadPage | FileChecked
"""What ``on_event`` is called with."""

OnEvent = Callable[[Event], object]
"""Called with each event on the thread that called the job. What it returns is ignored; what it
raises stops the job and is raised by it."""


@dataclass(frozen=True, slots=True)
class CreateReport:
    """What a job that made a stream did."""

    members: int
    """Members in the stream, less the manifest."""
    payload_bytes: int
    """Bytes of all members, holes included."""
    stream_bytes: int
    """Bytes of the stream."""
    pages: PageCounts = PageCounts()
    """Pages of tablespaces that a backup checked on the way."""


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long the backup of a running server held up others, in seconds."""

    flush: float
    """Writes to tables without transactions waited."""
    block_ddl: float
    """DDL waited."""
    block_commit: float
    """Commits waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport(CreateReport):
    """What the backup of a running server did."""

    binlog: BinlogPosition | None
    """The place in the server's binary log, if it has one: the backup holds what was committed
    before."""
    from_lsn: int
    """LSN of the checkpoint that recovery begins with."""
    to_lsn: int
    """LSN of the server's newest checkpoint at the end."""
    last_lsn: int
    """LSN at which the copied redo ends."""
    times: StageTimes
    """How long others waited."""
    torn_pages: int
    """Pages that the server was just writing, and that were read again."""


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What a preparation did."""

    server_program: str | None
    """The program of the server that recovered; ``None`` if the backup was prepared already."""
    warnings: tuple[str, ...]
    """Errors that it logged, and that concern neither InnoDB nor Aria."""


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """What an extraction did."""

    members: int
    """Members extracted."""
    skipped: int
    """Members that no pattern asked for; they were verified all the same."""
    payload_bytes: int
    """Bytes of the extracted members."""
    stream_bytes: int
    """Bytes read from the source, as they came: compressed, if there was an outer layer."""
    proven: bool
    """Whether the stream was proven to be complete and unchanged, by a manifest in it."""
    backup: str | None = None
    """What kind of backup it holds, as far as its members tell: ``"full"``, ``"incremental"``,
    ``"cold"``, ``"prepared"`` or ``"log-applied"``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport(ExtractReport):
    """What a restore did."""

    recovered: bool
    """Whether it was the backup of a running server, which a server recovered."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was seen of a stream."""

    members: int
    """Members of the stream, less those that it took back itself."""
    payload_bytes: int
    """Bytes of all members, holes included."""
    stream_bytes: int
    """Bytes read from the source, as they came."""
    proven: bool
    """Whether the stream was proven to be complete and unchanged, by a manifest in it."""
    backup: str | None = None
    """What kind of backup it holds, as far as its members tell: ``"full"``, ``"incremental"``,
    ``"cold"``, ``"prepared"`` or ``"log-applied"``."""
    pages: PageCounts = PageCounts()
    """Pages of tablespaces, if they were to be checked."""


@dataclass(frozen=True, slots=True)
class CatReport:
    """What a :func:`cat` did."""

    size: int
    """Bytes of the member."""
    stream_bytes: int
    """Bytes read from the source, as they came."""
    proven: bool
    """Whether the stream was proven to be complete and unchanged, by a manifest in it."""


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What a conversion did."""

    members: int
    """Members of the new stream, less the manifest."""
    payload_bytes: int
    """Bytes of all members, holes included."""
    stream_bytes: int
    """Bytes of the new stream."""
    proven: bool
    """Whether the old stream was proven to be complete and unchanged, by a manifest in it."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check of pages saw."""

    files: int
    """Tablespaces that were checked."""
    bytes: int
    """Their bytes."""
    pages: PageCounts
    """Their pages."""


def emitter(on_event: OnEvent | None) -> Callable[[int, object, object, object], None]:
    """What native jobs call: events by number, and three values."""

    def emit(kind: int, a: object, b: object, c: object) -> None:
        event: Event
        if kind == 0:
            assert isinstance(a, int) and isinstance(b, int) and (c is None or isinstance(c, int))
            event = Progress(a, b, c)
        elif kind == 1:
            assert isinstance(a, str) and isinstance(b, int)
            event = MemberDone(a, b)
        elif kind == 3:
            assert isinstance(a, str) and isinstance(b, tuple) and isinstance(c, str)
            page, offset = b
            event = BadPage(a, page, offset, c)
        elif kind == 4:
            assert isinstance(a, str) and isinstance(b, tuple)
            event = FileChecked(a, PageCounts(*b))
        else:
            assert isinstance(a, int) and isinstance(b, str)
            logger.log(a, "%s", b)
            event = Log(a, b)
        if on_event is not None:
            on_event(event)

    return emit
