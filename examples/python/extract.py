"""Extracts standard input, with progress, and can be cancelled: extract.py DIR [PATTERN...]"""

from __future__ import annotations

import signal
import sys

import xbkit


def main() -> None:
    directory, *patterns = sys.argv[1:]
    # Ctrl-C raises KeyboardInterrupt by itself; a token serves what is no exception in Python.
    token = xbkit.CancelToken()
    signal.signal(signal.SIGTERM, lambda number, frame: token.cancel())

    def on_event(event: xbkit.Event) -> None:
        match event:
            case xbkit.Progress(done, members, total):
                print(f"{done} of {total or '?'} bytes, {members} members", file=sys.stderr)
            case xbkit.MemberDone(name, size):
                print(f"{name}: {size} bytes")

    try:
        xbkit.extract(
            sys.stdin.buffer,
            directory,
            parallel=2,
            members=patterns,
            on_event=on_event,
            cancel=token,
        )
    except xbkit.TruncatedError as error:
        sys.exit(f"cut at stream byte {error.stream_offset}, in {error.path}: {error.hint}")
    except xbkit.XbkitError as error:
        sys.exit(f"{error} (code {error.code})")


main()
