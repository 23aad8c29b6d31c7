"""Nothing is kept: memory, references and descriptors over 1,000 cycles of each job."""

from __future__ import annotations

import gc
import io
import os
import sys
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import xbkit

CYCLES = 1_000
KIB = 1 << 10
TREE = {"a": b"x" * 70 * KIB, "b/c": b"y", "d": b""}


class Raising:
    """A source that does nothing else."""

    def read(self, size: int) -> bytes:
        """Raises."""
        raise ZeroDivisionError


class Discard:
    """A sink that keeps nothing."""

    def write(self, data: bytes) -> int:
        """Takes all."""
        return len(data)


class Cycle:
    """What one cycle of each job works on. Every object that jobs are given is made here once, so
    that its references can be counted."""

    def __init__(self, root: Path) -> None:
        self.base = root / "tree"
        for name, data in TREE.items():
            (self.base / name).parent.mkdir(parents=True, exist_ok=True)
            (self.base / name).write_bytes(data)
        self.datadir = root / "data"
        self.datadir.mkdir()
        for name in ("ibdata1", "ib_logfile0"):
            (self.datadir / name).write_bytes(bytes(64 * KIB))
        self.out = root / "out"
        self.out.mkdir()
        self.path = root / "s"
        self.memory = io.BytesIO()
        self.discard = Discard()
        self.events = 0
        self.token = xbkit.CancelToken()
        self.on_event = self._count
        sink = io.BytesIO()
        xbkit.create(sink, TREE, base=self.base)
        self.stream = sink.getvalue()

    def _count(self, event: object) -> None:
        self.events += 1

    def sink(self) -> io.BytesIO:
        self.memory.seek(0)
        self.memory.truncate()
        return self.memory

    def source(self) -> io.BytesIO:
        self.memory.seek(0)
        self.memory.write(self.stream)
        self.memory.truncate()
        self.memory.seek(0)
        return self.memory

    def _empty(self) -> None:
        for root, dirs, files in os.walk(self.out, topdown=False):
            for name in files:
                os.unlink(os.path.join(root, name))
            for name in dirs:
                os.rmdir(os.path.join(root, name))

    def create(self) -> None:
        xbkit.create(
            self.sink(), TREE, base=self.base, on_event=self.on_event, cancel=self.token
        )

    def create_path(self) -> None:
        xbkit.create(self.path, TREE, base=self.base, overwrite=True)

    def create_parallel(self) -> None:
        # Not into memory, whose size depends on the order in which files come.
        xbkit.create(self.discard, TREE, base=self.base, parallel=2)

    def create_failing(self) -> None:
        with pytest.raises(xbkit.NotFoundError):
            xbkit.create(self.sink(), [*TREE, "missing"], base=self.base)

    def backup(self) -> None:
        xbkit.backup(
            self.sink(), datadir=self.datadir, on_event=self.on_event, cancel=self.token
        )

    def extract(self) -> None:
        self._empty()
        xbkit.extract(
            self.source(), self.out, sync=False, on_event=self.on_event, cancel=self.token
        )

    def extract_fd(self) -> None:
        self._empty()
        self.path.write_bytes(self.stream)
        with self.path.open("rb") as file:
            xbkit.extract(file, self.out, sync=False, parallel=2)

    def extract_failing(self) -> None:
        self._empty()
        self.source().truncate(1000)
        with pytest.raises(xbkit.TruncatedError):
            xbkit.extract(self.memory, self.out, sync=False)

    def list(self) -> None:
        assert len(xbkit.list(self.source(), on_event=self.on_event, cancel=self.token)) == 3

    def verify(self) -> None:
        xbkit.verify(self.source(), on_event=self.on_event)

    def verify_failing(self) -> None:
        with pytest.raises(xbkit.UnprovenError):
            xbkit.verify(io.BytesIO(b"XBSTCK01\0E\x01\0\0\0a"))

    def raising(self) -> None:
        with pytest.raises(ZeroDivisionError):
            xbkit.list(Raising(), cancel=self.token)

    def read_members(self) -> None:
        with xbkit.open(self.source(), cancel=self.token) as reader:
            assert {member.name: member.read() for member in reader} == TREE

    def read_items(self) -> None:
        with xbkit.open(self.source()) as reader:
            for _ in reader.items():
                pass

    def read_some(self) -> None:
        self.path.write_bytes(self.stream)
        with xbkit.open(self.path) as reader:
            next(reader).read(10)

    def write(self) -> None:
        with xbkit.open(self.sink(), "w", chunk_size=64 * KIB, cancel=self.token) as writer:
            with writer.create("a") as a, writer.create("b") as b:
                a.write(TREE["a"])
                b.write(bytearray(100))

    def write_path(self) -> None:
        with xbkit.open(self.path, "w", overwrite=True) as writer:
            writer.create("a").close()

    def write_failing(self) -> None:
        with pytest.raises(ZeroDivisionError), xbkit.open(self.sink(), "w") as writer:
            with writer.create("a") as a:
                a.write(b"x")
                raise ZeroDivisionError

    def token_itself(self) -> None:
        xbkit.CancelToken().cancel()


JOBS = [name for name in vars(Cycle) if name[0] != "_" and name not in ("sink", "source")]


def descriptors() -> list[str]:
    """Every open descriptor but those of the listing itself."""
    return sorted(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("job", JOBS)
def test_a_thousand_cycles(job: str, tmp_path: Path) -> None:
    cycle = Cycle(tmp_path)
    run: Callable[[], None] = getattr(cycle, job)
    watched = (cycle.memory, cycle.token, cycle.on_event, cycle.stream, xbkit.TruncatedError)
    tracemalloc.start()
    # What is filled once, such as caches and the buffers of `memory`, is filled then.
    for _ in range(100):
        run()
    gc.collect()
    fds, refs = descriptors(), [sys.getrefcount(obj) for obj in watched]
    objects = len(gc.get_objects())
    traced, memory = [tracemalloc.get_traced_memory()[0]], [resident()]
    # Caches and arenas grow now and then; a leak grows each time.
    while len(traced) < 2 or (len(traced) < 6 and grows(traced, memory)):
        for _ in range(CYCLES):
            run()
        gc.collect()
        traced.append(tracemalloc.get_traced_memory()[0])
        memory.append(resident())
    tracemalloc.stop()
    assert descriptors() == fds
    assert [sys.getrefcount(obj) for obj in watched] == refs
    assert abs(len(gc.get_objects()) - objects) < 50
    assert not grows(traced, memory), f"memory grew: Python's {traced}, the process's {memory}"


def grows(traced: list[int], memory: list[int]) -> bool:
    """Whether it grew in every thousand cycles: Python's memory by 4 bytes a cycle, which is less
    than any object has, or the process by a page in four cycles."""

    def least(sizes: list[int]) -> int:
        return min(after - before for before, after in pairwise(sizes))

    return least(traced) >= 4 * CYCLES or least(memory) >= CYCLES * KIB
