#!/usr/bin/env python3
"""Speed and memory of `xbstream -c` and `-x` beside mbstream, of tar beside GNU tar, with cat as
the floor.

All programs of a case run in turn within each round, so that what disturbs the machine disturbs
them alike, and the order is reversed every other round. Ratios are those of medians. Everything
lies in a tmpfs and passes a pipe; a first round is not counted, since a virtual machine hands out
pages of memory slowly when they are touched for the first time.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1 << 20
SKIPPED = 77
# Of the peer's wall time; and of peak memory, in MiB.
TARGETS = {
    "create-large": 0.35,
    "create-small": 0.50,
    "extract-large": 0.90,
    "extract-small": 0.90,
    "tar-create-large": 0.80,
    "tar-create-small": 0.80,
    "tar-extract-large": 0.80,
    "tar-extract-small": 0.80,
}
PEAK_TARGET = 64
DATABASES = 20


@dataclass
class Run:
    """What one run of one program took: seconds, and bytes at its peak."""

    wall: float
    cpu: float
    peak: int


@dataclass
class Series:
    """A program of a case with its counted runs."""

    label: str
    argv: list[str]
    program: str
    runs: list[Run] = field(default_factory=list)

    def median(self, what: str) -> float:
        return statistics.median(getattr(run, what) for run in self.runs)

    def spread(self) -> str:
        walls = [run.wall for run in self.runs]
        return f"{min(walls):.3f}–{max(walls):.3f}"


@dataclass
class Data:
    """Files to pack, and the digest of each."""

    root: Path
    digests: dict[str, str]
    size: int


def in_child(work) -> None:
    """Runs `work` in a process of its own.

    A program's ru_maxrss begins with that of the process it was started from, so this one must
    stay small.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except Exception as error:  # told here: the parent sees a status only
            print(f"bench: {error}", file=sys.stderr)
        finally:
            os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise SystemExit(1)


def digest_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests_below(root: Path) -> dict[str, str]:
    """Of all files but the manifest that a stream of xbkit's may leave."""
    files = (p for p in sorted(root.rglob("*")) if p.is_file() and p.name != "xbkit_manifest.json")
    return {str(p.relative_to(root)): digest_of(p) for p in files}


def make_data(root: Path, names: list[str], size: int) -> Data:
    """Files of random, so incompressible, bytes."""
    sums = root.parent / "sums"

    def work() -> None:
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                for begin in range(0, size, MIB):
                    file.write(os.urandom(min(MIB, size - begin)))
        sums.write_text("".join(f"{d} {n}\n" for n, d in digests_below(root).items()))

    in_child(work)
    digests = dict(reversed(line.split(" ", 1)) for line in sums.read_text().splitlines())
    return Data(root, digests, size * len(names))


def verify(root: Path, data: Data, label: str) -> None:
    """Fails unless `root` holds exactly the files of `data`."""

    def work() -> None:
        found = digests_below(root)
        if found != data.digests:
            wrong = [n for n, d in data.digests.items() if found.get(n) != d]
            extra = sorted(found.keys() - data.digests.keys())
            raise ValueError(f"{label}: wrong or missing {wrong[:3]}, extra {extra[:3]}")

    in_child(work)


def start(program: str, argv: list[str], cwd: Path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
    return subprocess.Popen(argv, executable=program, cwd=cwd, stdin=stdin, stdout=stdout)


def reap(child: subprocess.Popen, label: str) -> tuple[float, int]:
    """CPU seconds and peak bytes of a child that must succeed."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"bench: {label} ended with status {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def piped(
    series: Series, cwd: Path, *, feed: Path | None = None, out: Path | None = None, capacity: int | None = None
) -> Run:
    """One run: `program | cat >out`, or `cat feed | program >out`, through a pipe of `capacity` bytes."""
    cat = shutil.which("cat")
    reader, writer = os.pipe()
    if capacity is not None:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, capacity)
    target = open(out or os.devnull, "wb")
    with target:
        begin = time.perf_counter()
        if feed is None:
            other = start(cat, ["cat"], cwd, stdin=reader, stdout=target)
            child = start(series.program, series.argv, cwd, stdout=writer)
        else:
            other = start(cat, ["cat", str(feed)], cwd, stdout=writer)
            child = start(series.program, series.argv, cwd, stdin=reader, stdout=target)
        os.close(reader)
        os.close(writer)
        cpu, peak = reap(child, series.label)
        reap(other, "cat")
        return Run(time.perf_counter() - begin, cpu, peak)


def rounds(programs: list[Series], repeat: int, run_one, warm_up) -> None:
    for series in programs:
        warm_up(series)
    for turn in range(repeat):
        for series in programs if turn % 2 == 0 else reversed(programs):
            series.runs.append(run_one(series))
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def bench_create(options, data: Data) -> list[Series]:
    names = list(data.digests)
    programs = [
        Series("xbkit", ["xbstream", "-c", *names], options.tool),
        Series("mbstream", ["mbstream", "-c", *names], options.peer),
        Series("cat", ["cat", *names], shutil.which("cat")),
    ]
    stream, out = data.root.parent / "f.xbstream", data.root.parent / "out"

    def warm_up(series: Series) -> None:
        piped(series, data.root, out=stream)
        if series.label != "cat":
            out.mkdir()
            with open(stream, "rb") as source:
                reap(start(options.peer, ["mbstream", "-x"], out, stdin=source), "mbstream -x")
            verify(out, data, f"{series.label} -c")
            shutil.rmtree(out)
        stream.unlink()
        piped(series, data.root)

    rounds(programs, options.repeat, lambda series: piped(series, data.root), warm_up)
    return programs


def bench_extract(options, data: Data) -> list[Series]:
    stream, out = data.root.parent / "f.xbstream", data.root.parent / "out"
    maker = options.peer if options.stream_by == "peer" else options.tool
    piped(Series("stream", ["xbstream", "-c", *data.digests], maker), data.root, out=stream)
    shutil.rmtree(data.root)
    tool_argv = ["xbstream", "-x"]
    if options.tool_parallel:
        tool_argv += ["-p", str(options.tool_parallel)]
    programs = [Series("xbkit", tool_argv, options.tool)]
    programs += [Series(f"mbstream -p {n}", ["mbstream", "-x", "-p", str(n)], options.peer) for n in (1, 2)]
    programs.append(Series("cat", ["cat"], shutil.which("cat")))

    def run_one(series: Series, check: bool = False) -> Run:
        out.mkdir()
        run = piped(series, out, feed=stream, out=out / "all" if series.label == "cat" else None)
        if check and series.label != "cat":
            verify(out, data, series.label)
        shutil.rmtree(out)
        return run

    rounds(programs, options.repeat, run_one, lambda series: run_one(series, check=True))
    return programs


def bench_tar_create(options, data: Data) -> list[Series]:
    names, tar = list(data.digests), shutil.which("tar")
    programs = [
        Series("xbkit --no-manifest", ["xbkit", "create", "--stream=tar", "--no-manifest", *names], options.tool),
        Series("xbkit", ["xbkit", "create", "--stream=tar", *names], options.tool),
        Series("tar", ["tar", "-cf", "-", *names], tar),
        Series("cat", ["cat", *names], shutil.which("cat")),
    ]
    archive, out = data.root.parent / "f.tar", data.root.parent / "out"

    def warm_up(series: Series) -> None:
        piped(series, data.root, out=archive)
        if series.label != "cat":
            out.mkdir()
            with open(archive, "rb") as source:
                reap(start(tar, ["tar", "-xf", "-"], out, stdin=source), "tar -x")
            verify(out, data, f"{series.label} creates")
            shutil.rmtree(out)
        archive.unlink()
        piped(series, data.root)

    rounds(programs, options.repeat, lambda series: piped(series, data.root), warm_up)
    return programs


def bench_tar_extract(options, data: Data) -> list[Series]:
    archive, out, tar = data.root.parent / "f.tar", data.root.parent / "out", shutil.which("tar")
    piped(Series("archive", ["tar", "-cf", "-", *data.digests], tar), data.root, out=archive)
    shutil.rmtree(data.root)
    programs = [
        # Neither waits for a disk, and there is none.
        Series("xbkit", ["xbkit", "extract", "--no-sync"], options.tool),
        Series("tar", ["tar", "-xf", "-"], tar),
        Series("cat", ["cat"], shutil.which("cat")),
    ]

    def run_one(series: Series, check: bool = False) -> Run:
        out.mkdir()
        run = piped(series, out, feed=archive, out=out / "all" if series.label == "cat" else None)
        if check and series.label != "cat":
            verify(out, data, series.label)
        shutil.rmtree(out)
        return run

    rounds(programs, options.repeat, run_one, lambda series: run_one(series, check=True))
    return programs


def rows_of(case: str, data: Data, programs: list[Series]) -> tuple[list[str], bool]:
    """The case's lines of the table, and whether xbkit meets the targets."""
    peers = [series for series in programs if series.label.startswith(("mbstream", "tar"))]
    best = min(peers, key=lambda series: series.median("wall"))
    lines, met = [], True
    for series in programs:
        wall, cpu, peak = series.median("wall"), series.median("cpu"), max(r.peak for r in series.runs)
        ratio, target, memory = wall / best.median("wall"), "", f"{peak / MIB:.0f}"
        if series.label.startswith("xbkit"):
            good = ratio <= TARGETS[case]
            small = peak <= PEAK_TARGET * MIB
            target = f"≤ {TARGETS[case]:.2f} {'met' if good else '**missed**'}"
            memory += f" (≤ {PEAK_TARGET} {'met' if small else '**missed**'})"
            met = met and good and small
        name = f"{series.label} (best)" if series is best and len(peers) > 1 else series.label
        lines.append(
            f"| {case} | {name} | {wall:.3f} | {series.spread()} | {data.size / wall / 1e6:.0f} "
            f"| {ratio:.2f} | {target} | {cpu:.3f} | {cpu / best.median('cpu'):.2f} | {memory} |"
        )
    return lines, met


def machine() -> str:
    model = next(
        (l.split(":", 1)[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if l.startswith("model name")),
        os.uname().machine,
    )
    return f"{os.cpu_count()} cores of {model}, Linux {os.uname().release}"


def version_of(program: str, name: str) -> str:
    done = subprocess.run([name, "--version"], executable=program, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    first = (done.stdout + done.stderr).strip().splitlines()
    return first[0] if done.returncode == 0 and first else Path(program).name


def own_peak() -> int:
    """What any child shows at least: the peak of this process."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def check_space(directory: Path, need: int) -> None:
    free = shutil.disk_usage(directory).free
    available = next(int(l.split()[1]) * 1024 for l in Path("/proc/meminfo").read_text().splitlines() if l.startswith("MemAvailable"))
    if min(free, available) < need:
        raise SystemExit(
            f"bench: {directory} needs {need / MIB:.0f} MiB, but {free / MIB:.0f} MiB are free there "
            f"and {available / MIB:.0f} MiB of memory are available; see --large, --small, --dir"
        )


def pair(text: str) -> tuple[int, int]:
    count, _, size = text.partition("x")
    values = int(count), int(size)
    if min(values) < 1:
        raise ValueError(text)
    return values


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/xbkit", help="program measured, run under the name xbstream")
    parser.add_argument("--peer", default="mbstream", help="program compared with")
    parser.add_argument("--cases", default=",".join(TARGETS), help="some of %(default)s")
    parser.add_argument("--repeat", type=int, default=7, help="counted rounds (%(default)s)")
    parser.add_argument("--large", type=pair, default=(4, 256), metavar="COUNTxMIB", help="large files (4x256)")
    parser.add_argument("--small", type=pair, default=(20000, 16), metavar="COUNTxKIB", help="small files (20000x16)")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"), help="a tmpfs (%(default)s)")
    parser.add_argument("--stream-by", choices=("peer", "tool"), default="peer", help="who makes the extracted stream")
    parser.add_argument("--tool-parallel", type=int, help="-p for the measured program's extraction (its own default)")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args()
    options.cases = options.cases.split(",")
    if unknown := [case for case in options.cases if case not in TARGETS]:
        parser.error(f"unknown case {unknown[0]}; there are {', '.join(TARGETS)}")
    tool, peer = shutil.which(options.tool), shutil.which(options.peer)
    if tool is None:
        parser.error(f"{options.tool} is not there; run 'make build' first")
    if peer is None:
        print(f"bench: skipped, {options.peer} is not installed", file=sys.stderr)
        sys.exit(SKIPPED)
    options.tool, options.peer = os.path.abspath(tool), os.path.abspath(peer)
    return options


def run_case(case: str, options) -> tuple[list[str], bool]:
    action, _, shape = case.rpartition("-")
    if shape == "large":
        count, size = options.large[0], options.large[1] * MIB
        names = [f"db/t{n:02}.ibd" for n in range(count)]
    else:
        count, size = options.small[0], options.small[1] * 1024
        names = [f"db{n % DATABASES:02}/t{n // DATABASES:04}.ibd" for n in range(count)]
    # Sources, stream and copy; small files take whole pages and an inode each.
    check_space(options.dir, 3 * count * (size + 4096) + 256 * MIB)
    with tempfile.TemporaryDirectory(prefix="xbkit-bench.", dir=options.dir) as scratch:
        print(f"{case}: {count} files of {size} bytes ", end="", file=sys.stderr, flush=True)
        data = make_data(Path(scratch) / "src", names, size)
        bench = {
            "create": bench_create,
            "extract": bench_extract,
            "tar-create": bench_tar_create,
            "tar-extract": bench_tar_extract,
        }[action]
        programs = bench(options, data)
        return rows_of(case, data, programs)


def main() -> int:
    options = arguments()
    lines = [
        f"{version_of(options.tool, 'xbstream')} beside {version_of(options.peer, 'mbstream')} and "
        f"{version_of(shutil.which('tar'), 'tar')}; {machine()}; "
        f"medians of {options.repeat}, all in {options.dir} and through a pipe; "
        f"extracted streams are made by {'mbstream' if options.stream_by == 'peer' else 'xbkit'}.",
        "",
        "| case | program | wall s | from–to | MB/s | wall of peer's | target | CPU s | CPU of peer's | peak MiB |",
        "|---|---|---:|---:|---:|---:|---|---:|---:|---:|",
    ]
    all_met = True
    for case in options.cases:
        rows, met = run_case(case, options)
        lines += rows
        all_met &= met
    lines += ["", f"Peaks below {own_peak() / MIB:.0f} MiB, the measuring program's own, cannot be seen."]
    print("\n".join(lines))
    if options.output:
        options.output.write_text("\n".join(lines) + "\n")
    return 1 if options.check and not all_met else 0


if __name__ == "__main__":
    sys.exit(main())
