"""``python -m xbkit``: the jobs, for the shell. Data on standard output, talk on standard error."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys

import xbkit


def _size(text: str) -> int:
    units = {"k": 10, "m": 20, "g": 30}
    shift = units.get(text[-1:].lower(), 0)
    try:
        return int(text[:-1] if shift else text) << shift
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no size such as 65536, 64K, 1M") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xbkit",
        description="Streams physical backups of MySQL and MariaDB as xbstream or tar, and extracts "
        "such streams, verified.",
    )
    parser.add_argument("--version", action="version", version=f"xbkit {xbkit.__version__}")
    jobs = parser.add_subparsers(dest="job", required=True, metavar="JOB")

    reads = argparse.ArgumentParser(add_help=False)
    reads.add_argument("-i", "--input", metavar="FILE", help="read this file, not standard input")
    reads.add_argument(
        "--allow-missing-end", action="store_true", help="of a tar archive, its blocks of zeros"
    )
    writes = argparse.ArgumentParser(add_help=False)
    writes.add_argument(
        "-o", "--output", metavar="FILE", help="write this new file, not standard output"
    )
    writes.add_argument(
        "--chunk-size", type=_size, default=xbkit.CHUNK_SIZE, metavar="SIZE", help="64K to 64M"
    )
    writes.add_argument("--stream", choices=["xbstream", "tar"], default="xbstream", help="format")
    writes.add_argument(
        "--dialect",
        choices=["mariadb", "percona"],
        default="mariadb",
        help="whether holes travel as sparse chunks (percona)",
    )
    writes.add_argument(
        "--no-manifest", action="store_true", help="leave out what proves the stream whole"
    )
    talks = argparse.ArgumentParser(add_help=False)
    talks.add_argument("-v", "--verbose", action="store_true", help="name each member when done")
    works = argparse.ArgumentParser(add_help=False)
    works.add_argument("-p", "--parallel", type=int, default=1, metavar="N", help="threads")

    job = jobs.add_parser("create", parents=[writes, talks, works], help="stream files")
    job.add_argument("-C", "--directory", default="", metavar="DIR", help="paths start here")
    job.add_argument("paths", nargs="+", metavar="PATH")

    job = jobs.add_parser("extract", parents=[reads, talks, works], help="extract a stream")
    job.add_argument("-C", "--directory", default=".", metavar="DIR", help="a new or empty one")
    job.add_argument("--overwrite", action="store_true", help="replace files that exist")
    job.add_argument("--no-sync", action="store_true", help="do not wait for the disk")
    job.add_argument(
        "--require-backup", action="store_true", help="refuse what is no backup of a whole server"
    )
    job.add_argument("patterns", nargs="*", metavar="PATTERN", help="only matching members")

    jobs.add_parser("list", parents=[reads], help="name each member, with its size")

    job = jobs.add_parser("verify", parents=[reads, talks], help="check a stream")
    job.add_argument(
        "--allow-unproven", action="store_true", help="let a sound stream without manifest pass"
    )

    job.add_argument(
        "--require-backup", action="store_true", help="refuse what is no backup of a whole server"
    )
    job.add_argument("--pages", action="store_true", help="check the pages of tablespaces, too")

    job = jobs.add_parser("info", help="say what backup a stream or a directory holds, as JSON")
    job.add_argument("path", nargs="?", metavar="STREAM|DIR", help="or standard input")

    job = jobs.add_parser("cat", parents=[reads], help="write one member, and verify the stream")
    job.add_argument("member", metavar="MEMBER")

    job = jobs.add_parser("check", parents=[works], help="check the pages of files on disk")
    job.add_argument("paths", nargs="+", metavar="PATH", help="a data directory or a file")

    job = jobs.add_parser("backup", parents=[writes, talks, works], help="back up a stopped server")
    job.add_argument("--datadir", required=True, metavar="DIR", help="the data directory")
    job.add_argument(
        "--log-page-corruption", action="store_true", help="report damaged pages and go on"
    )
    for option in ("data-home", "undo-dir", "log-dir", "aria-log-dir"):
        job.add_argument(f"--{option}", metavar="DIR", help="if not in the data directory")
    return parser


def _run(args: argparse.Namespace) -> None:
    def tell(event: xbkit.Event) -> None:
        if isinstance(event, xbkit.MemberDone) and getattr(args, "verbose", False):
            print(_shown(event.name), file=sys.stderr)
        elif isinstance(event, xbkit.BadPage):
            print(f"{_shown(event.name)}: {event.message}", file=sys.stderr)

    def found(event: xbkit.Event) -> None:
        if isinstance(event, xbkit.BadPage):
            print(f"{_shown(event.name)}: {event.message}")

    def name(event: xbkit.Event) -> None:
        if isinstance(event, xbkit.MemberDone):
            print(f"{event.size}\t{_shown(event.name)}")

    if "output" in args:
        sink = args.output or sys.stdout.buffer
        if args.output is None and sys.stdout.isatty():
            raise xbkit.InvalidArgumentError("standard output is a terminal; name a file by -o")
        shape = {
            "parallel": args.parallel,
            "chunk_size": args.chunk_size,
            "format": args.stream,
            "dialect": args.dialect,
            "manifest": not args.no_manifest,
        }
    elif "input" in args:
        source = args.input or sys.stdin.buffer
    match args.job:
        case "create":
            xbkit.create(sink, args.paths, base=args.directory, on_event=tell, **shape)
        case "backup":
            report = xbkit.backup(
                sink,
                datadir=args.datadir,
                data_home=args.data_home,
                undo_dir=args.undo_dir,
                log_dir=args.log_dir,
                aria_log_dir=args.aria_log_dir,
                log_page_corruption=args.log_page_corruption,
                on_event=tell,
                **shape,
            )
            if report.pages.damaged:
                raise SystemExit(1)
        case "extract":
            xbkit.extract(
                source,
                args.directory,
                overwrite=args.overwrite,
                sync=not args.no_sync,
                allow_missing_end=args.allow_missing_end,
                parallel=args.parallel,
                members=args.patterns,
                require_backup=args.require_backup,
                on_event=tell,
            )
        case "list":
            xbkit.list(source, allow_missing_end=args.allow_missing_end, on_event=name)
            sys.stdout.flush()
        case "verify":
            xbkit.verify(
                source,
                allow_unproven=args.allow_unproven,
                allow_missing_end=args.allow_missing_end,
                require_backup=args.require_backup,
                pages=args.pages,
                on_event=tell,
            )
        case "info":
            backup = xbkit.info(args.path or sys.stdin.buffer)
            print(json.dumps(dataclasses.asdict(backup)), flush=True)
        case "cat":
            if sys.stdout.isatty():
                raise xbkit.InvalidArgumentError("standard output is a terminal; redirect it")
            xbkit.cat(source, args.member, sys.stdout.buffer)
        case "check":
            xbkit.check(*args.paths, parallel=args.parallel, on_event=found)
            sys.stdout.flush()


def _shown(name: str) -> str:
    """A name as text for people: what could steer a terminal is escaped."""
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode()
        for char in name
    )


def main(argv: list[str] | None = None) -> int:
    """Runs a job; 0 success, 1 failure, 2 wrong usage, 130 Ctrl-C."""
    args = _parser().parse_args(argv)
    logging.basicConfig(format="xbkit: %(message)s", level=logging.WARNING)
    try:
        _run(args)
    except KeyboardInterrupt:
        print("xbkit: interrupted", file=sys.stderr)
        return 130
    except (xbkit.XbkitError, OSError, ValueError) as error:
        print(f"xbkit: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", None):
            print(f"xbkit: hint: {hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
