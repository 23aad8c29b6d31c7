"""Readers and writers: members, items, interleaving, threads, states."""

from __future__ import annotations

import array
import gc
import io
import os
import shutil
import tarfile
import threading
import warnings
from pathlib import Path

import pytest
from conftest import FILES

import xbkit
from xbkit import _spool

KIB = 1 << 10


def interleaved(count: int, size: int, chunk: int = 64 * KIB) -> bytes:
    """Members ``m0``, ``m1``, ... in turns of a chunk; each is full of its number."""
    sink = io.BytesIO()
    with xbkit.open(sink, "w", chunk_size=chunk) as writer:
        entries = [writer.create(f"m{number}") for number in range(count)]
        for _ in range(size // chunk):
            for number, entry in enumerate(entries):
                entry.write(bytes([number]) * chunk)
        for entry in entries:
            entry.close()
    return sink.getvalue()


def test_interleaved_members_are_read_one_after_the_other() -> None:
    size = 512 * KIB
    with xbkit.open(io.BytesIO(interleaved(4, size))) as reader:
        seen = []
        for number, member in enumerate(reader):
            assert (member.name, member.id, member.rewrite) == (f"m{number}", number, False)
            assert member.read() == bytes([number]) * size
            assert member.size == member.tell() == size
            seen.append(member.name)
    assert seen == ["m0", "m1", "m2", "m3"]


def test_members_skipped_or_read_in_part() -> None:
    with xbkit.open(io.BytesIO(interleaved(3, 256 * KIB))) as reader:
        first = next(reader)
        assert first.size is None
        second = next(reader)
        assert second.read(10) == b"\1" * 10
        third = next(reader)
        with pytest.raises(xbkit.InvalidStateError, match="went on"):
            first.read()
        with pytest.raises(xbkit.InvalidStateError, match="went on"):
            second.read(1)
        assert third.read() == b"\2" * 256 * KIB
        assert first.size == second.size == 256 * KIB
        assert next(reader, None) is None
    with xbkit.open(io.BytesIO(interleaved(3, 256 * KIB))) as reader:
        assert [member.name for member in reader] == ["m0", "m1", "m2"]


def test_members_are_files(stream: bytes, tmp_path: Path) -> None:
    with xbkit.open(io.BytesIO(stream)) as reader:
        for member in reader:
            assert isinstance(member, io.BufferedIOBase)
            with (tmp_path / "copy").open("wb") as copy, member:
                shutil.copyfileobj(member, copy)
            assert (tmp_path / "copy").read_bytes() == FILES[member.name]
            with pytest.raises(ValueError, match="closed"):
                member.read()
    sink = io.BytesIO()
    with xbkit.open(sink, "w") as writer, writer.create("lines") as entry:
        with io.TextIOWrapper(io.BufferedWriter(entry), encoding="utf-8") as text:  # type: ignore[type-var]
            text.writelines(["eins\n", "zwei ü\n"])
        assert entry.closed
    with xbkit.open(io.BytesIO(sink.getvalue())) as reader:
        assert list(io.TextIOWrapper(next(reader), encoding="utf-8")) == ["eins\n", "zwei ü\n"]
        with pytest.raises(StopIteration):
            next(reader)


def test_read_sizes(stream: bytes) -> None:
    for size in (1000, 65_537, 1 << 20, 5 << 20):
        with xbkit.open(io.BytesIO(stream)) as reader:
            for member in reader:
                pieces = list(iter(lambda m=member: m.read(size), b""))  # type: ignore[misc]
                assert b"".join(pieces) == FILES[member.name]
                assert {len(piece) for piece in pieces[:-1]} <= {size}
                assert member.read() == member.read1() == b"" and member.read(0) == b""
                assert member.readinto(bytearray(5)) == 0


def test_the_spool_goes_to_a_file_and_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_spool, "MEMORY", 100 * KIB)
    size = 1 << 20
    stream = interleaved(5, size)
    with xbkit.open(io.BytesIO(stream), tmpdir=tmp_path, max_spool=8 << 20) as reader:
        for number, member in enumerate(reader):
            data = bytearray()
            while piece := member.read(9_999):
                data += piece
                spool = reader._spool
                assert spool._memory <= 100 * KIB
            assert data == bytes([number]) * size
        assert spool._file_end == spool._file_live == spool._memory == 0
        assert os.listdir(tmp_path) == []
    with xbkit.open(io.BytesIO(stream), tmpdir=tmp_path, max_spool=2 << 20) as reader:
        member = next(reader)
        with pytest.raises(xbkit.LimitError) as caught:
            member.read()
        assert caught.value.path in {"m1", "m2", "m3", "m4"}
        assert "max_spool" in str(caught.value.hint)


def test_a_big_member(tmp_path: Path) -> None:
    """64 MiB pass; memory does not grow with them."""
    import resource

    piece = os.urandom(1 << 20)
    path = tmp_path / "big.xbstream"
    with xbkit.open(path, "w") as writer, writer.create("big", size=64 << 20) as entry:
        for _ in range(64):
            entry.write(piece)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with xbkit.open(path) as reader:
        member = next(reader)
        total = 0
        while data := member.read(1 << 20):
            assert data == piece
            total += len(data)
    assert total == 64 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 24 << 10


def test_items_say_all(stream: bytes) -> None:
    files: dict[int, bytearray] = {}
    names: dict[int, str] = {}
    closed = {}
    with xbkit.open(io.BytesIO(stream)) as reader:
        for item in reader.items():
            match item:
                case xbkit.Open(id, name, False):
                    names[id], files[id] = name, bytearray()
                case xbkit.Data(id, offset, data):
                    assert offset == len(files[id])
                    files[id] += data
                case xbkit.Close(id, name, size):
                    assert (names[id], len(files[id])) == (name, size)
                    closed[name] = bytes(files[id])
                case _:
                    pytest.fail(f"unexpected {item}")
    assert closed == FILES


def test_chunks_outlive_the_step(stream: bytes) -> None:
    with xbkit.open(io.BytesIO(stream)) as reader:
        chunks = [(name, offset, memoryview(data)) for name, offset, data in reader.chunks()]
    files = {name: bytearray() for name in FILES}
    for name, offset, data in chunks:
        assert offset == len(files[name])
        files[name] += data
    assert files == FILES


def test_holes(tmp_path: Path) -> None:
    for dialect, limit in (("mariadb", 1 << 30), ("percona", 1000)):
        sink = io.BytesIO()
        with xbkit.open(sink, "w", dialect=dialect) as writer:  # type: ignore[call-overload]
            with writer.create("h") as entry:
                entry.write(b"a")
                entry.hole(5 << 20)
                entry.write(b"b")
                entry.hole(70_000)
                assert entry.size == (5 << 20) + 70_002
        assert len(sink.getvalue()) < limit
        with xbkit.open(io.BytesIO(sink.getvalue())) as reader:
            assert next(reader).read() == b"a" + bytes(5 << 20) + b"b" + bytes(70_000)
        with xbkit.open(io.BytesIO(sink.getvalue())) as reader:
            kinds = {type(item) for item in reader.items()}
        assert (xbkit.Hole in kinds) == (dialect == "percona")


def _chunk(kind: bytes, name: bytes, rest: bytes = b"") -> bytes:
    return b"XBSTCK01\0" + kind + len(name).to_bytes(4, "little") + name + rest


def test_seeks_renames_and_removes(caplog: pytest.LogCaptureFixture) -> None:
    """MariaDB's chunks: told by items, refused for members that cannot be files."""
    import zlib

    def payload(name: bytes, offset: int, data: bytes) -> bytes:
        fields = len(data).to_bytes(8, "little") + offset.to_bytes(8, "little")
        return _chunk(b"P", name, fields + zlib.crc32(data).to_bytes(4, "little") + data)

    stream = b"".join(
        [
            payload(b"a", 0, b"0123456789"),
            _chunk(b"S", b"a", (2).to_bytes(8, "little")),
            payload(b"a", 2, b"XX"),
            _chunk(b"E", b"a"),
            payload(b"b", 0, b"bbb"),
            _chunk(b"E", b"b"),
            _chunk(b"R", b"b", (1).to_bytes(4, "little") + b"c"),
            _chunk(b"E", b"d"),
            _chunk(b"D", b"d"),
        ]
    )
    with xbkit.open(io.BytesIO(stream)) as reader:
        items = list(reader.items())
    assert xbkit.Data(0, 2, b"XX") in items
    assert xbkit.Rename("b", "c", False) in items and items[-1] == xbkit.Remove("d")
    with xbkit.open(io.BytesIO(stream)) as reader:
        member = next(reader)
        with pytest.raises(xbkit.UnsupportedError, match="out of order"):
            member.read()
        assert next(reader).read() == b"bbb"
        assert next(reader).read() == b""
        assert next(reader, None) is None
    assert [record.getMessage() for record in caplog.records] == [
        "the stream renames member 'b' to 'c'",
        "the stream removes member 'd'",
    ]


def test_layers(stream: bytes) -> None:
    import gzip

    with xbkit.open(io.BytesIO(gzip.compress(gzip.compress(stream, 1), 1))) as reader:
        assert reader.layers == ("gzip", "gzip")
        assert {member.name: member.read() for member in reader} == FILES


def test_one_way_of_reading(stream: bytes) -> None:
    with xbkit.open(io.BytesIO(stream)) as reader:
        next(reader)
        with pytest.raises(xbkit.InvalidStateError, match="members are being read"):
            next(reader.items())
    assert reader.closed
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        next(reader)
    with pytest.raises(ValueError, match="closed"):
        next(reader.items())
    with pytest.raises(ValueError, match="closed"), reader:
        pass


def test_damage_shows_before_the_end_of_a_member(stream: bytes) -> None:
    damaged = bytearray(stream)
    damaged[stream.index(b"P\x07\x00\x00\x00ibdata1") + 100] ^= 1
    with xbkit.open(io.BytesIO(damaged)) as reader, pytest.raises(xbkit.ChecksumError):
        for member in reader:
            member.read()
    with xbkit.open(io.BytesIO(stream[:-20])) as reader, pytest.raises(xbkit.TruncatedError):
        for member in reader:
            pass


@pytest.mark.parametrize(
    "data",
    [
        b"bytes", bytearray(b"bytearray"), memoryview(b"a view")[1:], array.array("H", [1, 2, 3]),
        memoryview(array.array("d", [1.5])), b"", memoryview(b""), bytearray(3 << 20),
    ],
)  # fmt: skip
def test_write_takes_any_contiguous_buffer(data: object) -> None:
    sink = io.BytesIO()
    with xbkit.open(sink, "w") as writer, writer.create("m") as entry:
        assert entry.write(data) == memoryview(data).nbytes  # type: ignore[arg-type]
        entry.writelines([data, b"!"])  # type: ignore[list-item]
    with xbkit.open(io.BytesIO(sink.getvalue())) as reader:
        assert next(reader).read() == bytes(memoryview(data).cast("B")) * 2 + b"!"  # type: ignore[arg-type]


def test_write_refuses_what_is_no_such_buffer() -> None:
    writer = xbkit.open(io.BytesIO(), "w")
    entry = writer.create("m")
    for bad in ("text", 5, None, memoryview(b"abcdef")[::2]):
        with pytest.raises(TypeError):
            entry.write(bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hole of -1"):
        entry.hole(-1)
    assert (entry.size, entry.tell(), entry.name) == (0, 0, "m")
    entry.write(b"still fine")
    entry.close()
    writer.close()


def test_states_of_a_writer() -> None:
    sink = io.BytesIO()
    writer = xbkit.open(sink, "w")
    with writer:
        entry = writer.create("./d//a")
        assert (entry.name, entry.closed) == ("d/a", False)
        assert entry.writable() and not entry.readable() and not entry.seekable()
        with pytest.raises(xbkit.ExistsError):
            writer.create("d/a")
        entry.write(b"x")
        entry.flush()
        entry.close()
        entry.close()
        entry.abort()
        with pytest.raises(ValueError, match="closed"):
            entry.write(b"x")
        assert (entry.size, entry.closed) == (1, True)
    assert writer.closed and writer.stream_bytes == len(sink.getvalue())
    writer.close()
    writer.abort()
    with pytest.raises(ValueError, match="closed"):
        writer.create("b")
    assert len(xbkit.list(io.BytesIO(sink.getvalue()))) == 1


def test_an_entry_left_open_fails_the_stream() -> None:
    sink = io.BytesIO()
    writer = xbkit.open(sink, "w")
    with writer.create("done") as done:
        done.write(b"x")
    entry = writer.create("open")
    with pytest.raises(xbkit.InvalidStateError, match="not finished"):
        writer.close()
    assert writer.closed
    entry.abort()
    with pytest.raises(xbkit.TruncatedError):
        xbkit.list(io.BytesIO(sink.getvalue()))


def test_announced_sizes() -> None:
    writer = xbkit.open(io.BytesIO(), "w")
    entry = writer.create("m", size=3)
    with pytest.raises(xbkit.InvalidArgumentError, match="exceed the announced 3"):
        entry.write(b"1234")
    entry.write(b"12")
    with pytest.raises(xbkit.InvalidArgumentError, match="2 bytes were written, 3 were announced"):
        entry.close()
    with pytest.raises(xbkit.InvalidStateError):
        writer.close()


@pytest.mark.parametrize("where", ["writer", "entry"])
def test_an_exception_leaves_a_stream_that_is_not_whole(where: str, tmp_path: Path) -> None:
    path = tmp_path / "s"
    for sink in (io.BytesIO(), path):
        with pytest.raises(ZeroDivisionError), xbkit.open(sink, "w") as writer:  # type: ignore[call-overload]
            with writer.create("a") as entry:
                entry.write(b"whole")
            if where == "writer":
                raise ZeroDivisionError
            with writer.create("b") as entry:
                raise ZeroDivisionError
        assert writer.closed and entry.closed
        if isinstance(sink, io.BytesIO):
            with pytest.raises(xbkit.TruncatedError):
                xbkit.list(io.BytesIO(sink.getvalue()))
    assert os.listdir(tmp_path) == []


def test_a_path_is_there_when_the_stream_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with xbkit.open(path, "w") as writer:
        with writer.create("a") as entry:
            entry.write(b"x")
        assert not path.exists()
    assert len(xbkit.list(path)) == 1
    with pytest.raises(FileExistsError):
        xbkit.open(path, "w")
    with xbkit.open(path, "w", overwrite=True) as writer:
        writer.create("b").close()
    assert xbkit.list(path) == [xbkit.MemberInfo("b", 0)]
    with pytest.raises(ValueError, match="chunk size"):
        xbkit.open(tmp_path / "t", "w", chunk_size=1)
    assert os.listdir(tmp_path) == ["s"]


def test_threads_write_entries_at_once() -> None:
    sink = io.BytesIO()
    data = {f"m{number}": os.urandom(300_000) * 5 for number in range(8)}
    failures: list[BaseException] = []
    with xbkit.open(sink, "w", chunk_size=64 * KIB) as writer:

        def write(name: str) -> None:
            try:
                with writer.create(name) as entry:
                    for at in range(0, len(data[name]), 33_333):
                        entry.write(data[name][at : at + 33_333])
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(name,)) for name in data]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    with xbkit.open(io.BytesIO(sink.getvalue())) as reader:
        assert {member.name: member.read() for member in reader} == data


def test_what_a_sink_raises_is_raised_where_it_was_called() -> None:
    class Boom(Exception):
        pass

    class Sink:
        broken = False

        def write(self, data: bytes) -> int:
            if self.broken:
                raise Boom
            return len(data)

    sink = Sink()
    writer = xbkit.open(sink, "w", chunk_size=64 * KIB)
    a, b = writer.create("a"), writer.create("b")
    a.write(bytes(70 * KIB))
    sink.broken = True
    with pytest.raises(Boom):
        a.write(bytes(70 * KIB))
    for call in (lambda: a.write(b"x"), lambda: b.write(b"x"), b.close, lambda: writer.create("c")):
        with pytest.raises(xbkit.InvalidStateError, match="failed before"):
            call()
    with pytest.raises(xbkit.InvalidStateError):
        writer.close()
    a.abort()


def test_calling_back_is_refused() -> None:
    class Sink(io.RawIOBase):
        def write(self, data: object) -> int:  # type: ignore[override]
            with writer.create("c") as entry:
                entry.write(bytes(70 * KIB))
            return 1

    writer = xbkit.open(Sink(), "w", chunk_size=64 * KIB)
    entry = writer.create("a")
    with pytest.raises(xbkit.InvalidStateError, match="its own source or sink"):
        entry.write(bytes(70 * KIB))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del entry
        writer.abort()

    class Source:
        def read(self, size: int) -> bytes:
            if reader is not None:
                next(reader)
            return data.pop(0)

    reader: xbkit.StreamReader | None = None
    stream = interleaved(1, 128 * KIB)
    data = [stream[:100_000], stream[100_000:]]
    reader = xbkit.open(Source())
    with pytest.raises(xbkit.InvalidStateError, match="its own source or sink"):
        next(reader).read()
    reader.close()


def test_what_is_collected_unfinished_warns(stream: bytes, tmp_path: Path) -> None:
    with pytest.warns(ResourceWarning, match="unfinished <xbkit.StreamReader"):
        next(xbkit.open(io.BytesIO(stream)))
        gc.collect()
    sink = io.BytesIO()
    with pytest.warns(ResourceWarning, match="unfinished <xbkit.StreamWriter"):
        writer = xbkit.open(sink, "w")
        writer.create("a").close()
        del writer
        gc.collect()
    with pytest.raises(xbkit.TruncatedError):
        xbkit.list(io.BytesIO(sink.getvalue()))
    with xbkit.open(io.BytesIO(), "w") as writer:
        with pytest.warns(ResourceWarning, match="unfinished <xbkit.EntryWriter 'a'"):
            writer.create("a")
            gc.collect()
        writer.abort()
    with pytest.warns(ResourceWarning):
        xbkit.open(tmp_path / "s", "w")
        gc.collect()
    assert os.listdir(tmp_path) == ["tree"]
    # Read to the end is finished.
    list(xbkit.open(io.BytesIO(stream)))
    gc.collect()


def test_reprs(stream: bytes) -> None:
    with xbkit.open(io.BytesIO(stream)) as reader:
        assert repr(reader) == "<xbkit.StreamReader, open>"
        member = next(reader)
        assert repr(member) == f"<xbkit.Member {member.name!r}, size unknown>"
    with xbkit.open(io.BytesIO(), "w", manifest=False) as writer:
        assert repr(writer) == "<xbkit.StreamWriter, 0 bytes, open>"
        with writer.create("a") as entry:
            assert repr(entry) == "<xbkit.EntryWriter 'a', 0 bytes, open>"
    assert repr(writer) == "<xbkit.StreamWriter, 15 bytes, closed>"


def test_tar_is_written_read_converted_and_proven(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with xbkit.open(archive, "w", format="tar") as writer:
        with pytest.raises(xbkit.InvalidArgumentError):
            writer.create("a")
        with writer.create("db/a", size=3) as entry:
            with pytest.raises(xbkit.InvalidStateError):
                writer.create("b", size=0)
            entry.write(b"12")
            entry.hole(1)
        writer.create("empty", size=0).close()
    stream = archive.getvalue()
    with tarfile.open(fileobj=io.BytesIO(stream)) as peer:
        assert peer.getnames() == ["db/a", "empty", xbkit.MANIFEST_NAME]
    with xbkit.open(io.BytesIO(stream)) as reader:
        assert reader.format == "tar"
        assert [(member.name, member.read()) for member in reader] == [
            ("db/a", b"12\0"),
            ("empty", b""),
        ]
    with pytest.raises(xbkit.FormatError):
        xbkit.open(io.BytesIO(stream), format="xbstream")
    assert xbkit.verify(io.BytesIO(stream)).proven

    for sink in (tmp_path / "converted", io.BytesIO()):
        report = xbkit.convert(io.BytesIO(stream), sink, format="xbstream")
        assert (report.members, report.payload_bytes, report.proven) == (2, 3, True)
        made = sink.getvalue() if isinstance(sink, io.BytesIO) else sink.read_bytes()
        assert made.startswith(b"XBSTCK01") and len(made) == report.stream_bytes
        back = io.BytesIO()
        xbkit.convert(io.BytesIO(made), back, format="tar", tmpdir=tmp_path)
        assert back.getvalue() == stream
    with pytest.raises(xbkit.LimitError):
        xbkit.convert(tmp_path / "converted", io.BytesIO(), format="tar", max_spool=1)


def test_a_tar_archive_of_others_tells_directories_and_may_lack_its_end() -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as peer:
        directory = tarfile.TarInfo("db")
        directory.type = tarfile.DIRTYPE
        peer.addfile(directory)
        peer.addfile(tarfile.TarInfo("db/t"))
    stream = archive.getvalue()
    with xbkit.open(io.BytesIO(stream)) as reader:
        items = list(reader.items())
    assert items[0] == xbkit.Directory("db")
    cut = stream[:1024]
    with pytest.raises(xbkit.TruncatedError):
        xbkit.list(io.BytesIO(cut))
    assert [info.name for info in xbkit.list(io.BytesIO(cut), allow_missing_end=True)] == ["db/t"]
    with xbkit.open(io.BytesIO(cut), allow_missing_end=True) as reader:
        assert len(list(reader.items())) == 3
