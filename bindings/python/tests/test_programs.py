"""``python -m xbkit``, and the examples, each as a program."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FILES, files_below

import xbkit

EXAMPLES = Path(__file__).parents[3] / "examples" / "python"


def run(*command: object, stdin: bytes = b"", status: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Runs Python with arguments, and expects an exit status."""
    python = [sys.executable, "-W", "ignore::RuntimeWarning"]
    done = subprocess.run(
        [*python, *map(str, command)], input=stdin, capture_output=True, timeout=50
    )
    assert done.returncode == status, done.stderr.decode()
    return done


def module(*args: object, stdin: bytes = b"", status: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Runs the module."""
    return run("-m", "xbkit", *args, stdin=stdin, status=status)


def example(name: str, *args: object, stdin: bytes = b"", status: int = 0) -> str:
    """Runs an example, and notes that it was."""
    USED.add(name)
    return run(EXAMPLES / f"{name}.py", *args, stdin=stdin, status=status).stdout.decode()


USED: set[str] = set()


def test_the_module_does_each_job(tree: Path, datadir: Path, tmp_path: Path) -> None:
    made = module("create", "-C", tree, "-p", 2, "--chunk-size", "64K", "-v", *FILES)
    assert sorted(made.stderr.decode().split()) == sorted(FILES)
    module("extract", "-C", tmp_path / "out", "--no-sync", stdin=made.stdout)
    assert files_below(tmp_path / "out") == FILES
    listed = module("list", stdin=made.stdout).stdout.decode().splitlines()
    assert set(listed) == {f"{len(data)}\t{name}" for name, data in FILES.items()}
    module("verify", stdin=made.stdout)
    bare = module("create", "-C", tree, "--no-manifest", "empty").stdout
    refused = module("verify", stdin=bare, status=1).stderr.decode()
    assert "no manifest" in refused and "hint: " in refused
    module("verify", "--allow-unproven", stdin=bare)
    path = tmp_path / "backup"
    module("backup", "--datadir", datadir, "-o", path)
    module("extract", "-C", tmp_path / "shop", "-i", path, "shop/*")
    assert len(files_below(tmp_path / "shop")) == 3


def test_the_module_fails_by_its_status(tree: Path, tmp_path: Path) -> None:
    assert module("list", stdin=b"", status=1).stdout == b""
    assert b"usage: python -m xbkit" in module(status=2).stderr
    assert b"no size" in module("create", "--chunk-size", "x", "a", status=2).stderr
    (tmp_path / "there").write_bytes(b"")
    assert b"exists" in module("create", "-C", tree, "-o", tmp_path / "there", "empty", status=1).stderr
    assert module("--version").stdout.decode() == f"xbkit {xbkit.__version__}\n"
    evil = io.BytesIO()
    with xbkit.open(evil, "w") as writer:
        writer.create("a\x1b[2J\n").close()
    assert module("list", stdin=evil.getvalue()).stdout == b"0\ta\\x1b[2J\\n\n"


def test_example_backup(datadir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-W", "ignore", "-m", "xbkit", "extract", "-C", str(out)]
    assert example("backup", datadir, *command).startswith("5 members, ")
    assert len(files_below(out)) == 5
    example("backup", datadir, *command[:-1], datadir / "ibdata1", status=1)


def test_example_create(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.gz"
    assert example("create", tree, path, *FILES).startswith("4 members, ")
    assert len(xbkit.list(io.BytesIO(gzip.decompress(path.read_bytes())))) == 4


def test_example_extract(stream: bytes, tmp_path: Path) -> None:
    said = example("extract", tmp_path / "out", "db/*", stdin=stream)
    assert sorted(said.splitlines()) == ["db/t.ibd: 3300000 bytes", "db/ü.frm: 5 bytes"]
    example("extract", tmp_path / "cut", stdin=stream[:-5], status=1)


def test_example_list(stream: bytes, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(stream)
    lines = example("list", tmp_path / "s").splitlines()
    assert [line.split()[1] for line in lines] == ["db/t.ibd", "ibdata1", "db/ü.frm", "empty"]


def test_example_verify(stream: bytes, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(stream)
    assert "complete" in example("verify", tmp_path / "s", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == stream
    (tmp_path / "s").write_bytes(stream[:-1])
    example("verify", tmp_path / "s", tmp_path / "copy 2", status=1)


def test_example_read_and_write(tmp_path: Path) -> None:
    assert "bytes" in example("write", tmp_path / "s")
    found = example("read", tmp_path / "s", "^4321.$").splitlines()
    assert [line for line in found if line.startswith("tens")] == ["tens.log:4322: 43210"]
    assert len(found) == 11


def test_example_items(stream: bytes, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(stream)
    assert set(example("items", tmp_path / "s").splitlines()) == {
        f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in FILES.items()
    }


def test_every_example_was_run(request: pytest.FixtureRequest) -> None:
    if not any(item.name == "test_example_items" for item in request.session.items):
        pytest.skip("only some of the tests are run")
    # test_server.py runs the one that needs a server.
    assert USED | {"hot"} == {path.stem for path in EXAMPLES.glob("*.py")}
