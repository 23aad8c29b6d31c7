"""Where streams come from and go to: any of Python's kinds, made into what the core takes.

The rules, in this order:

* ``int``: a file descriptor. It is borrowed, and keeps its flags.
* ``str``, ``os.PathLike``: a file, opened and closed here. A new one appears under its name when
  it is complete and on disk; before, and after a failure, it does not.
* ``socket.socket`` itself: its descriptor, unless it has a timeout. Sockets of other classes
  (such as ``ssl``'s) and those with a timeout: ``send`` and ``recv_into``.
* ``io.FileIO``, and ``io.BufferedWriter`` and ``io.BufferedReader`` over it: flushed, or what they
  have read ahead taken first; then the descriptor.
* any other object: ``write``, ``readinto`` or ``read``. Its ``fileno()`` is not used: that of
  ``gzip.GzipFile``, for one, is the file of compressed bytes below it.
* as a source, at last, any iterable of buffers, such as a generator.

What is given is never closed.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import select
import socket
import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from . import _errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from . import _xbkit


class Readable(Protocol):
    """An object with ``read``. ``None`` from it means that it would block, ``b""`` the end."""

    def read(self, size: int, /) -> Buffer | None:
        """Up to ``size`` bytes."""
        ...


class ReadableInto(Protocol):
    """An object with ``readinto``. ``None`` from it means that it would block, 0 the end."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fills ``buffer`` from its beginning, and says how far."""
        ...


class Writable(Protocol):
    """An object with ``write``."""

    def write(self, data: bytes, /) -> int | None:
        """Takes bytes, and says how many; the rest is offered again. ``None`` means that it would
        block, and is only understood from an ``io.RawIOBase``: elsewhere it is a ``TypeError``,
        since most objects that return nothing have taken everything."""
        ...


Source = (
    int | str | os.PathLike[str] | socket.socket | Readable | ReadableInto | Iterable["Buffer"]
)
"""Where a stream can come from."""

Sink = int | str | os.PathLike[str] | socket.socket | Writable
"""Where a stream can go to."""


def _is_path(obj: object) -> bool:
    return isinstance(obj, (str, os.PathLike))


def _descriptor_of(obj: object) -> int | None:
    """The descriptor of what certainly does nothing beside using it."""
    if isinstance(obj, bool):
        raise TypeError("a bool is no file descriptor")
    if isinstance(obj, int):
        return obj
    if type(obj) is socket.socket and obj.gettimeout() in (None, 0.0):
        return obj.fileno()
    if type(obj) is io.FileIO:
        return obj.fileno()
    return None


def _refuse(obj: object, what: str) -> TypeError:
    if isinstance(obj, io.TextIOBase):
        return TypeError(f"the {what} is a text file; streams are bytes: use its .buffer")
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return TypeError(f"the {what} is a {type(obj).__name__}; wrap the bytes in io.BytesIO")
    return TypeError(f"{type(obj).__name__} is no {what} of a stream")


@contextlib.contextmanager
def opened_source(
    source: Source, cancel: _xbkit.CancelToken | None
) -> Iterator[_xbkit._SourceSpec]:
    """The source as the core takes it. What it is used for keeps a duplicate of descriptors."""
    if not _is_path(source):
        yield _source_spec(source, cancel)
        return
    assert isinstance(source, (str, os.PathLike))
    fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield (fd, b"")
    finally:
        os.close(fd)


def _source_spec(source: object, cancel: _xbkit.CancelToken | None) -> _xbkit._SourceSpec:
    fd = _descriptor_of(source)
    if fd is not None:
        return (fd, b"")
    if isinstance(source, socket.socket):
        return ("readinto", source.recv_into)
    if type(source) is io.BufferedReader and type(source.raw) is io.FileIO:
        return (source.fileno(), _read_ahead(source, cancel))
    if isinstance(source, io.TextIOBase):
        raise _refuse(source, "source")
    for method in ("readinto", "read"):
        call = getattr(source, method, None)
        if callable(call):
            return (method, call)
    if isinstance(source, (bytes, bytearray, memoryview)) or not isinstance(source, Iterable):
        raise _refuse(source, "source")
    return ("next", iter(source).__next__)


def _read_ahead(reader: io.BufferedReader, cancel: _xbkit.CancelToken | None) -> bytes:
    """Takes what a reader has in its buffer.

    ``peek`` reads if the buffer is empty, which it does not tell. So that this can be cancelled,
    it is called when reading would not block; jobs need the end of the stream in any case.
    """
    poll = select.poll()
    poll.register(reader.fileno(), select.POLLIN)
    while not poll.poll(100):
        if cancel is not None and cancel.cancelled:
            break
    else:
        return reader.read(len(reader.peek()))
    return b""


@contextlib.contextmanager
def opened_sink(sink: Sink, *, overwrite: bool) -> Iterator[_xbkit._SinkSpec]:
    """The sink as the core takes it. A file is complete at the end, or not there."""
    if not _is_path(sink):
        yield sink_spec(sink)
        return
    assert isinstance(sink, (str, os.PathLike))
    file = NewFile(sink, overwrite=overwrite)
    try:
        yield file.fd
        file.commit()
    finally:
        file.discard()


def sink_spec(sink: object) -> _xbkit._SinkSpec:
    """A sink that is no path, as the core takes it."""
    fd = _descriptor_of(sink)
    if fd is not None:
        return fd
    if isinstance(sink, socket.socket):
        return (sink.send, None, False)
    if type(sink) is io.BufferedWriter and type(sink.raw) is io.FileIO:
        sink.flush()
        return sink.fileno()
    if isinstance(sink, io.TextIOBase):
        raise _refuse(sink, "sink")
    write: Callable[[bytes], int | None] | None = getattr(sink, "write", None)
    if not callable(write):
        raise _refuse(sink, "sink")
    flush = getattr(sink, "flush", None)
    return (write, flush if callable(flush) else None, isinstance(sink, io.RawIOBase))


class NewFile:
    """A file that appears under its name when it is complete and durable.

    Until then it has a name that ends in ``.xbkit-partial``, in the same directory.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool) -> None:
        self._path = os.fspath(path)
        self._overwrite = overwrite
        self._partial: str | None = None
        try:
            kind = os.stat(self._path).st_mode
        except FileNotFoundError:
            kind = None
        if kind is not None and not overwrite:
            raise _errors._exists(self._path)
        if kind is not None and not stat.S_ISREG(kind):
            # A FIFO or a device cannot be replaced, and is not meant to be.
            self.fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            return
        directory, name = os.path.split(os.path.realpath(self._path) if kind else self._path)
        self._target = os.path.join(directory, name)
        # Cut, so that the longest name still has a partial one.
        partial = f"{name[:40]}.{secrets.token_hex(4)}.xbkit-partial"
        partial = os.path.join(directory, partial)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.fd = os.open(partial, flags, 0o666)
        self._partial = partial

    def commit(self) -> None:
        """Makes the file durable, and gives it its name."""
        if self._partial is None:
            return
        os.fsync(self.fd)
        if self._overwrite:
            os.replace(self._partial, self._target)
        else:
            self._link(self._partial)
        self._partial = None
        with contextlib.suppress(OSError):  # not every file system can
            directory = os.open(os.path.dirname(self._target) or ".", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def _link(self, partial: str) -> None:
        try:
            os.link(partial, self._target)
        except FileExistsError:
            raise _errors._exists(self._path) from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            # No hard links here: reserve the name, then replace what reserves it.
            os.close(os.open(self._target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.replace(partial, self._target)
        else:
            os.unlink(partial)

    def discard(self) -> None:
        """Closes the file, and removes it unless it was committed."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self._partial is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._partial)
            self._partial = None
