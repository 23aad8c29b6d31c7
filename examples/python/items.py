"""Hashes members that interleave, in one pass and without keeping any: items.py FILE"""

from __future__ import annotations

import hashlib
import sys

import xbkit


def main() -> None:
    hashes = {}
    with xbkit.open(sys.argv[1]) as stream:
        for item in stream.items():
            match item:
                case xbkit.Open(id, _, _):
                    hashes[id] = hashlib.sha256()
                case xbkit.Data(id, _, data):
                    hashes[id].update(data)
                case xbkit.Close(id, name, _):
                    # Only now have the checksums of all of it been compared.
                    print(f"{hashes.pop(id).hexdigest()}  {name}")
                case _:
                    sys.exit(f"{item} has no simple hash")


main()
