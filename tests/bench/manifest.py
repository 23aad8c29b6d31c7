#!/usr/bin/env python3
"""What the manifest costs: create and extract with it and without, and how fast verify is.

As bench.py: in a tmpfs, in turn, a round uncounted. Where other programs run, the ratio of CPU
seconds says more than that of wall times.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench import DATABASES, MIB, Data, Run, Series, check_space, machine, make_data, pair, piped, reap, rounds, start, verify

RATIO_TARGET = 1.25
VERIFY_TARGET = 2.0  # GB/s of one core
PIPE = MIB
FLAGS = {"with": [], "without": ["--no-manifest"]}


def bench_create(options, data: Data, streams: dict[str, Path]) -> list[Series]:
    create = ["xbkit", "create", "-p", str(options.parallel)]
    programs = [Series(label, [*create, *FLAGS[label], *data.digests], options.tool) for label in streams]

    def run_one(series: Series) -> Run:
        return piped(series, data.root, capacity=PIPE)

    rounds(programs, options.repeat, run_one, lambda series: piped(series, data.root, out=streams[series.label]))
    return programs


def bench_extract(options, data: Data, streams: dict[str, Path]) -> list[Series]:
    out = data.root.parent / "out"
    programs = [Series(label, ["xbkit", "extract", "--no-sync", "-C", str(out)], options.tool) for label in streams]

    def run_one(series: Series, check: bool = False) -> Run:
        run = piped(series, data.root.parent, feed=streams[series.label], capacity=PIPE)
        if check:
            (out / "xbkit_manifest.json").unlink(missing_ok=True)
            verify(out, data, series.label)
        shutil.rmtree(out)
        return run

    rounds(programs, options.repeat, run_one, lambda series: run_one(series, check=True))
    return programs


def bench_verify(options, stream: Path) -> list[Series]:
    programs = [Series(label, ["xbkit", "verify"], options.tool) for label in ("file", "pipe")]

    def run_one(series: Series) -> Run:
        if series.label == "pipe":
            return piped(series, stream.parent, feed=stream, capacity=PIPE)
        with open(stream, "rb") as source:
            begin = time.perf_counter()
            cpu, peak = reap(start(series.program, series.argv, stream.parent, stdin=source), "verify")
            return Run(time.perf_counter() - begin, cpu, peak)

    rounds(programs, options.repeat, run_one, run_one)
    return programs


def compared(case: str, programs: list[Series]) -> tuple[list[str], bool]:
    """Lines for a job with a manifest and without, and whether the target is met."""
    bare = next(series for series in programs if series.label == "without")
    lines, met = [], True
    for series in programs:
        ratios = [series.median(what) / bare.median(what) for what in ("wall", "cpu")]
        verdict = ""
        if series is not bare:
            met = ratios[0] <= RATIO_TARGET
            verdict = f"≤ {RATIO_TARGET:.2f} {'met' if met else '**missed**'}"
        lines.append(
            f"| {case} | {series.label} | {series.median('wall'):.3f} | {series.spread()} | {ratios[0]:.2f} "
            f"| {verdict} | {series.median('cpu'):.3f} | {ratios[1]:.2f} |"
        )
    return lines, met


def verified(case: str, size: int, programs: list[Series]) -> tuple[list[str], bool]:
    lines, all_met = [], True
    for series in programs:
        speed = size / series.median("cpu") / 1e9
        met = speed >= VERIFY_TARGET
        all_met &= met
        lines.append(
            f"| verify-{case} | from a {series.label} | {series.median('wall'):.3f} | {series.spread()} | "
            f"| {speed:.1f} GB/s of a core, ≥ {VERIFY_TARGET:.0f} {'met' if met else '**missed**'} "
            f"| {series.median('cpu'):.3f} | |"
        )
    return lines, all_met


def run_shape(shape: str, options) -> tuple[list[str], bool]:
    if shape == "large":
        count, size = options.large[0], options.large[1] * MIB
        names = [f"db/t{n:02}.ibd" for n in range(count)]
    else:
        count, size = options.small[0], options.small[1] * 1024
        names = [f"db{n % DATABASES:02}/t{n // DATABASES:04}.ibd" for n in range(count)]
    check_space(options.dir, 4 * count * (size + 4096) + 256 * MIB)
    with tempfile.TemporaryDirectory(prefix="xbkit-bench.", dir=options.dir) as scratch:
        print(f"{shape}: {count} files of {size} bytes ", end="", file=sys.stderr, flush=True)
        data = make_data(Path(scratch) / "src", names, size)
        streams = {label: Path(scratch) / f"{label}.xbs" for label in FLAGS}
        tables = [
            compared(f"create-{shape}", bench_create(options, data, streams)),
            compared(f"extract-{shape}", bench_extract(options, data, streams)),
            verified(shape, data.size, bench_verify(options, streams["with"])),
        ]
        return [line for lines, _ in tables for line in lines], all(met for _, met in tables)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/xbkit", help="program measured (%(default)s)")
    parser.add_argument("--repeat", type=int, default=7, help="counted rounds (%(default)s)")
    parser.add_argument("--large", type=pair, default=(4, 256), metavar="COUNTxMIB", help="large files (4x256)")
    parser.add_argument("--small", type=pair, default=(20000, 16), metavar="COUNTxKIB", help="small files (20000x16)")
    parser.add_argument("--parallel", type=int, default=1, help="-p of create (%(default)s)")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"), help="a tmpfs (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args()
    tool = shutil.which(options.tool)
    if tool is None:
        parser.error(f"{options.tool} is not there; run 'make build' first")
    options.tool = os.path.abspath(tool)
    return options


def main() -> int:
    options = arguments()
    print(f"{machine()}; medians of {options.repeat}, all in {options.dir}\n", flush=True)
    print("| case | manifest | wall s | from–to | wall of that without | target | CPU s | CPU of that without |")
    print("|---|---|---:|---:|---:|---|---:|---:|", flush=True)
    all_met = True
    for shape in ("large", "small"):
        lines, met = run_shape(shape, options)
        print("\n".join(lines), flush=True)
        all_met &= met
    return 1 if options.check and not all_met else 0


if __name__ == "__main__":
    sys.exit(main())
