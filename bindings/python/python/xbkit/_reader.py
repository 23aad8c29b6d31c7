"""Reading a stream: members as files, or items as they come."""

from __future__ import annotations

import io
import os
import warnings
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from . import _items, _xbkit
from ._endpoints import Source, opened_source
from ._errors import _from_core, _invalid_state
from ._events import logger
from ._items import Chunk, Item
from ._spool import Segment, Segments, Spool

if TYPE_CHECKING:
    from typing_extensions import Buffer

MAX_SPOOL = 1 << 30
"""Most bytes that a reader keeps of members that are not being read, unless asked otherwise."""


class Member(io.BufferedIOBase):
    """A member of a stream, to be read as a file while the stream is at it.

    Members of one stream can interleave. Reading one takes the stream forward to its end, and
    what comes of later members meanwhile is kept: 16 MiB in memory, then in an unlinked file, in
    all at most the reader's ``max_spool``; beyond that, reading raises :class:`LimitError`. When
    the reader goes on to its next member, what was not read of this one is gone.

    What ``read`` gives is provisional until it gave ``b""``: only then have all of the member's
    checksums been compared. To read it all is to verify it.

    A member that the stream writes out of order, which MariaDB can do, cannot be read as a file
    (:class:`UnsupportedError`); ``items`` and ``extract`` can do that.
    """

    name: str
    """Its path in the stream."""

    def __init__(self, reader: StreamReader, id: int, name: str, rewrite: bool) -> None:
        self.name = name
        self._reader = reader
        self._id = id
        self._rewrite = rewrite
        self._size: int | None = None
        self._arrived = 0
        self._given = 0
        self._segments: Segments = deque()
        self._in_order = True
        self._passed = False

    @property
    def id(self) -> int:
        """Its number in the stream, from 0 in order of appearance."""
        return self._id

    @property
    def rewrite(self) -> bool:
        """Whether it replaces an earlier member of this name (MariaDB)."""
        return self._rewrite

    @property
    def size(self) -> int | None:
        """Its size in bytes; ``None`` until the stream came to its end, since it is told there."""
        return self._size

    def readable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """How many bytes were read."""
        return self._given

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, or all to the end; fewer only at the end."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read1(1 << 20), b""))
        first = self.read1(size)
        if len(first) == size or not first:
            return first
        pieces, left = [first], size - len(first)
        while left and (piece := self.read1(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def read1(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes, as many as there are without taking the stream further than
        needed for the first one."""
        if self.closed:
            raise _invalid_state("the member is closed", self.name)
        if self._passed:
            raise _invalid_state("the reader went on to another member", self.name)
        if size < 0:
            size = 1 << 20
        if size == 0:
            return b""
        while not self._segments:
            self._check_order()
            if self._size is not None:
                return b""
            self._reader._advance(self)
        self._check_order()
        segment = self._segments[0]
        piece = segment.take(size)
        if not segment.left:
            self._segments.popleft()
        self._given += len(piece)
        return piece

    def readinto(self, buffer: Buffer, /) -> int:
        """Fills ``buffer``; less only at the end."""
        with memoryview(buffer).cast("B") as view:
            data = self.read(len(view))
            view[: len(data)] = data
            return len(data)

    def close(self) -> None:
        """Gives up what was not read."""
        if not self.closed:
            self._forget()
        super().close()

    def __repr__(self) -> str:
        size = "unknown" if self._size is None else self._size
        return f"<xbkit.Member {self.name!r}, size {size}>"

    def _check_order(self) -> None:
        if not self._in_order:
            raise _from_core(
                -6,
                "the stream writes this member out of order, so it cannot be read as a file",
                self.name,
                self.name,
                None,
                self._arrived,
                None,
                "extract the stream, or read its items()",
            )

    def _forget(self) -> None:
        self._passed = True
        while self._segments:
            self._segments.popleft().drop()

    def _arrive(self, offset: int, data: bytes | None, length: int, spool: Spool | None) -> None:
        """Bytes came, or with ``None`` zeros; into ``spool`` unless they are being waited for."""
        if self._passed or self.closed or not self._in_order or length == 0:
            return
        if offset != self._arrived:
            self._in_order = False
            while self._segments:
                self._segments.popleft().drop()
            return
        self._arrived += length
        if data is None:
            self._segments.append(Segment(None, length))
        elif spool is None:
            self._segments.append(Segment(None, length, data=data))
        else:
            self._segments.append(spool.put(data, self.name))


class StreamReader:
    """Reads a stream of either format; made by :func:`open`. Outer gzip, zstd and lz4 layers come off.

    One of these, not a mixture: iterate over it for members that read as files; ``items()`` for
    all that the stream says, as it comes and without keeping anything; ``chunks()`` for the data
    of these. The stream is whole only once the iteration ended by itself.

    Reading waits in descriptors, and in the methods of objects, on the calling thread; Ctrl-C ends
    waits within 200 ms. What ends a call by an exception, ends the reading. Different threads may call, one at a time. Without interleaving, or
    without reading members, it holds about 1 MiB.
    """

    def __init__(
        self,
        source: Source,
        *,
        max_spool: int = MAX_SPOOL,
        tmpdir: str | os.PathLike[str] | None = None,
        allow_missing_end: bool = False,
        key: bytes | None = None,
        cancel: _xbkit.CancelToken | None = None,
    ) -> None:
        self._native: _xbkit.Reader | None = None
        self._spool = Spool(max_spool, None if tmpdir is None else os.fspath(tmpdir))
        self._open: dict[int, Member] = {}
        self._fresh: deque[Member] = deque()
        self._current: Member | None = None
        self._mode: str | None = None
        self._closed = False
        self._failed = False
        self._proven = False
        with opened_source(source, cancel) as spec:
            self._native = _xbkit.Reader(spec, allow_missing_end, key, cancel)
        self._layers = tuple(self._native.layers)
        self._format = self._native.format

    @property
    def layers(self) -> tuple[str, ...]:
        """The compression layers around the stream, outermost first: gzip, zstd, lz4."""
        return self._layers

    @property
    def format(self) -> str:
        """The stream's format: ``"xbstream"`` or ``"tar"``."""
        return self._format

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def proven(self) -> bool:
        """Whether the stream was proven to be complete and unchanged, by a manifest in it. ``False``
        until the iteration has ended by itself."""
        return self._proven

    def items(self) -> Iterator[Item]:
        """All that the stream says, as it comes."""
        self._use("items")
        while (item := self._next()) is not None:
            yield item

    def chunks(self) -> Iterator[Chunk]:
        """The data of the stream, as it comes: name, offset, bytes.

        Bytes that no chunk covers are zero; a member that ends in zeros can be longer than its
        chunks tell (``items()`` has the size)."""
        self._use("chunks")
        names: dict[int, str] = {}
        while (item := self._next()) is not None:
            match item:
                case _items.Open():
                    names[item.id] = item.name
                case _items.Data():
                    yield Chunk(names[item.id], item.offset, item.data)
                case _items.Close():
                    del names[item.id]
                case _:
                    pass

    def __iter__(self) -> Iterator[Member]:
        return self

    def __next__(self) -> Member:
        """The next member that begins."""
        self._use("members")
        if self._current is not None:
            self._current._forget()
            self._current = None
        while not self._fresh:
            if not self._step(None):
                raise StopIteration
        self._current = self._fresh.popleft()
        return self._current

    def close(self) -> None:
        """Lets go of the source, which stays open if you opened it."""
        if self._closed:
            return
        self._closed = True
        self._release()
        for member in (*self._open.values(), *self._fresh):
            member._forget()
        self._open.clear()
        self._fresh.clear()
        self._spool.close()

    def __enter__(self) -> Self:
        if self._closed:
            raise _invalid_state("the reader is closed")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            if self._native is not None:
                warnings.warn(f"unfinished {self!r}", ResourceWarning, source=self, stacklevel=2)
            self.close()

    def __repr__(self) -> str:
        return f"<xbkit.StreamReader, {'closed' if self._closed else 'open'}>"

    def _use(self, mode: str) -> None:
        if self._closed:
            raise _invalid_state("the reader is closed")
        if self._mode not in (None, mode):
            raise _invalid_state(f"the reader's {self._mode} are being read")
        self._mode = mode

    def _release(self) -> None:
        if self._native is not None:
            self._native.close()
            self._native = None

    def _next(self) -> Item | None:
        if self._closed:
            raise _invalid_state("the reader is closed")
        if self._failed:
            raise _invalid_state("the stream failed before")
        if self._native is None:
            return None
        try:
            item = self._native.next_item()
        except BaseException:
            self._failed = True
            self._release()
            raise
        if item is None:
            self._proven = self._native.is_proven()
            self._release()
            return None
        return _items.from_native(*item)

    def _advance(self, reading: Member) -> None:
        """Takes the stream one item further for a member that is being read."""
        if not self._step(reading):
            raise _invalid_state("the stream ended before the member", reading.name)

    def _step(self, reading: Member | None) -> bool:
        item = self._next()
        match item:
            case None:
                return False
            case _items.Open():
                member = Member(self, item.id, item.name, item.rewrite)
                self._open[item.id] = member
                self._fresh.append(member)
            case _items.Data():
                member = self._open[item.id]
                spool = None if member is reading else self._spool
                member._arrive(item.offset, item.data, len(item.data), spool)
            case _items.Hole():
                self._open[item.id]._arrive(item.offset, None, item.length, None)
            case _items.Close():
                member = self._open.pop(item.id)
                member._arrive(member._arrived, None, item.size - member._arrived, None)
                member._size = item.size
            case _items.Rename():
                logger.warning("the stream renames member %r to %r", item.name, item.to)
            case _items.Remove():
                logger.warning("the stream removes member %r", item.name)
        return True
