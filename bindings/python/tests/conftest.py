"""What the tests share: streams, and every kind of source and sink."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import xbkit

FILES = {
    "ibdata1": bytes(range(256)) * 12_345,
    "empty": b"",
    "db/t.ibd": os.urandom(300_000) * 11,
    "db/ü.frm": b"short",
}
"""A small tree: a member over several chunks, one of random bytes, an empty one."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """``FILES`` on disk."""
    root = tmp_path / "tree"
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture
def stream(tree: Path) -> bytes:
    """``FILES`` as a stream, interleaved."""
    sink = io.BytesIO()
    xbkit.create(sink, FILES, base=tree, parallel=2, chunk_size=64 << 10)
    return sink.getvalue()


@pytest.fixture
def datadir(tmp_path: Path) -> Path:
    """What a cold backup takes for a data directory."""
    root = tmp_path / "datadir"
    (root / "shop").mkdir(parents=True)
    page = bytes(16 << 10)
    for name, data in {
        "ibdata1": page * 12,
        "ib_logfile0": page,
        "shop/orders.ibd": page * 7,
        "shop/orders.frm": b"frm",
        "shop/db.opt": b"",
        "server.pid": b"not carried",
    }.items():
        (root / name).write_bytes(data)
    return root


def files_below(root: Path) -> dict[str, bytes]:
    """Every file below a directory, without the manifest of the stream that they came from."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path != root / xbkit.MANIFEST_NAME
    }


def peer(name: str) -> str:
    """The path of another program; without it the test skips, or fails where CI says so."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("XBK_REQUIRE_PEERS") == "1":
            pytest.fail(f"{name} is not installed, and XBK_REQUIRE_PEERS is 1")
        pytest.skip(f"{name} is not installed")
    return path


class Trickle:
    """An object with ``readinto`` that gives few bytes at once and now and then would block."""

    def __init__(self, data: bytes, step: int = 1000) -> None:
        self._data = io.BytesIO(data)
        self._step = step
        self._calls = 0

    def readinto(self, buffer: memoryview) -> int | None:
        self._calls += 1
        if self._calls % 40 == 0:
            return None
        return self._data.readinto(memoryview(buffer)[: self._step])


class ReadOnly:
    """An object with nothing but ``read``, which gives a memoryview."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> memoryview:
        return memoryview(self._data.read(min(size, 77_777)))


class NotItsFile(io.BytesIO):
    """An object whose ``fileno`` leads elsewhere, as that of ``gzip.GzipFile`` does."""

    def fileno(self) -> int:
        return sys.__stderr__.fileno()


def fed(data: bytes, feed: Callable[[bytes], object], close: Callable[[], object]) -> None:
    """Feeds a pipe or socket from a thread."""

    def run() -> None:
        try:
            feed(data)
        except OSError:
            pass  # the reader has ended early, as some tests want
        finally:
            close()

    threading.Thread(target=run, daemon=True).start()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


SOURCES = [
    "fd file", "fd pipe", "fd nonblocking", "str", "Path", "socket", "socket with timeout",
    "FileIO", "BufferedReader", "BufferedReader begun", "pipe begun", "unbuffered pipe",
    "subprocess", "BytesIO", "other fileno", "gzip", "compressed", "readinto short and None",
    "read", "generator", "list", "makefile",
]  # fmt: skip


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, stream: bytes, tmp_path: Path) -> Iterator[object]:
    """``stream`` as each kind of source."""
    kind = request.param
    path = tmp_path / "source.xbstream"
    path.write_bytes(stream)
    if kind == "fd file":
        fd = os.open(path, os.O_RDONLY)
        yield fd
        os.close(fd)
    elif kind in ("fd pipe", "fd nonblocking", "unbuffered pipe", "pipe begun"):
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, kind != "fd nonblocking")
        if kind == "pipe begun":
            fed(b"junk" + stream, lambda data: _write_all(write_fd, data), lambda: os.close(write_fd))
            with open(read_fd, "rb") as file:
                assert file.read(4) == b"junk"
                yield file
            return
        fed(stream, lambda data: _write_all(write_fd, data), lambda: os.close(write_fd))
        if kind == "unbuffered pipe":
            with open(read_fd, "rb", buffering=0) as raw:
                yield raw
            return
        yield read_fd
        assert os.get_blocking(read_fd) == (kind != "fd nonblocking")
        os.close(read_fd)
    elif kind == "str":
        yield str(path)
    elif kind == "Path":
        yield path
    elif kind in ("socket", "socket with timeout", "makefile"):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            fed(stream, theirs.sendall, theirs.close)
            if kind == "makefile":
                with ours.makefile("rb") as file:
                    yield file
                return
            ours.settimeout(30 if kind == "socket with timeout" else None)
            yield ours
    elif kind == "FileIO":
        with io.FileIO(path) as file:
            yield file
    elif kind == "BufferedReader":
        with path.open("rb") as file:
            yield file
    elif kind == "BufferedReader begun":
        path.write_bytes(b"junk" + stream)
        with path.open("rb") as file:
            file.read(4)
            yield file
    elif kind == "subprocess":
        with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as process:
            yield process.stdout
        assert process.returncode == 0
    elif kind == "BytesIO":
        yield io.BytesIO(stream)
    elif kind == "other fileno":
        yield NotItsFile(stream)
    elif kind == "gzip":
        with gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(stream, 1))) as file:
            yield file
    elif kind == "compressed":
        yield io.BytesIO(gzip.compress(stream, 1))
    elif kind == "readinto short and None":
        yield Trickle(stream, 50_000)
    elif kind == "read":
        yield ReadOnly(stream)
    elif kind == "generator":
        step = 1 << 16
        yield (bytearray(stream[at : at + step]) for at in range(-step, len(stream), step))
    elif kind == "list":
        yield [b"", memoryview(stream)[:5], b"", stream[5:]]


class ShortWriter(io.RawIOBase):
    """A raw sink that takes few bytes at once and now and then would block."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()
        self._calls = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int | None:  # type: ignore[override]
        self._calls += 1
        if self._calls % 40 == 0:
            return None
        part = memoryview(data)[:50_000]  # type: ignore[arg-type]
        self.data += part
        return len(part)


SINKS = [
    "fd file", "fd pipe", "fd nonblocking", "str", "Path", "socket", "socket with timeout",
    "FileIO", "BufferedWriter", "BufferedWriter begun", "subprocess", "BytesIO", "other fileno",
    "gzip", "raw short and None", "BufferedRandom", "makefile",
]  # fmt: skip

SinkAndResult = tuple[object, Callable[[], bytes]]


@pytest.fixture(params=SINKS)
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SinkAndResult]:
    """Each kind of sink, and what gives the bytes that came out of it."""
    kind = request.param
    path = tmp_path / "sink.xbstream"
    if kind == "fd file":
        fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        yield fd, path.read_bytes
        os.close(fd)
    elif kind in ("fd pipe", "fd nonblocking"):
        read_fd, write_fd = os.pipe()
        os.set_blocking(write_fd, kind == "fd pipe")
        yield from _collected(read_fd, write_fd, lambda: os.close(write_fd))
    elif kind in ("str", "Path"):
        yield (str(path) if kind == "str" else path), path.read_bytes
    elif kind in ("socket", "socket with timeout", "makefile"):
        ours, theirs = socket.socketpair()
        ours.settimeout(30 if kind == "socket with timeout" else None)
        file = ours.makefile("wb") if kind == "makefile" else None

        def close() -> None:
            if file is not None:
                file.close()
            ours.close()

        yield from _collected(theirs.detach(), file or ours, close)
    elif kind == "FileIO":
        with io.FileIO(path, "w") as raw:
            yield raw, path.read_bytes
    elif kind == "BufferedWriter":
        with path.open("wb") as file:
            yield file, path.read_bytes
    elif kind == "BufferedWriter begun":
        with path.open("wb") as file:
            file.write(b"junk")
            yield file, lambda: path.read_bytes().removeprefix(b"junk")
    elif kind == "subprocess":
        with path.open("wb") as out:
            process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=out)
        assert process.stdin is not None

        def finish() -> bytes:
            process.stdin.close()  # type: ignore[union-attr]
            assert process.wait() == 0
            return path.read_bytes()

        with process:
            yield process.stdin, finish
    elif kind in ("BytesIO", "other fileno"):
        memory = io.BytesIO() if kind == "BytesIO" else NotItsFile()
        yield memory, memory.getvalue
    elif kind == "gzip":
        memory = io.BytesIO()
        zipped = gzip.GzipFile(fileobj=memory, mode="wb", compresslevel=1)

        def unzipped() -> bytes:
            zipped.close()
            return gzip.decompress(memory.getvalue())

        with zipped:
            yield zipped, unzipped
    elif kind == "raw short and None":
        short = ShortWriter()
        yield short, lambda: bytes(short.data)
        short.close()
    elif kind == "BufferedRandom":
        with path.open("w+b") as file:
            yield file, path.read_bytes


def _collected(fd: int, sink: object, close: Callable[[], object]) -> Iterator[SinkAndResult]:
    """A sink whose other end a thread reads."""
    got: list[bytes] = []

    def drain() -> None:
        with open(fd, "rb") as file:
            got.append(file.read())

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()

    def result() -> bytes:
        close()
        thread.join(30)
        return got[0]

    yield sink, result
    if not got:
        close()
        thread.join(30)
