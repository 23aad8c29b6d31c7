"""Where bytes of members wait that come before they are read."""

from __future__ import annotations

import tempfile
from collections import deque
from typing import IO

from ._errors import _from_core

MEMORY = 16 << 20
"""Bytes kept in memory, of all members together; more goes to an unlinked file."""

_ZEROS = bytes(1 << 16)


class Spool:
    """The room that all members of a reader share."""

    def __init__(self, limit: int, tmpdir: str | None) -> None:
        self._limit = limit
        self._tmpdir = tmpdir
        self._memory = 0
        self._file: IO[bytes] | None = None
        self._file_end = 0
        self._file_live = 0

    def put(self, data: bytes, name: str) -> Segment:
        """Takes bytes of the member ``name``."""
        if self._memory + self._file_end + len(data) > self._limit:
            raise _from_core(
                -9,
                f"more than {self._limit} bytes of members that are not being read would have to "
                "be kept, since members interleave",
                name,
                name,
                None,
                None,
                None,
                "raise max_spool, read items() or chunks() as they come, or extract the stream",
            )
        if self._memory + len(data) <= MEMORY:
            self._memory += len(data)
            return Segment(self, len(data), data=data)
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._tmpdir, prefix="xbkit-", buffering=0)
        offset = self._file_end
        self._file.seek(offset)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._file_end += len(data)
        self._file_live += len(data)
        return Segment(self, len(data), offset=offset)

    def load(self, offset: int, size: int) -> bytes:
        """Bytes of the file."""
        assert self._file is not None
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise OSError("the spool file ended early")
        return data

    def release_memory(self, size: int) -> None:
        """Bytes in memory are not needed any more."""
        self._memory -= size

    def release_file(self, size: int) -> None:
        """Bytes in the file are not needed any more; when none is, the file is emptied."""
        self._file_live -= size
        if self._file_live == 0 and self._file is not None:
            self._file.truncate(0)
            self._file_end = 0

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Segment:
    """Bytes of a member in the spool; zeros take no room."""

    __slots__ = ("_at", "_data", "_offset", "_size", "_spool", "left")

    def __init__(
        self, spool: Spool | None, size: int, *, data: bytes | None = None, offset: int = -1
    ) -> None:
        self._spool = spool
        self._data = data
        self._offset = offset
        self._at = 0
        self._size = size
        self.left = size

    def take(self, size: int) -> bytes:
        """The next bytes, up to ``size``."""
        size = min(size, self.left)
        if self._data is not None:
            whole = self._at == 0 and size == len(self._data)
            piece = self._data if whole else self._data[self._at : self._at + size]
        elif self._spool is not None and self._offset >= 0:
            piece = self._spool.load(self._offset + self._at, size)
        else:
            size = min(size, len(_ZEROS))
            piece = _ZEROS[:size]
        self._at += size
        self.left -= size
        if self.left == 0:
            self.drop()
        return piece

    def drop(self) -> None:
        """Gives the room back."""
        spool, self._spool = self._spool, None
        self.left = 0
        if spool is None:
            return
        if self._data is not None:
            spool.release_memory(len(self._data))
            self._data = None
        elif self._offset >= 0:
            spool.release_file(self._size)


Segments = deque[Segment]
