#!/usr/bin/env python3
"""Speed of the codecs beside the programs that do the same, on pages that compress to about half.

The pages are made like InnoDB's (headers, records of words, numbers and noise, a free end), the same
in every run. All programs of a case run in turn within each round; ratios are those of medians. What
is made is compared with what went in before anything is counted. Single-threaded codecs are compared
by CPU seconds, which is a core's work and does not depend on what else the machine does; whatever
uses several threads by its wall time.

  zstd-N         `create --compress=zstd` beside `zstd -T2`, at level N, in jobs of 1 MiB
  lz4-encode     `create --compress=lz4` beside `lz4`, each in blocks of 64 KiB, and as each does by itself
  lz4-decode     `extract` beside `lz4 -d`
  xbcrypt        the drop-in name beside `openssl enc`, which does less
  restore        one pass beside mbstream, xbcrypt and zstd, one after the other, of zstd + AES256
  quicklz        `backup --compress=quicklz` of a server beside `mariabackup --compress`
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import MIB, SKIPPED, Data, Run, Series, check_space, digest_of, digests_below, in_child, machine, piped, reap, rounds, start, verify
from bench import version_of

KEY = bytes(range(32))
PAGE = 16 << 10
CASES = ("zstd-1", "zstd-3", "lz4-encode", "lz4-decode", "xbcrypt", "restore", "quicklz")


def words(rng: random.Random) -> list[bytes]:
    letters = b"etaoinshrdlucmfwypvbgkjqxz"
    weights = range(len(letters), 0, -1)
    return [bytes(rng.choices(letters, weights, k=rng.randint(2, 11))) for _ in range(2000)]


def page(rng: random.Random, number: int, vocabulary: list[bytes]) -> bytes:
    """A leaf page of a table: 24 bytes of noise in each record of about 100."""
    parts = [bytes(4), number.to_bytes(4, "big"), max(number - 1, 0).to_bytes(4, "big"), (number + 1).to_bytes(4, "big")]
    parts += [rng.randbytes(8), b"\x45\xbf", bytes(8), (7).to_bytes(4, "big"), bytes(82)]
    length, record = 120, 0
    while length < PAGE * 15 // 16:
        text = b" ".join(rng.choices(vocabulary, k=5))
        noise = rng.randbytes(24)
        key = (number * 150 + record).to_bytes(8, "big")
        record += 1
        some = b"".join((b"\x00\x00", (16 + 8 * record).to_bytes(2, "big"), b"\x01\x2f", key, bytes(6), noise, text))
        parts.append(some)
        length += len(some)
    body = b"".join(parts)
    return body + bytes(PAGE - len(body))


def make_pages(root: Path, names: list[str], size: int) -> Data:
    """Files of pages, the same in every run."""
    sums = root.parent / "sums"

    def work() -> None:
        rng = random.Random(7)
        vocabulary = words(rng)
        # Each page is noise of its own, its text comes again in later ones at the earliest.
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                for number in range(size // PAGE):
                    file.write(page(rng, number, vocabulary))
        sums.write_text("".join(f"{d} {n}\n" for n, d in digests_below(root).items()))

    in_child(work)
    digests = dict(reversed(line.split(" ", 1)) for line in sums.read_text().splitlines())
    return Data(root, digests, size * len(names))


class Table:
    """Rows of a report, and whether all targets were met."""

    def __init__(self) -> None:
        self.lines, self.met = [], True

    def case(self, name: str, programs: list[Series], peer: Series, by: str, targets: dict[str, float], size: int, note=None) -> None:
        """`targets`: by label, the least of the peer's speed."""
        for series in programs:
            speed = peer.median(by) / series.median(by)
            target = targets.get(series.label)
            good = target is None or speed >= target
            self.met = self.met and good
            verdict = "" if target is None else f"≥ {target:.2f} {'met' if good else '**missed**'}"
            self.lines.append(
                f"| {name} | {series.label} | {series.median('wall'):.3f} | {series.spread()} | {series.median('cpu'):.3f} "
                f"| {size / series.median(by) / 1e6:.0f} by {by} | {speed:.2f} | {verdict} | {(note or {}).get(series.label, '')} |"
            )


def once(series: Series, cwd: Path, feed: Path | None = None, out: Path | None = None) -> Run:
    """A run from a file to a file, without a pipe."""
    with open(feed or os.devnull, "rb") as source, open(out or os.devnull, "wb") as target:
        begin = time.perf_counter()
        cpu, peak = reap(start(series.program, series.argv, cwd, stdin=source, stdout=target), series.label)
        return Run(time.perf_counter() - begin, cpu, peak)


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        print(f"bench: skipped, {name} is not installed", file=sys.stderr)
        sys.exit(SKIPPED)
    return found


def bench_encode(options, data: Data, programs: list[Series], decode: dict) -> dict[str, str]:
    """Runs encoders of one file; gives the sizes of what they make."""
    sizes, made = {}, data.root.parent / "made"

    def warm_up(series: Series) -> None:
        piped(series, data.root, out=made)
        sizes[series.label] = f"{made.stat().st_size / data.size:.3f} of the size"
        out, name = data.root.parent / "out", next(iter(data.digests))
        (out / name).parent.mkdir(parents=True)
        if series.label.startswith("xbkit"):
            once(Series("xbkit", ["xbkit", "extract", "--no-sync", "--overwrite"], options.tool), out, feed=made)
        else:
            once(Series("decoder", [*decode["argv"]], decode["program"]), out, feed=made, out=out / name)
        verify(out, data, series.label)
        shutil.rmtree(out)
        made.unlink()

    rounds(programs, options.repeat, lambda series: piped(series, data.root), warm_up)
    return sizes


def bench_zstd(options, table: Table, data: Data, level: int) -> None:
    zstd, name = program("zstd"), next(iter(data.digests))
    ours = ["xbkit", "create", "--compress=zstd", f"--compress-zstd-level={level}", "--compress-threads=2"]
    programs = [
        Series("xbkit", [*ours, name], options.tool),
        Series("zstd -T2 -B1MiB", ["zstd", "-q", "-T2", "-B1048576", f"-{level}", "-c", name], zstd),
        Series("zstd -T2", ["zstd", "-q", "-T2", f"-{level}", "-c", name], zstd),
    ]
    sizes = bench_encode(options, data, programs, {"argv": ["zstd", "-q", "-dc"], "program": zstd})
    table.case(f"zstd-{level}", programs, programs[1], "wall", {"xbkit": 0.95}, data.size, sizes)


def bench_lz4_encode(options, table: Table, data: Data) -> None:
    lz4, name = program("lz4"), next(iter(data.digests))
    ours = ["xbkit", "create", "--compress=lz4", "--compress-threads=1"]
    programs = [
        Series("xbkit", [*ours, name], options.tool),
        Series("xbkit, 4 MiB", [*ours, "--compress-chunk-size=4M", name], options.tool),
        Series("lz4 -B4", ["lz4", "-q", "-1", "-B4", "-BI", "-c", name], lz4),
        Series("lz4", ["lz4", "-q", "-1", "-c", name], lz4),
    ]
    sizes = bench_encode(options, data, programs, {"argv": ["lz4", "-q", "-dc"], "program": lz4})
    table.case("lz4-encode", programs[::2], programs[2], "cpu", {"xbkit": 0.95}, data.size, sizes)
    table.case("lz4-encode", programs[1::2], programs[3], "cpu", {"xbkit, 4 MiB": 0.95}, data.size, sizes)


def bench_lz4_decode(options, table: Table, data: Data) -> None:
    """Each decodes what it would write itself."""
    lz4, name, root = program("lz4"), next(iter(data.digests)), data.root.parent
    out, streams = root / "out", {}
    for label, argv, path in (
        ("xbkit", ["xbkit", "create", "--compress=lz4", name], options.tool),
        ("xbkit, 4 MiB", ["xbkit", "create", "--compress=lz4", "--compress-chunk-size=4M", name], options.tool),
        ("lz4 -B4", ["lz4", "-q", "-1", "-B4", "-BI", "-c", name], lz4),
        ("lz4", ["lz4", "-q", "-1", "-c", name], lz4),
    ):
        streams[label] = root / label
        piped(Series(label, argv, path), data.root, out=streams[label])
    programs = [
        Series("xbkit", ["xbkit", "extract", "--no-sync", "-p", "1"], options.tool),
        Series("xbkit, 4 MiB", ["xbkit", "extract", "--no-sync", "-p", "1"], options.tool),
        Series("lz4 -B4", ["lz4", "-q", "-dc"], lz4),
        Series("lz4", ["lz4", "-q", "-dc"], lz4),
    ]

    def run_one(series: Series, check: bool = False) -> Run:
        target = out / name
        out.mkdir()
        if not series.label.startswith("xbkit"):
            target.parent.mkdir()
        whole = None if series.label.startswith("xbkit") else target
        run = piped(series, out, feed=streams[series.label], out=whole)
        if check:
            verify(out, data, series.label)
        shutil.rmtree(out)
        return run

    rounds(programs, options.repeat, run_one, lambda series: run_one(series, check=True))
    table.case("lz4-decode", programs[::2], programs[2], "cpu", {"xbkit": 0.95}, data.size)
    table.case("lz4-decode", programs[1::2], programs[3], "cpu", {"xbkit, 4 MiB": 0.95}, data.size)
    for stream in streams.values():
        stream.unlink()


def bench_xbcrypt(options, table: Table, data: Data) -> None:
    """The program, of which `cargo bench --bench codecs` measures what it does in memory."""
    root, name = data.root.parent, next(iter(data.digests))
    key, plain, stored = root / "key", data.root / name, root / "stored"
    key.write_bytes(KEY)
    crypt = ["xbcrypt", "--encrypt-algo=AES256", f"--encrypt-key-file={key}"]
    once(Series("xbcrypt", crypt, options.tool), root, feed=plain, out=stored)
    # One that does less: neither hashes nor checksums.
    openssl = ["openssl", "enc", "-aes-256-ctr", "-K", KEY.hex(), "-iv", "00" * 16]
    programs = [
        Series("xbcrypt", [*crypt, "--encrypt-threads=1"], options.tool),
        Series("xbcrypt, 2 threads", [*crypt, "--encrypt-threads=2"], options.tool),
        Series("xbcrypt -d", [*crypt, "-d"], options.tool),
        Series("openssl enc", openssl, program("openssl")),
    ]

    def run_one(series: Series, check: bool = False) -> Run:
        made, decrypts = root / "made", series.label == "xbcrypt -d"
        run = once(series, root, feed=stored if decrypts else plain, out=made)
        if check and decrypts and digest_of(made) != data.digests[name]:
            raise SystemExit("bench: xbcrypt does not decrypt what it encrypted")
        made.unlink()
        return run

    rounds(programs, options.repeat, run_one, lambda series: run_one(series, check=True))
    table.case("xbcrypt", programs, programs[3], "wall", {}, data.size)
    stored.unlink()


def bench_restore(options, table: Table, data: Data) -> None:
    """A user's script: extract, decrypt each file, decompress each file, each step for all."""
    mbstream, zstd, root = program("mbstream"), program("zstd"), data.root.parent
    key, stream, out = root / "key", root / "stream", root / "out"
    key.write_bytes(KEY)
    argv = ["xbkit", "create", "--compress=zstd", "--encrypt=AES256", f"--encrypt-key-file={key}", *data.digests]
    piped(Series("stream", argv, options.tool), data.root, out=stream)
    crypt = root / "xbcrypt"
    if not crypt.exists():
        crypt.symlink_to(options.tool)
    script = f"""set -e
{mbstream} -x
find . -name '*.xbcrypt' | while read -r f; do
    {crypt} -d --encrypt-algo=AES256 --encrypt-key-file={key} <"$f" >"${{f%.xbcrypt}}"; rm "$f"
done
find . -name '*.zst' -exec {zstd} -q -d --rm {{}} +
rm -f xbkit_manifest.json"""
    one_pass = ["xbkit", "extract", "--no-sync", f"--encrypt-key-file={key}"]
    programs = [
        Series("xbkit", one_pass, options.tool),
        Series("xbkit -p 1", [*one_pass, "-p", "1"], options.tool),
        Series("mbstream, xbcrypt, zstd", ["bash", "-c", script], program("bash")),
    ]

    def run_one(series: Series, check: bool = False) -> Run:
        out.mkdir()
        run = piped(series, out, feed=stream)
        if check:
            verify(out, data, series.label)
        shutil.rmtree(out)
        return run

    rounds(programs, options.repeat, run_one, lambda series: run_one(series, check=True))
    table.case("restore", programs, programs[2], "wall", {"xbkit": 2.0}, data.size)
    stream.unlink()


class Server:
    """A private server with tables of text and noise, half of which compresses."""

    def __init__(self, root: Path, megabytes: int) -> None:
        # A socket's path may have 107 bytes.
        self.run, self.data = Path(tempfile.mkdtemp(prefix="xbkit-run.", dir="/tmp")), root / "server"
        self.log = open(root / "server.log", "wb")
        self.user = ["--user=root"] if os.getuid() == 0 else []
        self.process = None
        make = [program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db", *self.user]
        make.append("--auth-root-authentication-method=normal")
        subprocess.run(make, check=True, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        argv = [program("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--socket={self.run}/sock", "--skip-networking"]
        argv += [f"--pid-file={self.run}/pid", "--skip-log-bin", "--innodb-buffer-pool-size=64M", *self.user]
        argv += ["--innodb-flush-log-at-trx-commit=0"]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        while self.sql("SELECT 1", check=False):
            if self.process.poll() is not None:
                raise SystemExit(f"bench: mariadbd ended, see {self.log.name}")
            time.sleep(0.1)
        rows = megabytes * MIB // 2 // 560
        for number in range(2):
            # A hash has 4 bits of noise a letter, and SHA2's 64 letters come once as they are.
            self.sql(
                f"CREATE DATABASE IF NOT EXISTS b; CREATE TABLE b.t{number} (id INT PRIMARY KEY, n VARBINARY(128), "
                f"t VARCHAR(400)) ENGINE=InnoDB; INSERT INTO b.t{number} SELECT seq, UNHEX(CONCAT(SHA2(seq + {number}e7, 512), "
                "SHA2(seq + 0.5, 512))), CONCAT(REPEAT(CONCAT('order number ', seq, ' was sent to the customer; '), 6), MD5(seq)) "
                f"FROM b.seq_1_to_{rows}"
            )

    def sql(self, text: str, check: bool = True) -> int:
        client = [program("mariadb"), "--no-defaults", f"--socket={self.run}/sock", "--user=root", "-e", text]
        done = subprocess.run(client, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        if check and done.returncode:
            raise SystemExit(f"bench: the server refuses {text[:60]}")
        return done.returncode

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.run)


def bench_quicklz(options, table: Table, root: Path) -> None:
    mariabackup = program("mariabackup")
    server = Server(root, options.server_size)
    try:
        at = [f"--socket={server.run}/sock", "--user=root"]
        programs = [
            Series("xbkit", ["xbkit", "backup", *at, "--compress=quicklz", "--compress-threads=2"], options.tool),
            Series("mariabackup", ["mariabackup", "--no-defaults", "--backup", "--stream=xbstream", "--compress"], mariabackup),
        ]
        programs[1].argv += ["--compress-threads=2", f"--datadir={server.data}", f"--target-dir={root}/tmp", *at]
        size = sum(file.stat().st_size for file in server.data.rglob("*") if file.is_file())
        sizes = {}
        stream = root / "stream"

        def quiet_errors(series: Series, out: Path | None = None) -> Run:
            saved = os.dup(2)
            os.dup2(server.log.fileno(), 2)
            try:
                return piped(series, root, out=out)
            finally:
                os.dup2(saved, 2)
                os.close(saved)

        def warm_up(series: Series) -> None:
            quiet_errors(series, stream)
            sizes[series.label] = f"{stream.stat().st_size / size:.3f} of the size"
            out = root / "out"
            out.mkdir()
            once(Series("xbkit", ["xbkit", "extract", "--no-sync", "--require-backup"], options.tool), out, feed=stream)
            for table_file in ("b/t0.ibd", "b/t1.ibd"):
                if (out / table_file).stat().st_size < options.server_size * MIB // 4:
                    raise SystemExit(f"bench: {series.label} made a stream without its tables")
            shutil.rmtree(out)
            stream.unlink()

        rounds(programs, options.repeat, lambda series: quiet_errors(series), warm_up)
        table.case("quicklz", programs, programs[1], "wall", {"xbkit": 2.0}, size, sizes)
    finally:
        server.stop()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/xbkit", type=os.path.abspath, help="the xbkit program")
    parser.add_argument("--cases", default=",".join(CASES), help="some of %(default)s")
    parser.add_argument("--repeat", type=int, default=7, help="counted rounds (%(default)s)")
    parser.add_argument("--size", type=int, default=256, metavar="MIB", help="size of the pages (%(default)s)")
    parser.add_argument("--server-size", type=int, default=384, metavar="MIB", help="about that of the tables (%(default)s)")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"), help="a tmpfs (%(default)s)")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args()
    options.cases = options.cases.split(",")
    if unknown := [case for case in options.cases if case not in CASES]:
        parser.error(f"unknown case {unknown[0]}; there are {', '.join(CASES)}")
    if not os.path.exists(options.tool):
        parser.error(f"{options.tool} is not there; run 'make build' first")
    return options


def run_case(case: str, options, table: Table, data: Data, split: Data) -> None:
    print(f"{case} ", end="", file=sys.stderr, flush=True)
    name, _, level = case.partition("-")
    if name == "zstd":
        bench_zstd(options, table, data, int(level))
    elif case == "lz4-encode":
        bench_lz4_encode(options, table, data)
    elif case == "lz4-decode":
        bench_lz4_decode(options, table, data)
    elif case == "xbcrypt":
        bench_xbcrypt(options, table, data)
    elif case == "restore":
        bench_restore(options, table, split)
    else:
        bench_quicklz(options, table, data.root.parent)


def main() -> int:
    options = arguments()
    check_space(options.dir, 5 * options.size * MIB + 2 * options.server_size * MIB + 512 * MIB)
    peers = [version_of(found, peer) for peer in ("zstd", "lz4", "mariabackup") if (found := shutil.which(peer))]
    table = Table()
    with tempfile.TemporaryDirectory(prefix="xbkit-bench.", dir=options.dir) as scratch:
        root = Path(scratch)
        data = make_pages(root / "one" / "src", ["db/t.ibd"], options.size * MIB)
        split = make_pages(root / "four" / "src", [f"db/t{n}.ibd" for n in range(4)], options.size * MIB // 4)
        for case in options.cases:
            run_case(case, options, table, data, split)
    lines = [
        f"xbkit beside {'; '.join(peers)}; {machine()}; medians of {options.repeat}; all in {options.dir}; "
        f"{options.size} MiB of pages.",
        "",
        "| case | program | wall s | from–to | CPU s | MB/s of plain bytes | speed of the peer's | target | stored |",
        "|---|---|---:|---:|---:|---:|---:|---|---|",
        *table.lines,
    ]
    print("\n".join(lines))
    if options.output:
        options.output.write_text("\n".join(lines) + "\n")
    return 1 if options.check and not table.met else 0


if __name__ == "__main__":
    sys.exit(main())
