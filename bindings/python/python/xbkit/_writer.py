"""Writing a stream from a program's own data, several members at once."""

from __future__ import annotations

import os
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Self

from . import _xbkit
from ._endpoints import NewFile, Sink, sink_spec
from ._errors import _from_core, _invalid_state
from ._jobs import CHUNK_SIZE, Dialect, Format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer


class EntryWriter:
    """Writes one member; made by :meth:`StreamWriter.create`.

    A context manager: leaving it finishes the member, leaving it by an exception gives the whole
    stream up, as a stream without a member that was begun is not the one that was meant.

    Different entries of one writer may be used on different threads at once; one entry by one
    thread at a time. Collects a chunk in memory.
    """

    def __init__(self, writer: StreamWriter, native: _xbkit.Entry, size: int | None) -> None:
        self._writer = writer
        self._native: _xbkit.Entry | None = native
        self._name = native.name
        self._announced = size
        self._done = 0

    @property
    def name(self) -> str:
        """The member's path, normalised."""
        return self._name

    @property
    def size(self) -> int:
        """Bytes written so far, holes included."""
        return self._done if self._native is None else self._native.size

    @property
    def closed(self) -> bool:
        """Whether the member was finished or given up."""
        return self._native is None

    def write(self, data: Buffer, /) -> int:
        """Appends the bytes of any contiguous buffer, all of them, and says how many."""
        native = self._usable()
        if type(data) is bytes:
            self._check_size(len(data))
            return native.write(data)
        done = 0
        with memoryview(data) as view, view.cast("B") as view:
            self._check_size(len(view))
            # Another thread may change what is not `bytes`, so pieces are copied.
            for at in range(0, len(view), CHUNK_SIZE):
                done += native.write(view[at : at + CHUNK_SIZE])
        return done

    def writelines(self, lines: Iterable[Buffer], /) -> None:
        """Appends several buffers."""
        for line in lines:
            self.write(line)

    def hole(self, length: int) -> None:
        """Appends ``length`` zeros. In Percona's dialect they take no room in the stream."""
        if length < 0:
            raise ValueError(f"a hole of {length} bytes")
        native = self._usable()
        self._check_size(length)
        native.hole(length)

    def writable(self) -> bool:
        """True."""
        return True

    def readable(self) -> bool:
        """False."""
        return False

    def seekable(self) -> bool:
        """False: members are written in order."""
        return False

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def flush(self) -> None:
        """Does nothing: chunks go to the sink when they are full, and at the end."""

    def close(self) -> None:
        """Finishes the member. Does nothing the second time."""
        if self._native is None:
            return
        if self._announced is not None and self.size != self._announced:
            short = f"{self.size} bytes were written, {self._announced} were announced"
            self.abort()
            raise _from_core(-2, short, self._name, self._name, None, None, None, None)
        native, self._done = self._native, self.size
        try:
            native.finish()
        finally:
            self._native = None

    def abort(self) -> None:
        """Gives up the member, and with it the stream."""
        if self._native is None:
            return
        native, self._done = self._native, self.size
        self._native = None
        native.abort()

    def __enter__(self) -> Self:
        self._usable()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if getattr(self, "_native", None) is not None:
            # Without the writer, its warning says it all.
            if not self._writer.closed:
                warnings.warn(f"unfinished {self!r}", ResourceWarning, source=self, stacklevel=2)
            self.abort()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<xbkit.EntryWriter {self._name!r}, {self.size} bytes, {state}>"

    def _usable(self) -> _xbkit.Entry:
        if self._native is None:
            raise _invalid_state("the entry is closed", self._name)
        return self._native

    def _check_size(self, more: int) -> None:
        if self._announced is not None and self.size + more > self._announced:
            long = f"{more} bytes behind {self.size} exceed the announced {self._announced}"
            raise _from_core(-2, long, self._name, self._name, None, self.size, None, None)


class StreamWriter:
    """Writes a stream; made by :func:`open`.

    A context manager: leaving it finishes the stream; leaving it by an exception leaves the
    stream unfinished, and appends half a header so that no reader takes it for a whole one. A
    sink given as a path appears when the stream is finished, not before and not otherwise.

    :meth:`create` and entries may be used from several threads at once; the sink is used by one
    of them at a time. What a sink raises is raised by the call that wrote to it; the writer has
    failed then, and every later call says so.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        chunk_size: int = CHUNK_SIZE,
        format: Format = "xbstream",
        dialect: Dialect = "mariadb",
        manifest: bool = True,
        overwrite: bool = False,
        cancel: _xbkit.CancelToken | None = None,
    ) -> None:
        self._native: _xbkit.Writer | None = None
        self._file: NewFile | None = None
        self._bytes = 0
        spec: _xbkit._SinkSpec
        if isinstance(sink, (str, os.PathLike)):
            self._file = NewFile(sink, overwrite=overwrite)
            spec = self._file.fd
        else:
            spec = sink_spec(sink)
        try:
            self._native = _xbkit.Writer(spec, chunk_size, format, dialect, manifest, cancel)
        finally:
            if self._native is None and self._file is not None:
                self._file.discard()

    def create(self, name: str | os.PathLike[str], *, size: int | None = None) -> EntryWriter:
        """Begins a member.

        Args:
            name: its path: relative, without ``..``.
            size: how many bytes will be written, if you know; more or fewer are then an error. A
                tar archive needs it, and takes one member at a time.

        Raises:
            UnsafePathError: for a path that no reader takes.
            ExistsError: the stream holds a member of this name.
        """
        if self._native is None:
            raise _invalid_state("the writer is closed")
        return EntryWriter(self, self._native.entry(name, size), size)

    @property
    def stream_bytes(self) -> int:
        """Stream bytes given to the sink so far."""
        return self._bytes if self._native is None else self._native.stream_bytes

    @property
    def closed(self) -> bool:
        """Whether the stream was finished or given up."""
        return self._native is None

    def close(self) -> None:
        """Finishes the stream. Does nothing the second time.

        Raises:
            InvalidStateError: an entry was not closed, or something failed before; the stream is
                unfinished then.
        """
        if self._native is None:
            return
        try:
            self._native.finish()
            if self._file is not None:
                self._file.commit()
        finally:
            self.abort()

    def abort(self) -> None:
        """Leaves the stream unfinished, visibly. Does nothing if it was closed."""
        native, self._native = self._native, None
        if native is None:
            return
        try:
            native.abort()
        finally:
            self._bytes = native.stream_bytes
            if self._file is not None:
                self._file.discard()

    def __enter__(self) -> Self:
        if self._native is None:
            raise _invalid_state("the writer is closed")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if getattr(self, "_native", None) is not None:
            warnings.warn(f"unfinished {self!r}", ResourceWarning, source=self, stacklevel=2)
            self.abort()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<xbkit.StreamWriter, {self.stream_bytes} bytes, {state}>"
