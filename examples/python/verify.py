"""Verifies a stream while it is copied: verify.py FILE COPY"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import xbkit


def copied(source: str, target: str) -> Iterator[bytes]:
    """The bytes of a file, which are written to another on their way."""
    with open(source, "rb") as file, open(target, "xb") as copy:
        while data := file.read(1 << 20):
            copy.write(data)
            yield data


def main() -> None:
    try:
        report = xbkit.verify(copied(*sys.argv[1:]), allow_unproven=True)
    except xbkit.XbkitError as error:
        sys.exit(f"the stream is damaged: {error}")
    proven = "complete" if report.proven else "sound; that it is complete, nothing in it proves"
    print(f"{report.members} members, {report.payload_bytes} bytes: {proven}")


main()
