"""Backs up a running server, and makes a data directory of it: hot.py SOCKET USER PASSWORD_FILE DATADIR"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import xbkit


def tell(event: xbkit.Event) -> None:
    if isinstance(event, xbkit.Log):
        print(event.message, file=sys.stderr)


def main() -> None:
    socket, user, password_file, datadir = sys.argv[1:]
    server = xbkit.Server(socket=socket, user=user, password_file=password_file)
    with tempfile.TemporaryDirectory() as scratch:
        stream = Path(scratch, "backup.xbstream")
        try:
            report = xbkit.backup(stream, server=server, parallel=2, compress="zstd", on_event=tell)
        except (xbkit.AuthError, xbkit.ConnectError) as error:
            sys.exit(f"{error}; {error.hint}")
        if report.binlog is not None:
            print(f"binary log: {report.binlog.file} {report.binlog.position} {report.binlog.gtid}")
        print(f"commits waited for {report.times.block_commit * 1000:.0f} ms")
        # Where there is a server of the same version; it need not be the same machine.
        restored = xbkit.restore(stream, datadir, parallel=2, on_event=tell)
    print(f"{restored.members} files in {datadir}, ready for a server to start on")


main()
