"""The jobs from Python, for bindings.py: jobs.py create|extract fd|object DIR [FILE...]."""

import io
import os
import sys

import xbkit


class Plain(io.RawIOBase):
    """A file object of a type that xbkit does not know, so that it goes by its methods."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return os.readv(self._fd, [buffer])

    def write(self, data) -> int:
        return os.write(self._fd, data)


job, how, directory, *files = sys.argv[1:]
if job == "create":
    xbkit.create(1 if how == "fd" else Plain(1), files, base=directory)
elif job == "extract":
    xbkit.extract(0 if how == "fd" else Plain(0), directory)
# Nothing for `start`: what Python and the import cost by themselves.
