"""Lists the members of a stream, the biggest first: list.py FILE"""

from __future__ import annotations

import sys

import xbkit


def main() -> None:
    for member in sorted(xbkit.list(sys.argv[1]), key=lambda member: -member.size):
        print(f"{member.size:>12} {member.name}")


main()
