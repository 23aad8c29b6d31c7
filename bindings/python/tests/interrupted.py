"""Waits in one scenario until Ctrl-C; run by test_interrupt.py.

Prints what a program needs to know afterwards, as JSON: how long it took from the signal to the
exception, and what is left of threads, descriptors and files.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

warnings.simplefilter("ignore", RuntimeWarning)
import xbkit  # noqa: E402

root = Path(tempfile.mkdtemp())
(root / "tree").mkdir()
for number in range(8):
    (root / "tree" / f"f{number}").write_bytes(os.urandom(3 << 20))
NAMES = [f"f{number}" for number in range(8)]
(root / "data").mkdir()
for name in ("ibdata1", "ib_logfile0"):
    (root / "data" / name).write_bytes(bytes(4 << 20))

whole = io.BytesIO()
xbkit.create(whole, NAMES, base=root / "tree")
half = whole.getvalue()[: len(whole.getvalue()) // 2]

read_fd, write_fd = os.pipe()
"""Nobody writes into one end, nobody reads from the other."""


def half_pipe() -> int:
    """A pipe that holds the beginning of a stream, and stays open."""
    reader, writer = os.pipe()
    threading.Thread(target=lambda: os.write(writer, half), daemon=True).start()
    return reader


class Stuck(io.RawIOBase):
    """Would block, for ever."""

    def readinto(self, buffer: object) -> None:
        return None

    def write(self, data: object) -> None:
        return None


def endless() -> Iterator[bytes]:
    """A stream that goes on for ever, and never waits."""
    sink = io.BytesIO()
    writer = xbkit.open(sink, "w", chunk_size=64 << 10)
    entry = writer.create("endless")
    while True:
        entry.write(bytes(64 << 10))
        yield sink.getvalue()
        sink.seek(0)
        sink.truncate()


def write_stuck() -> None:
    with xbkit.open(write_fd, "w") as writer, writer.create("a") as entry:
        while True:
            entry.write(bytes(1 << 20))


def write_behind_another_thread() -> None:
    """The main thread waits for a sink that another thread is stuck in."""
    release = threading.Event()
    inside = threading.Event()

    class Sink:
        def write(self, data: bytes) -> int:
            inside.set()
            release.wait(20)
            return len(data)

    writer = xbkit.open(Sink(), "w")
    a, b = writer.create("a"), writer.create("b")
    thread = threading.Thread(target=lambda: a.write(bytes(1 << 20)))
    thread.start()
    inside.wait()
    try:
        b.write(bytes(1 << 20))
    finally:
        release.set()
        thread.join()
        for entry in (a, b):
            entry.abort()
        writer.abort()


SCENARIOS: dict[str, Callable[[], object]] = {
    "extract pipe": lambda: xbkit.extract(read_fd, root / "out"),
    "extract half": lambda: xbkit.extract(half_pipe(), root / "out"),
    "extract half parallel": lambda: xbkit.extract(half_pipe(), root / "out", parallel=4),
    "extract in place": lambda: xbkit.extract(half_pipe(), root / "there", in_place=True),
    "extract file object": lambda: xbkit.extract(open(read_fd, "rb"), root / "out"),
    "extract stuck object": lambda: xbkit.extract(Stuck(), root / "out"),
    "extract endless": lambda: xbkit.extract(endless(), root / "out", parallel=2),
    "create pipe": lambda: xbkit.create(write_fd, NAMES, base=root / "tree"),
    "create parallel": lambda: xbkit.create(write_fd, NAMES, base=root / "tree", parallel=4),
    "create stuck object": lambda: xbkit.create(Stuck(), NAMES, base=root / "tree"),
    "backup pipe": lambda: xbkit.backup(write_fd, datadir=root / "data"),
    "list pipe": lambda: xbkit.list(read_fd),
    "verify half": lambda: xbkit.verify(half_pipe()),
    "open pipe": lambda: xbkit.open(read_fd),
    "read half": lambda: [member.read() for member in xbkit.open(half_pipe())],
    "write pipe": write_stuck,
    "write behind another": write_behind_another_thread,
}


def main() -> None:
    name = sys.argv[1]
    (root / "there").mkdir()
    threads_before = len(os.listdir("/proc/self/task"))
    sent = 0.0

    def interrupt() -> None:
        nonlocal sent
        # Long enough for the wait to have begun; where it has not, the test is only easier.
        time.sleep(0.3)
        sent = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    killer = threading.Thread(target=interrupt)
    killer.start()
    try:
        SCENARIOS[name]()
        outcome = "returned"
    except KeyboardInterrupt:
        took = time.monotonic() - sent
        outcome = "KeyboardInterrupt"
    except BaseException as error:
        outcome = repr(error)
    killer.join()
    if outcome != "KeyboardInterrupt":
        print(json.dumps({"outcome": outcome}))
        return
    gc.collect()
    # A thread that was joined may be a moment from its end.
    deadline = time.monotonic() + 1
    while len(os.listdir("/proc/self/task")) > threads_before and time.monotonic() < deadline:
        time.sleep(0.01)
    left = [str(path.relative_to(root)) for path in root.rglob("*")]
    print(
        json.dumps(
            {
                "outcome": outcome,
                "took": took,
                "threads": len(os.listdir("/proc/self/task")) - threads_before,
                "left": sorted(p for p in left if not p.startswith(("tree", "data"))),
            }
        )
    )


main()
