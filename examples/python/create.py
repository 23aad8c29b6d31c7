"""Packs files into a gzipped stream: create.py DIR OUTPUT NAME..."""

from __future__ import annotations

import gzip
import sys

import xbkit


def main() -> None:
    directory, output, *names = sys.argv[1:]
    with gzip.open(output, "xb", compresslevel=1) as sink:
        report = xbkit.create(sink, names, base=directory)
    print(f"{report.members} members, {report.stream_bytes} bytes before compression")


main()
