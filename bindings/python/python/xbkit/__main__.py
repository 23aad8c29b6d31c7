"""``python -m xbkit``: the jobs, for the shell. Data on standard output, talk on standard error."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
from typing import Any

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

    recovers = argparse.ArgumentParser(add_help=False)
    recovers.add_argument("--server", metavar="PROGRAM", help="the server that recovers")
    recovers.add_argument("--use-memory", type=_size, default=xbkit.USE_MEMORY, metavar="SIZE")
    recovers.add_argument(
        "--server-option", action="append", default=[], metavar="NAME=VALUE", help="one more for it"
    )
    recovers.add_argument("--tmpdir", metavar="DIR", help="put its socket here")

    job = jobs.add_parser(
        "backup", parents=[writes, talks, works], help="back up a stopped or a running server"
    )
    job.add_argument("--datadir", metavar="DIR", help="the data directory of a stopped server")
    job.add_argument(
        "--log-page-corruption", action="store_true", help="report damaged pages and go on"
    )
    for option in ("data-home", "undo-dir", "log-dir", "aria-log-dir"):
        job.add_argument(f"--{option}", metavar="DIR", help="if not in the data directory")
    job.add_argument("--socket", metavar="PATH", help="the socket of a running server")
    job.add_argument("--host", help="or the host by which it is reached")
    job.add_argument("--port", type=int)
    job.add_argument("--user")
    job.add_argument(
        "--password-file",
        metavar="FILE",
        help="its first line is the password; else XBKIT_PASSWORD or MYSQL_PWD is",
    )
    job.add_argument("--defaults-file", metavar="FILE", help="an option file that says the rest")
    job.add_argument("--tls", action="store_true")
    for option in ("tls-ca", "tls-cert", "tls-key"):
        job.add_argument(f"--{option}", metavar="FILE")
    job.add_argument("--tls-no-verify", action="store_true")
    job.add_argument("--tmpdir", metavar="DIR", help="spool what does not fit into memory here")
    job.add_argument("--throttle", type=_size, metavar="SIZE", help="read so much a second at most")
    job.add_argument("--lock-wait-timeout", type=int, metavar="SECONDS")
    job.add_argument("--slave-info", action="store_true")
    job.add_argument("--galera-info", action="store_true")
    job.add_argument("--safe-slave-backup", action="store_true")
    job.add_argument("--safe-slave-backup-timeout", type=int, metavar="SECONDS")
    job.add_argument("--target-dir", metavar="DIR", help="make files here instead of a stream")

    job = jobs.add_parser("prepare", parents=[recovers], help="have a server recover a backup")
    job.add_argument("directory", metavar="DIR")

    job = jobs.add_parser(
        "restore", parents=[works, recovers], help="make a data directory of a stream"
    )
    job.add_argument("-i", "--input", metavar="FILE", help="read this file, not standard input")
    job.add_argument("--datadir", required=True, metavar="DIR", help="a new or empty one")
    job.add_argument("--owner", metavar="USER")
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
        into_dir = getattr(args, "target_dir", None) is not None
        sink: Any = None if into_dir else args.output or sys.stdout.buffer
        if sink is sys.stdout.buffer and sys.stdout.isatty():
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
            report = _back_up(args, sink, dict(shape, on_event=tell))
            if report.pages.damaged:
                raise SystemExit(1)
        case "prepare":
            xbkit.prepare(args.directory, **_recovery(args))
        case "restore":
            xbkit.restore(
                source,
                args.datadir,
                owner=args.owner,
                parallel=args.parallel,
                on_event=tell,
                **_recovery(args),
            )
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


def _back_up(
    args: argparse.Namespace, sink: xbkit.Sink | None, options: dict[str, Any]
) -> xbkit.CreateReport:
    options["target_dir"] = args.target_dir
    options["log_page_corruption"] = args.log_page_corruption
    of_stopped = ("data_home", "undo_dir", "log_dir", "aria_log_dir")
    if args.socket is None and args.host is None and args.defaults_file is None:
        if args.datadir is None:
            raise xbkit.InvalidArgumentError("name a stopped server by --datadir, or a running one")
        of_replica = ("slave_info", "safe_slave_backup", "safe_slave_backup_timeout")
        of_running = ("tmpdir", "throttle", "lock_wait_timeout", *of_replica, "galera_info")
        of_login = ("port", "user", "password_file", "tls", "tls_ca", "tls_cert", "tls_no_verify")
        _refuse(args, (*of_running, *of_login), "a running server; name it by --socket or --host")
        options.update((name, getattr(args, name)) for name in of_stopped)
        made: xbkit.CreateReport = xbkit.backup(sink, datadir=args.datadir, **options)
        return made
    _refuse(args, of_stopped, "a stopped server, not a running one")
    if args.password_file is None:
        password = os.environ.get("XBKIT_PASSWORD") or os.environ.get("MYSQL_PWD")
    else:
        password = None
    server = xbkit.Server(
        socket=args.socket,
        host=args.host,
        port=args.port,
        user=args.user,
        password=password,
        password_file=args.password_file,
        defaults_file=args.defaults_file,
        tls=args.tls,
        tls_ca=args.tls_ca,
        tls_cert=args.tls_cert,
        tls_key=args.tls_key,
        tls_no_verify=args.tls_no_verify,
    )
    report = xbkit.backup(
        sink,
        server=server,
        datadir=args.datadir,
        tmpdir=args.tmpdir,
        throttle=args.throttle,
        lock_wait_timeout=args.lock_wait_timeout,
        slave_info=args.slave_info,
        galera_info=args.galera_info,
        safe_slave_backup=args.safe_slave_backup,
        safe_slave_backup_timeout=args.safe_slave_backup_timeout,
        **options,
    )
    print(json.dumps(dataclasses.asdict(report)), file=sys.stderr)
    return report


def _refuse(args: argparse.Namespace, names: tuple[str, ...], of_what: str) -> None:
    for name in names:
        if getattr(args, name):
            option = name.replace("_", "-")
            raise xbkit.InvalidArgumentError(f"--{option} is about {of_what}")


def _recovery(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "server_program": args.server,
        "use_memory": args.use_memory,
        "server_options": args.server_option,
        "tmpdir": args.tmpdir,
    }


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
