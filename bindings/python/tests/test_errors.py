"""What fails, how it says so, and what it leaves behind."""

from __future__ import annotations

import copy
import io
import os
import pickle
import resource
import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import FILES, files_below

import xbkit
from xbkit import _errors, _xbkit

MAGIC = b"XBSTCK01"


class Boom(Exception):
    """Not one of xbkit's."""


def test_every_kind_has_a_class_of_its_own() -> None:
    for name, code in _xbkit.error_kinds():
        assert code in _errors._BY_CODE, f"{name} ({code}) has no exception"
    assert {code for _, code in _xbkit.error_kinds()} == set(_errors._BY_CODE)
    for cls in {*_errors._BY_CODE.values()}:
        assert getattr(xbkit, cls.__name__) is cls
        assert issubclass(cls, xbkit.XbkitError)
    assert issubclass(xbkit.StreamIOError, OSError)
    assert issubclass(xbkit.PipeClosedError, BrokenPipeError)


def test_truncated_says_where(stream: bytes, tmp_path: Path) -> None:
    cut = len(stream) // 2
    with pytest.raises(xbkit.TruncatedError) as caught:
        xbkit.extract(io.BytesIO(stream[:cut]), tmp_path / "out")
    error = caught.value
    assert (error.code, error.stream_offset, error.file_offset) == (-41, cut, None)
    assert error.path in FILES
    assert error.hint is not None and f"hint: {error.hint}" in "".join(
        traceback.format_exception(error)
    )
    assert files_below(tmp_path) == {f"tree/{name}": data for name, data in FILES.items()}


def test_a_checksum_says_where(stream: bytes) -> None:
    at = stream.index(b"P\x07\x00\x00\x00ibdata1")
    chunk = at - 9
    damaged = bytearray(stream)
    damaged[at + 200] ^= 1
    with pytest.raises(xbkit.ChecksumError) as caught:
        xbkit.list(io.BytesIO(damaged))
    assert (caught.value.path, caught.value.stream_offset) == ("ibdata1", chunk)


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b"])
def test_unsafe_paths(name: str, tmp_path: Path) -> None:
    raw = name.encode()
    stream = MAGIC + b"\0E" + len(raw).to_bytes(4, "little") + raw
    with pytest.raises(xbkit.UnsafePathError) as caught:
        xbkit.extract(io.BytesIO(stream), tmp_path / "out")
    assert caught.value.path == name
    with pytest.raises(xbkit.UnsafePathError), xbkit.open(io.BytesIO(), "w") as writer:
        writer.create(name)


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\xff\n")
    sink = io.BytesIO()
    with xbkit.open(sink, "w") as writer, writer.create(name) as entry:
        entry.write(b"x")
    assert xbkit.list(io.BytesIO(sink.getvalue()))[0].name == name
    with pytest.raises(xbkit.TruncatedError) as caught:
        xbkit.list(io.BytesIO(sink.getvalue()[:37]))
    assert caught.value.path == name
    assert "a\\xff\\x0a: " in str(caught.value)
    xbkit.extract(io.BytesIO(sink.getvalue()), tmp_path / "out")
    names = {b"a\xff\n", xbkit.MANIFEST_NAME.encode()}
    assert set(os.listdir(os.fsencode(tmp_path / "out"))) == names


def test_fields_of_operating_system_errors(tmp_path: Path, stream: bytes) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        xbkit.create(io.BytesIO(), ["missing"], base=tmp_path)
    error = caught.value
    assert isinstance(error, xbkit.NotFoundError)
    path = str(tmp_path / "missing")
    assert (error.errno, error.filename, error.path) == (2, path, path)
    assert str(error).startswith("[Errno 2] ") and str(error).endswith(repr(path))


def test_pickling_keeps_class_and_fields(tmp_path: Path, stream: bytes) -> None:
    jobs: list[Callable[[], object]] = [
        lambda: xbkit.create(io.BytesIO(), ["missing"], base=tmp_path),
        lambda: xbkit.list(io.BytesIO(stream[:100])),
        lambda: xbkit.list(io.BytesIO(b"no stream at all")),
        lambda: xbkit.verify(io.BytesIO(MAGIC + b"\0E\1\0\0\0a")),
    ]
    for job in jobs:
        with pytest.raises(xbkit.XbkitError) as caught:
            job()
        for twin in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
            assert type(twin) is type(caught.value)
            assert (twin.args, str(twin)) == (caught.value.args, str(caught.value))
            assert vars(twin) == vars(caught.value)
            if isinstance(twin, OSError):
                assert (twin.errno, twin.filename) == (2, caught.value.filename)
    for cls in {*_errors._BY_CODE.values()}:
        error = cls("text")
        error.code, error.path, error.hint = -1, "p", "h"
        twin = pickle.loads(pickle.dumps(error))
        assert (type(twin), vars(twin)) == (cls, vars(error))


def test_a_closed_pipe_and_socket(tree: Path) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with pytest.raises(BrokenPipeError) as caught:
        xbkit.create(write_fd, FILES, base=tree)
    assert isinstance(caught.value, xbkit.PipeClosedError)
    os.close(write_fd)
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(xbkit.PipeClosedError):
        xbkit.create(ours, FILES, base=tree)


def test_a_full_disk(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "full"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(xbkit.NoSpaceError):
            xbkit.create(path, FILES, base=tree)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [name for name in os.listdir(tmp_path) if name.startswith("full")]


def test_a_descriptor_of_the_wrong_direction(tree: Path, tmp_path: Path) -> None:
    with (tree / "empty").open("rb") as file, pytest.raises(xbkit.StreamIOError) as caught:
        xbkit.create(file.fileno(), ["ibdata1"], base=tree)
    assert caught.value.errno == 9


class Raises:
    """Raises at its n-th call, whatever is called."""

    def __init__(self, error: BaseException, stream: bytes = b"", at: int = 3) -> None:
        self.error = error
        self._stream = io.BytesIO(stream)
        self._left = at
        self.taken = bytearray()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise self.error

    def read(self, size: int) -> bytes:
        self._count()
        return self._stream.read(min(size, 1 << 16))

    def write(self, data: bytes) -> int:
        self._count()
        self.taken += data
        return len(data)

    def __call__(self, event: object) -> None:
        self._count()


@pytest.mark.parametrize("error", [Boom("b"), KeyboardInterrupt(), OSError(5, "x"), EOFError()])
@pytest.mark.parametrize("parallel", [1, 3])
def test_what_user_code_raises_is_raised(
    error: BaseException, parallel: int, stream: bytes, tree: Path, datadir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    memory = io.BytesIO
    options = {"parallel": parallel}
    failing = Raises(error, stream)
    jobs: list[Callable[[], object]] = [
        lambda: xbkit.extract(Raises(error, stream), out, parallel=parallel),
        lambda: xbkit.extract(memory(stream), out, on_event=Raises(error, at=1), parallel=parallel),
        lambda: xbkit.create(Raises(error), FILES, base=tree, parallel=parallel),
        lambda: xbkit.create(memory(), FILES, base=tree, on_event=Raises(error), **options),
        lambda: xbkit.backup(Raises(error, at=1), datadir=datadir, parallel=parallel),
        lambda: xbkit.backup(memory(), datadir=datadir, on_event=Raises(error), **options),
        lambda: xbkit.list(Raises(error, stream)),
        lambda: xbkit.list(memory(stream), on_event=Raises(error)),
        lambda: xbkit.verify(Raises(error, stream), allow_unproven=True),
        lambda: xbkit.verify(memory(stream), on_event=Raises(error), allow_unproven=True),
        lambda: [member.read() for member in xbkit.open(failing)],
        lambda: list(xbkit.open(Raises(error, stream, 1))),
    ]
    for number, job in enumerate(jobs):
        with pytest.raises(type(error)) as caught:
            job()
        assert caught.value is error, number
        assert error.__cause__ is None and error.__context__ is None
        error.__traceback__ = None
    assert not out.exists() or not files_below(out)


def test_what_a_generator_raises_is_raised(stream: bytes, tmp_path: Path) -> None:
    error = Boom("in the generator")

    def chunks() -> Iterator[bytes]:
        yield stream[:1000]
        raise error

    with pytest.raises(Boom) as caught:
        xbkit.extract(chunks(), tmp_path / "out")
    assert caught.value is error
    assert not files_below(tmp_path / "out")


def test_after_a_failure_a_reader_says_so(stream: bytes) -> None:
    with xbkit.open(Raises(Boom("b"), stream, 4)) as reader:
        with pytest.raises(Boom):
            list(reader.items())
        with pytest.raises(xbkit.InvalidStateError, match="failed before"):
            list(reader.items())


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (None, TypeError, "returned None"),
        (0, ValueError, "returned 0 for"),
        (-1, ValueError, "returned -1 for"),
        (1 << 40, ValueError, "returned 1099511627776 for"),
        ("all", TypeError, "str"),
    ],
)
def test_wrong_counts_of_a_sink(answer: object, error: type, text: str, tree: Path) -> None:
    class Sink:
        def write(self, data: bytes) -> object:
            return answer

    with pytest.raises(error, match=text):
        xbkit.create(Sink(), FILES, base=tree)  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [-1, 1 << 40, "text"])
def test_wrong_counts_of_a_source(answer: object, stream: bytes) -> None:
    class Source:
        def readinto(self, buffer: memoryview) -> object:
            return answer

    with pytest.raises((TypeError, ValueError, OverflowError)):
        xbkit.list(Source())  # type: ignore[arg-type]

    class Text:
        def read(self, size: int) -> str:
            return "text"

    with pytest.raises(TypeError):
        xbkit.list(Text())  # type: ignore[arg-type]


def test_a_failed_stream_does_not_look_whole(tree: Path) -> None:
    """Cut between two members it would; so half a header follows."""

    def stop(event: xbkit.Event) -> None:
        if isinstance(event, xbkit.MemberDone):
            raise Boom

    sink = io.BytesIO()
    with pytest.raises(Boom):
        xbkit.create(sink, ["empty", "ibdata1"], base=tree, on_event=stop)
    with pytest.raises(xbkit.TruncatedError):
        xbkit.list(io.BytesIO(sink.getvalue()))
    read_fd, write_fd = os.pipe()
    with pytest.raises(Boom):
        xbkit.create(write_fd, ["empty", "db/ü.frm"], base=tree, on_event=stop)
    os.close(write_fd)
    with pytest.raises(xbkit.TruncatedError):
        xbkit.list(read_fd)
    os.close(read_fd)


def test_cancelling(stream: bytes, tmp_path: Path, tree: Path) -> None:
    token = xbkit.CancelToken()
    assert not token.cancelled and "not cancelled" in repr(token)

    def stop(event: object) -> None:
        token.cancel()

    with pytest.raises(xbkit.CancelledError):
        xbkit.create(io.BytesIO(), FILES, base=tree, on_event=stop, cancel=token)
    assert token.cancelled and "not" not in repr(token)
    read_fd, write_fd = os.pipe()
    piped = open(os.dup(read_fd), "rb")
    out = tmp_path / "out"
    jobs: list[Callable[[], object]] = [
        lambda: xbkit.extract(io.BytesIO(stream), out, cancel=token),
        lambda: xbkit.extract(read_fd, out, cancel=token),
        lambda: xbkit.list(piped, cancel=token),
        lambda: xbkit.verify(read_fd, cancel=token),
        lambda: xbkit.create(io.BytesIO(), FILES, base=tree, cancel=token),
        lambda: xbkit.open(read_fd, cancel=token),
        lambda: xbkit.open(io.BytesIO(stream), cancel=token),
    ]
    for job in jobs:
        with pytest.raises(xbkit.CancelledError) as caught:
            job()
        del caught
    with pytest.raises(xbkit.CancelledError), xbkit.open(write_fd, "w", cancel=token) as writer:
        with writer.create("a") as entry:
            entry.write(b"x" * (8 << 20))
    piped.close()
    os.close(read_fd)
    os.close(write_fd)
