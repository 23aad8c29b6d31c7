"""Writes two logs as one stream while they are made: write.py OUTPUT"""

from __future__ import annotations

import sys
import threading

import xbkit


def count(entry: xbkit.EntryWriter, step: int) -> None:
    """Something that takes long, and belongs to a member."""
    with entry:
        for number in range(0, 100_000, step):
            entry.write(b"%d\n" % number)


def main() -> None:
    # The file is there when the stream is finished; after an exception it is not.
    with xbkit.open(sys.argv[1], "w") as stream:
        entries = [(stream.create("all.log"), 1), (stream.create("tens.log"), 10)]
        threads = [threading.Thread(target=count, args=work) for work in entries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A thread that failed has left its entry unfinished: then this raises.
    print(f"{stream.stream_bytes} bytes")


main()
