"""The interpreter is released while xbkit works: other threads run. Shown by what they did, not by
how long anything took."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import FILES, files_below

import xbkit


def test_another_thread_feeds_a_job_that_waits(stream: bytes, tmp_path: Path) -> None:
    """Holding the interpreter while it waits for the pipe, the job would never see a byte."""
    read_fd, write_fd = os.pipe()
    steps = []

    def feed() -> None:
        for at in range(0, len(stream), 50_000):
            steps.append(at)
            view = memoryview(stream)[at : at + 50_000]
            while view:
                view = view[os.write(write_fd, view) :]
        os.close(write_fd)

    thread = threading.Thread(target=feed)
    thread.start()
    xbkit.extract(read_fd, tmp_path / "out")
    thread.join()
    os.close(read_fd)
    assert len(steps) > 10
    assert files_below(tmp_path / "out") == FILES


@pytest.mark.parametrize("parallel", [1, 3])
def test_two_jobs_at_the_two_ends_of_a_pipe(parallel: int, tree: Path, tmp_path: Path) -> None:
    read_fd, write_fd = os.pipe()

    def pack() -> None:
        xbkit.create(write_fd, FILES, base=tree, parallel=parallel)
        os.close(write_fd)

    thread = threading.Thread(target=pack)
    thread.start()
    xbkit.extract(read_fd, tmp_path / "out", parallel=parallel)
    thread.join()
    os.close(read_fd)
    assert files_below(tmp_path / "out") == FILES


def test_a_job_that_only_computes_lets_others_run(tmp_path: Path) -> None:
    """A file is read and checked without a wait in which a thread could sneak in. What another
    thread counted between the end of one callback and the beginning of the next, it counted beside
    the job."""
    path = tmp_path / "big.xbstream"
    with xbkit.open(path, "w") as writer:
        for number in range(64):
            with writer.create(f"m{number}") as entry:
                entry.write(bytes(4 << 20))
    count = 0
    begun, stop = threading.Event(), threading.Event()

    def work() -> None:
        nonlocal count
        begun.set()
        while not stop.is_set():
            count += 1

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    ends: list[int] = []
    meanwhile: list[int] = []

    def on_event(event: xbkit.Event) -> None:
        if ends:
            meanwhile.append(count - ends[-1])
        ends.append(count)

    xbkit.list(path, on_event=on_event)
    stop.set()
    thread.join()
    assert len(meanwhile) >= 63 and max(meanwhile) > 0


def test_jobs_on_many_threads(stream: bytes, tree: Path, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(3):
                sink = io.BytesIO()
                xbkit.create(sink, FILES, base=tree, parallel=2)
                out = tmp_path / f"{number}-{turn}"
                xbkit.extract(io.BytesIO(sink.getvalue()), out, parallel=2, sync=False)
                assert files_below(out) == FILES
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_one_reader_and_many_threads(stream: bytes) -> None:
    """One at a time, each item goes to one of them."""
    from xbkit import _xbkit

    reader = _xbkit.Reader(("read", io.BytesIO(stream).read), False, None, None)
    got: list[int] = []

    def take() -> None:
        while (item := reader.next_item()) is not None:
            got.append(item[0])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader.close()
    assert got.count(0) == got.count(3) == len(FILES)


@pytest.mark.parametrize("job", ["extract", "list", "open", "write"])
def test_a_token_ends_a_wait_from_another_thread(job: str, tmp_path: Path) -> None:
    read_fd, write_fd = os.pipe()
    token = xbkit.CancelToken()

    def write() -> None:
        with xbkit.open(write_fd, "w", cancel=token) as writer, writer.create("a") as entry:
            while True:
                entry.write(bytes(1 << 20))

    jobs: dict[str, Callable[[], object]] = {
        "extract": lambda: xbkit.extract(read_fd, tmp_path / "out", cancel=token),
        "list": lambda: xbkit.list(read_fd, cancel=token),
        "open": lambda: xbkit.open(read_fd, cancel=token),
        "write": write,
    }
    timer = threading.Timer(0.05, token.cancel)
    timer.start()
    with pytest.raises(xbkit.CancelledError):
        jobs[job]()
    timer.join()
    os.close(read_fd)
    os.close(write_fd)
