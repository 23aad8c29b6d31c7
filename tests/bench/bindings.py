#!/usr/bin/env python3
"""What the C and Python interfaces cost beside the command line: CPU seconds of the same jobs.

Each runs with one thread, 4 x 256 MiB through a pipe in a tmpfs, in turn within each round.
Python's start, which a long-lived program pays once, is measured apart and taken off. The pipe has
the capacity that xbkit asks for where it is given a descriptor: what a callback writes to is its
caller's affair.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench import MIB, Series, check_space, machine, make_data, piped, rounds, verify

# CPU of the command line's.
TARGETS = {"C callbacks": 1.03, "Python descriptor": 1.05, "Python file object": 1.30}
JOBS = Path(__file__).with_name("jobs.py")


def series_of(options, job: str, source: Path, out: Path, names: list[str]) -> list[Series]:
    files = names if job == "create" else []
    directory = str(source if job == "create" else out)
    command = ["xbkit", job, "-p", "1", "-C", directory, *files]
    python = lambda how: [options.python, str(JOBS), job, how, directory, *files]
    return [
        Series("command line", command, options.tool),
        Series("C callbacks", ["callbacks", job, directory, *files], options.callbacks),
        Series("Python descriptor", python("fd"), options.python),
        Series("Python file object", python("object"), options.python),
        Series("Python's start", [options.python, str(JOBS), "start", "-", "-"], options.python),
    ]


def measure(options, job: str, data, stream: Path) -> list[str]:
    out = data.root.parent / "out"
    programs = series_of(options, job, data.root, out, list(data.digests))

    def run_one(series: Series, check: bool = False):
        if job == "create":
            return piped(series, data.root, capacity=MIB)
        out.mkdir()
        idle = series.label == "Python's start"
        run = piped(series, out, feed=Path(os.devnull) if idle else stream, capacity=MIB)
        if check and not idle:
            verify(out, data, series.label)
        shutil.rmtree(out)
        return run

    rounds(programs, options.repeat, run_one, lambda series: run_one(series, check=True))
    cpu = {series.label: series.median("cpu") for series in programs}
    lines = []
    for series in programs:
        own = cpu[series.label] - (cpu["Python's start"] if series.label in TARGETS and "Python" in series.label else 0)
        ratio, target = own / cpu["command line"], TARGETS.get(series.label)
        verdict = "" if target is None else f"≤ {target:.2f} {'met' if ratio <= target else '**missed**'}"
        shown = "" if series.label == "Python's start" else f"{ratio:.2f}"
        spread = f"{min(r.cpu for r in series.runs):.3f}–{max(r.cpu for r in series.runs):.3f}"
        lines.append(f"| {job} | {series.label} | {own:.3f} | {spread} | {shown} | {verdict} | {series.median('wall'):.3f} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, type=os.path.abspath, help="the xbkit program")
    parser.add_argument("--callbacks", required=True, type=os.path.abspath, help="callbacks.c, compiled")
    parser.add_argument("--python", required=True, type=os.path.abspath, help="a Python with a release build of the module")
    parser.add_argument("--repeat", type=int, default=7, help="counted rounds (%(default)s)")
    parser.add_argument("--size", type=int, default=256, metavar="MIB", help="size of each of 4 files (%(default)s)")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"), help="a tmpfs (%(default)s)")
    parser.add_argument("--output", type=Path, help="append the table to this file too")
    options = parser.parse_args()
    size = options.size * MIB
    check_space(options.dir, 12 * size + 256 * MIB)
    lines = [
        f"Interfaces beside the command line; {machine()}; medians of {options.repeat}.",
        "",
        "| job | interface | CPU s | from–to | CPU of the command line's | target | wall s |",
        "|---|---|---:|---:|---:|---|---:|",
    ]
    with tempfile.TemporaryDirectory(prefix="xbkit-bench.", dir=options.dir) as scratch:
        print("interfaces ", end="", file=sys.stderr, flush=True)
        data = make_data(Path(scratch) / "src", [f"db/t{n}.ibd" for n in range(4)], size)
        stream = Path(scratch) / "f.xbstream"
        piped(Series("stream", ["xbkit", "create", *data.digests], options.tool), data.root, out=stream)
        for job in ("create", "extract"):
            lines += measure(options, job, data, stream)
    print("\n" + "\n".join(lines))
    if options.output:
        with options.output.open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
