"""Finds text in the members of a stream, without extracting it: read.py FILE PATTERN"""

from __future__ import annotations

import io
import re
import sys

import xbkit


def main() -> None:
    path, pattern = sys.argv[1:]
    with xbkit.open(path) as stream:
        for member in stream:
            for number, line in enumerate(io.TextIOWrapper(member, errors="replace"), 1):
                if re.search(pattern, line):
                    print(f"{member.name}:{number}: {line.rstrip()}")


main()
