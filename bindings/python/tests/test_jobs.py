"""Every job, with every kind of source and sink."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

import pytest
from conftest import FILES, SinkAndResult, Trickle, files_below

import xbkit


def test_extract(source: xbkit.Source, tmp_path: Path, stream: bytes) -> None:
    report = xbkit.extract(source, tmp_path / "out", parallel=2)
    assert files_below(tmp_path / "out") == FILES
    assert (report.members, report.skipped) == (len(FILES), 0)
    assert report.payload_bytes == sum(map(len, FILES.values()))


def test_list(source: xbkit.Source) -> None:
    members = xbkit.list(source)
    assert {member.name: member.size for member in members} == {
        name: len(data) for name, data in FILES.items()
    }


def test_verify(source: xbkit.Source) -> None:
    report = xbkit.verify(source)
    assert (report.members, report.proven) == (len(FILES), True)


def test_open_to_read(source: xbkit.Source) -> None:
    with xbkit.open(source) as reader:
        assert {member.name: member.read() for member in reader} == FILES


def test_create(sink: SinkAndResult, tree: Path) -> None:
    target, result = sink
    report = xbkit.create(target, FILES, base=tree, parallel=2)  # type: ignore[arg-type]
    data = result()
    assert (report.members, report.stream_bytes) == (len(FILES), len(data))
    assert {member.name for member in xbkit.list(io.BytesIO(data))} == set(FILES)


def test_backup(sink: SinkAndResult, datadir: Path, tmp_path: Path) -> None:
    target, result = sink
    report = xbkit.backup(target, datadir=datadir)  # type: ignore[arg-type]
    assert report.members == 5
    xbkit.extract(io.BytesIO(result()), tmp_path / "out")
    expected = files_below(datadir)
    del expected["server.pid"]
    assert files_below(tmp_path / "out") == expected


def test_open_to_write(sink: SinkAndResult) -> None:
    target, result = sink
    with xbkit.open(target, "w") as writer:  # type: ignore[call-overload]
        for name, data in FILES.items():
            with writer.create(name) as entry:
                entry.write(data)
    with xbkit.open(io.BytesIO(result())) as reader:
        assert {member.name: member.read() for member in reader} == FILES


def test_what_is_given_stays_open(stream: bytes, tree: Path, tmp_path: Path) -> None:
    memory = io.BytesIO(stream)
    xbkit.extract(memory, tmp_path / "out")
    xbkit.create(memory, ["empty"], base=tree)
    assert not memory.closed
    read_fd, write_fd = os.pipe()
    xbkit.create(write_fd, ["empty"], base=tree)
    os.close(write_fd)
    assert len(xbkit.list(read_fd)) == 1
    os.fstat(read_fd)
    os.close(read_fd)


def test_patterns_choose_members(stream: bytes, tmp_path: Path) -> None:
    report = xbkit.extract(io.BytesIO(stream), tmp_path / "out", members=["db/*"])
    assert (report.members, report.skipped) == (2, 2)
    assert set(files_below(tmp_path / "out")) == {"db/t.ibd", "db/ü.frm"}
    with pytest.raises(xbkit.NotFoundError):
        xbkit.extract(io.BytesIO(stream), tmp_path / "none", members=["no such member"])


def test_in_place_and_overwrite(stream: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "other").write_bytes(b"kept")
    with pytest.raises(xbkit.ExistsError):
        xbkit.extract(io.BytesIO(stream), out)
    xbkit.extract(io.BytesIO(stream), out, in_place=True)
    assert files_below(out) == FILES | {"other": b"kept"}
    with pytest.raises(xbkit.ExistsError):
        xbkit.extract(io.BytesIO(stream), out, in_place=True)
    xbkit.extract(io.BytesIO(stream), out, overwrite=True, sync=False)
    assert files_below(out) == FILES | {"other": b"kept"}


def test_other_names_and_the_dialect(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(8 << 20)
    dense, holey = io.BytesIO(), io.BytesIO()
    xbkit.create(dense, [("a/b", sparse)])
    xbkit.create(holey, [("a/b", sparse)], dialect="percona")
    assert len(dense.getvalue()) > 8 << 20
    assert len(holey.getvalue()) < 1 << 20
    for stream in (dense, holey):
        assert xbkit.list(io.BytesIO(stream.getvalue())) == [xbkit.MemberInfo("a/b", 8 << 20)]


def test_events_come_on_the_calling_thread_in_order(stream: bytes, tmp_path: Path) -> None:
    events: list[xbkit.Event] = []
    xbkit.extract(Trickle(stream), tmp_path / "out", on_event=events.append)
    done = [event for event in events if isinstance(event, xbkit.MemberDone)]
    assert {event.name: event.size for event in done} == {
        name: len(data) for name, data in FILES.items()
    }
    progress = [event for event in events if isinstance(event, xbkit.Progress)]
    assert progress[-1] == xbkit.Progress(len(stream), len(FILES), progress[-1].total_bytes)
    assert [p.stream_bytes for p in progress] == sorted(p.stream_bytes for p in progress)


def test_warnings_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "grows"
    file.write_bytes(b"x" * (3 << 20))
    events: list[xbkit.Event] = []

    class Sink(io.BytesIO):
        def write(self, data: object) -> int:  # type: ignore[override]
            with file.open("ab") as more:
                more.write(b"y" * (1 << 20))
            return len(data)  # type: ignore[arg-type]

    caplog.set_level(logging.INFO, "xbkit")
    xbkit.create(Sink(), [("f", file)], changed="warn", on_event=events.append)
    logs = [event for event in events if isinstance(event, xbkit.Log)]
    assert [event.level for event in logs] == [logging.WARNING]
    assert caplog.record_tuples == [("xbkit", logging.WARNING, logs[0].message)]
    with pytest.raises(xbkit.FileChangedError):
        xbkit.create(Sink(), [("f", file)])


def test_a_path_appears_when_it_is_complete(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "here"
    out.mkdir()
    path = out / "s.xbstream"

    def look(event: xbkit.Event) -> None:
        if isinstance(event, xbkit.MemberDone):
            assert [name.endswith(".xbkit-partial") for name in os.listdir(out)] == [True]

    xbkit.create(path, FILES, base=tree, on_event=look)
    assert os.listdir(out) == ["s.xbstream"]
    before = path.read_bytes()
    with pytest.raises(FileExistsError) as caught:
        xbkit.create(path, FILES, base=tree)
    assert caught.value.filename == str(path)
    with pytest.raises(xbkit.NotFoundError):
        xbkit.create(path, ["ibdata1", "missing"], base=tree, overwrite=True)
    assert path.read_bytes() == before
    xbkit.create(path, ["empty"], base=tree, overwrite=True)
    assert len(xbkit.list(path)) == 1
    with pytest.raises(xbkit.NotFoundError):
        xbkit.create(out / "new", ["ibdata1", "missing"], base=tree)
    assert os.listdir(out) == ["s.xbstream"]


@pytest.mark.parametrize("bad", [True, None, 1.5, io.StringIO("x"), "", object()])
def test_what_is_no_source(bad: object, tmp_path: Path) -> None:
    expected = FileNotFoundError if bad == "" else TypeError
    with pytest.raises(expected):
        xbkit.extract(bad, tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", [b"XBSTCK01", bytearray(8), memoryview(b"12345678")])
def test_bytes_are_no_source(bad: object) -> None:
    with pytest.raises(TypeError, match="BytesIO"):
        xbkit.list(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [False, None, io.StringIO(), b"name", [], iter([])])
def test_what_is_no_sink(bad: object, tree: Path) -> None:
    with pytest.raises(TypeError):
        xbkit.create(bad, ["empty"], base=tree)  # type: ignore[arg-type]


def test_mistakes_are_type_and_value_errors(stream: bytes, tree: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="list of paths"):
        xbkit.create(io.BytesIO(), "ibdata1", base=tree)
    with pytest.raises(TypeError, match="list of strings"):
        xbkit.extract(io.BytesIO(stream), tmp_path / "out", members="db/*")
    with pytest.raises(ValueError, match="parallel 0 is not between 1 and 256"):
        xbkit.extract(io.BytesIO(stream), tmp_path / "out", parallel=0)
    with pytest.raises(ValueError, match="chunk size 1 is not between"):
        xbkit.create(io.BytesIO(), FILES, base=tree, chunk_size=1)
    with pytest.raises(ValueError, match="dialect 'x'"):
        xbkit.create(io.BytesIO(), FILES, base=tree, dialect="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="changed 'x'"):
        xbkit.create(io.BytesIO(), FILES, base=tree, changed="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no files"):
        xbkit.create(io.BytesIO(), [], base=tree)
    with pytest.raises(ValueError, match="negative"):
        xbkit.list(-1)
    with pytest.raises(OSError, match="cannot be used"):
        xbkit.list(9_999)
    with pytest.raises(ValueError, match="mode 'a'"):
        xbkit.open(io.BytesIO(), "a")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="format 'cpio'"):
        xbkit.open(io.BytesIO(), format="cpio")  # type: ignore[call-overload]
    assert not (tmp_path / "out").exists()


def test_a_data_directory_that_is_none_or_in_use(datadir: Path, tmp_path: Path) -> None:
    import fcntl
    import struct

    with pytest.raises(xbkit.NotFoundError):
        xbkit.backup(io.BytesIO(), datadir=tmp_path)
    with (datadir / "ibdata1").open("r+b") as file:
        # As a server does; of the open file, since a process does not exclude itself.
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(file, 37, lock)  # F_OFD_SETLK, which Python names from 3.9 on some systems
        with pytest.raises(xbkit.LockedError):
            xbkit.backup(io.BytesIO(), datadir=datadir)
    xbkit.backup(io.BytesIO(), datadir=datadir)
