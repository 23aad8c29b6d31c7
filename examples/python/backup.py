"""Streams a stopped server's data directory into another program: backup.py DATADIR COMMAND..."""

from __future__ import annotations

import subprocess
import sys

import xbkit


def main() -> None:
    datadir, *command = sys.argv[1:]
    # For example: ssh host 'xbkit extract -C /srv/restored'
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            report = xbkit.backup(process.stdin, datadir=datadir, parallel=2)
        except xbkit.LockedError as error:
            sys.exit(f"{error}; stop the server first")
    # Both ends must have ended well: an xbstream has no end mark.
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with status {process.returncode}")
    print(f"{report.members} members, {report.payload_bytes} bytes")


main()
