"""mbstream reads what we write, and we read what it writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import FILES, files_below, peer

import xbkit


@pytest.mark.parametrize("parallel", [1, 3])
def test_mbstream_extracts_what_create_makes(parallel: int, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    process = subprocess.Popen([peer("mbstream"), "-x", "-C", out], stdin=subprocess.PIPE)
    with process:
        xbkit.create(process.stdin, FILES, base=tree, parallel=parallel)  # type: ignore[arg-type]
    assert process.returncode == 0
    assert files_below(out) == FILES


def test_mbstream_extracts_what_a_writer_makes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = [peer("mbstream"), "-x", "-C", out]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        with xbkit.open(process.stdin, "w", chunk_size=64 << 10) as writer:  # type: ignore[call-overload]
            entries = {name: writer.create(name) for name in FILES}
            for at in range(0, max(map(len, FILES.values())), 50_000):
                for name, entry in entries.items():
                    entry.write(FILES[name][at : at + 50_000])
            for entry in entries.values():
                entry.close()
    assert process.returncode == 0
    assert files_below(out) == FILES


def test_what_mbstream_makes_is_extracted_and_read(tree: Path, tmp_path: Path) -> None:
    command = [peer("mbstream"), "-c", *FILES]
    with subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE) as process:
        report = xbkit.extract(process.stdout, tmp_path / "out")  # type: ignore[arg-type]
    assert (process.returncode, report.members) == (0, len(FILES))
    assert files_below(tmp_path / "out") == FILES
    with subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE) as process:
        with xbkit.open(process.stdout) as reader:  # type: ignore[arg-type]
            assert {member.name: member.read() for member in reader} == FILES


@pytest.mark.parametrize("when", ["one member", "two members"])
def test_mbstream_refuses_a_stream_that_was_given_up(when: str, tmp_path: Path) -> None:
    """Without the half header that follows, it takes it for a whole one and exits 0."""
    out = tmp_path / "out"
    out.mkdir()
    command = [peer("mbstream"), "-x", "-C", out]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with pytest.raises(ZeroDivisionError):
            with xbkit.open(process.stdin, "w") as writer:  # type: ignore[call-overload]
                for name in ["a", "b"][: 1 + (when == "two members")]:
                    with writer.create(name) as entry:
                        entry.write(b"whole")
                raise ZeroDivisionError
        process.stdin.close()  # type: ignore[union-attr]
    assert process.returncode != 0


@pytest.mark.parametrize("program", ["gzip", "zstd", "lz4"])
def test_compressed_by_another_program(program: str, stream: bytes, tmp_path: Path) -> None:
    packed = subprocess.run([peer(program), "-c"], input=stream, capture_output=True, check=True)
    path = tmp_path / "packed"
    path.write_bytes(packed.stdout)
    with xbkit.open(path) as reader:
        assert reader.layers == (program,)
        assert {member.name: member.read() for member in reader} == FILES
    assert xbkit.extract(path, tmp_path / "out").stream_bytes == len(packed.stdout)
