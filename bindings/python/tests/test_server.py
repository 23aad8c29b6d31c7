"""Backups of a running server that is being written to, and what becomes of them."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import SCHEMA, Server, Source, install, replay, running

import xbkit

pytestmark = pytest.mark.timeout(300)

KEY = bytes(range(32))
SECRET = "s3cret"
EXAMPLE = Path(__file__).parents[3] / "examples" / "python" / "hot.py"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """A server with a binary log, under light load."""
    root = tmp_path_factory.mktemp("source")
    install(root / "data")
    log = (f"--log-bin={root / 'bin'}", "--binlog-format=ROW", "--server-id=1")
    with running(root / "data", *log) as server:
        server.script(SCHEMA.encode())
        source = Source(server, root)
        yield source
        source.close()


@pytest.fixture
def keeper(source: Source) -> xbkit.Server:
    """The account that may back up."""
    return xbkit.Server(socket=source.server.socket, user="keeper", password=SECRET)


def prove(source: Source, datadir: Path, report: xbkit.ServerReport | None = None) -> None:
    """A server starts on what was restored, and finds everything; with the binary log from the
    reported place on, it becomes the source."""
    with running(datadir) as copy:
        assert copy.sql("SELECT SUM(amount) FROM d.bank") == "1000000\n"
        still = "CHECKSUM TABLE d.still, d.isam EXTENDED"
        assert copy.sql(still) == source.server.sql(still)
        checked = copy.sql("CHECK TABLE d.still, d.isam, d.bank EXTENDED")
        assert all(line.endswith("OK") for line in checked.splitlines()), checked
        if report is not None:
            assert report.binlog is not None
            source.calm()
            replay(source, copy, report.binlog.file, report.binlog.position)
            everything = "CHECKSUM TABLE d.still, d.isam, d.bank EXTENDED"
            assert copy.sql(everything) == source.server.sql(everything)
            source.excite()
        copy.stop()


def test_a_backup_is_the_server_as_of_its_position(
    source: Source, keeper: xbkit.Server, tmp_path: Path
) -> None:
    events: list[xbkit.Event] = []
    path = tmp_path / "backup.xbstream"
    report = xbkit.backup(path, server=keeper, parallel=2, on_event=events.append)
    assert report.binlog is not None and report.binlog.gtid
    assert report.from_lsn <= report.to_lsn and report.from_lsn <= report.last_lsn
    assert report.times.flush >= report.times.block_ddl >= report.times.block_commit > 0
    assert report.stream_bytes == path.stat().st_size
    names = {event.name for event in events if isinstance(event, xbkit.MemberDone)}
    assert "ibdata1" in names and len(names) >= report.members - 1
    assert any(isinstance(event, xbkit.Log) for event in events)
    assert any(isinstance(event, xbkit.Progress) for event in events)

    info = xbkit.info(path)
    assert (info.kind, info.to_lsn, info.last_lsn) == ("full", report.to_lsn, report.last_lsn)
    assert info.binlog == report.binlog
    restored = xbkit.restore(path, tmp_path / "restored", use_memory=16 << 20)
    assert restored.recovered and restored.proven and restored.backup == "full"
    prove(source, tmp_path / "restored", report)


def test_into_a_directory_and_in_steps(
    source: Source, keeper: xbkit.Server, tmp_path: Path
) -> None:
    backup, data = tmp_path / "backup", tmp_path / "data"
    report = xbkit.backup(server=keeper, target_dir=backup, datadir=source.server.datadir)
    assert report.members > 10 and (backup / "ibdata1").is_file()
    with pytest.raises(xbkit.ExistsError):
        xbkit.backup(server=keeper, target_dir=backup)
    with pytest.raises(xbkit.InvalidStateError):
        xbkit.put_back(backup, data)
    with pytest.raises(xbkit.NotFoundError):
        xbkit.prepare(backup, server_program="/bin/false")
    prepared = xbkit.prepare(backup)
    assert prepared.server_program is not None and "mariadbd" in prepared.server_program
    assert xbkit.prepare(backup).server_program is None
    assert xbkit.put_back(backup, data) > 10
    with pytest.raises(xbkit.ExistsError):
        xbkit.put_back(backup, data)
    prove(source, data)


@pytest.mark.parametrize("format", ["xbstream", "tar"])
def test_through_objects_compressed_and_encrypted(
    source: Source, keeper: xbkit.Server, tmp_path: Path, format: xbkit.Format
) -> None:
    sink = io.BytesIO()
    xbkit.backup(sink, server=keeper, format=format, compress="zstd", encrypt="AES256", key=KEY)
    with pytest.raises(xbkit.BadKeyError):
        xbkit.restore(io.BytesIO(sink.getvalue()), tmp_path / "restored")
    source_object = io.BytesIO(sink.getvalue())
    assert xbkit.restore(source_object, tmp_path / "restored", key=KEY, parallel=2).recovered
    prove(source, tmp_path / "restored")


def test_a_directory_keeps_files_compressed(keeper: xbkit.Server, tmp_path: Path) -> None:
    xbkit.backup(server=keeper, target_dir=tmp_path / "out", compress="gzip")
    assert (tmp_path / "out" / "ibdata1.gz").is_file()
    assert not (tmp_path / "out" / "ibdata1").exists()


def test_passwords_are_nowhere(
    source: Source, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = xbkit.Server(socket=source.server.socket, user="keeper", password="wr0ng-s3cret")
    with pytest.raises(xbkit.AuthError, match="keeper") as caught:
        xbkit.backup(io.BytesIO(), server=wrong)
    texts = [repr(wrong), str(wrong), repr(caught.value), str(caught.value), caplog.text]
    assert not [text for text in texts if SECRET in text]
    assert repr(wrong) == f"<xbkit.Server, socket {source.server.socket}>"
    assert "s3cret" not in Path("/proc/self/cmdline").read_text()
    with pytest.raises(TypeError):
        __import__("pickle").dumps(wrong)


def test_passwords_come_from_files_and_bytes(source: Source, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret\n")
    options = tmp_path / "my.cnf"
    options.write_text(f"[client]\nsocket={source.server.socket}\nuser=keeper\npassword='s3cret'\n")
    options.chmod(0o600)
    socket = source.server.socket
    for server in (
        xbkit.Server(socket=socket, user="keeper", password=b"s3cret"),
        xbkit.Server(socket=socket, user="keeper", password=bytearray(b"s3cret")),
        xbkit.Server(socket=socket, user="keeper", password_file=tmp_path / "pw"),
        xbkit.Server(defaults_file=options),
    ):
        with pytest.raises(ZeroDivisionError):
            xbkit.backup(_Raising(ZeroDivisionError()), server=server)
    # What is given counts more than what the file says.
    with pytest.raises(xbkit.AuthError):
        xbkit.backup(io.BytesIO(), server=xbkit.Server(defaults_file=options, password="x"))
    options.chmod(0o666)
    with pytest.raises(xbkit.PermissionDeniedError, match="everybody"):
        xbkit.Server(defaults_file=options)


def test_what_cannot_work_is_refused_at_once(source: Source, keeper: xbkit.Server, tmp_path: Path) -> None:
    sink, socket = io.BytesIO(), source.server.socket
    poor = xbkit.Server(socket=socket, user="poor", password=SECRET)
    with pytest.raises(xbkit.AuthError) as caught:
        xbkit.backup(sink, server=poor)
    assert "GRANT RELOAD" in (caught.value.hint or "") and not sink.getvalue()
    with pytest.raises(xbkit.AuthError) as caught:
        xbkit.backup(sink, server=keeper, safe_slave_backup=True)
    assert "SLAVE" in (caught.value.hint or "") and not sink.getvalue()
    with pytest.raises(xbkit.ConnectError):
        xbkit.backup(sink, server=xbkit.Server(socket=tmp_path / "no"))
    with pytest.raises(xbkit.InvalidArgumentError):
        xbkit.backup(sink, server=keeper, datadir=tmp_path)
    with pytest.raises(xbkit.LockedError):
        xbkit.backup(sink, datadir=source.server.datadir)
    mistakes: list[Callable[[], object]] = [
        lambda: xbkit.backup(sink),  # type: ignore[call-overload]
        lambda: xbkit.backup(server=keeper),
        lambda: xbkit.backup(sink, server=keeper, target_dir=tmp_path),
        lambda: xbkit.backup(sink, server=keeper, undo_dir="u"),  # type: ignore[call-overload]
        lambda: xbkit.backup(sink, datadir=tmp_path, throttle=1),  # type: ignore[call-overload]
        lambda: xbkit.Server("socket"),  # type: ignore[misc]
    ]
    for mistake in mistakes:
        with pytest.raises(TypeError):
            mistake()
    values: list[Callable[[], object]] = [
        lambda: xbkit.Server(),
        lambda: xbkit.Server(socket="s", host="h"),
        lambda: xbkit.Server(socket="s", password="p", password_file="f"),
        lambda: xbkit.Server(host="h", tls_cert="c"),
        lambda: xbkit.Server(socket="s", password=b"\xff"),
        lambda: xbkit.backup(sink, server=keeper, lock_wait_timeout=0),
        lambda: xbkit.backup(sink, server=keeper, safe_slave_backup_timeout=0),
        lambda: xbkit.prepare(tmp_path, use_memory=1),
    ]
    for mistake in values:
        with pytest.raises(ValueError):
            mistake()
    assert not sink.getvalue()


class _Raising:
    """A sink that raises in the midst."""

    def __init__(self, error: BaseException, after: int = 0) -> None:
        self.error, self.after, self.taken = error, after, 0

    def write(self, data: bytes) -> int:
        self.taken += len(data)
        if self.taken > self.after:
            raise self.error
        return len(data)


def test_whatever_ends_it_leaves_no_lock(
    source: Source, keeper: xbkit.Server, tmp_path: Path
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for error in (ZeroDivisionError(), full):
        with pytest.raises(type(error)) as caught:
            xbkit.backup(_Raising(error, after=3 << 20), server=keeper)
        assert caught.value is error
        source.is_free()

    def stop(event: xbkit.Event) -> None:
        if isinstance(event, xbkit.MemberDone):
            raise LookupError

    with pytest.raises(LookupError):
        xbkit.backup(io.BytesIO(), server=keeper, on_event=stop)
    source.is_free()
    with pytest.raises(LookupError):
        xbkit.backup(server=keeper, target_dir=tmp_path / "none", on_event=stop)
    assert not (tmp_path / "none" / "ibdata1").exists()
    source.is_free()

    # A sink that stalls, and another thread that has enough of it.
    token = xbkit.CancelToken()
    threading.Timer(0.5, token.cancel).start()
    read_fd, write_fd = os.pipe()
    try:
        with pytest.raises(xbkit.CancelledError):
            xbkit.backup(write_fd, server=keeper, cancel=token)
    finally:
        os.close(read_fd)
        os.close(write_fd)
    source.is_free()


INTERRUPTED = """
import os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore", RuntimeWarning)
import xbkit
server = xbkit.Server(socket=sys.argv[1], user="keeper", password_file=sys.argv[2])
read_fd, write_fd = os.pipe()
sent = []
def interrupt():
    time.sleep(1.0)
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    xbkit.backup(write_fd, server=server)
except KeyboardInterrupt:
    print(time.monotonic() - sent[0])
"""


def test_ctrl_c_ends_it_and_frees_the_server(source: Source, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(SECRET)
    times = []
    # As in test_interrupt.py: of several tries one must keep the promise.
    for _ in range(3):
        command = [sys.executable, "-c", INTERRUPTED, str(source.server.socket), tmp_path / "pw"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stdout, done.stderr
        source.is_free()
        times.append(float(done.stdout))
        if times[-1] <= 0.2:
            return
    pytest.fail(f"it took {times} seconds")


def test_a_killed_server_is_an_error(source: Source, keeper: xbkit.Server, tmp_path: Path) -> None:
    datadir = tmp_path / "data"
    install(datadir)
    with running(datadir) as server:
        server.sql("CREATE USER keeper@localhost; GRANT RELOAD ON *.* TO keeper@localhost")

        class Killing(io.BytesIO):
            def write(self, data: object) -> int:
                if self.tell() > 3 << 20:
                    server.process.kill()
                return super().write(data)  # type: ignore[arg-type]

        sink = Killing()
        with pytest.raises(xbkit.ConnectError):
            xbkit.backup(sink, server=xbkit.Server(socket=server.socket, user="keeper"))
    with pytest.raises(xbkit.XbkitError):
        xbkit.verify(io.BytesIO(sink.getvalue()))


def test_the_module_and_the_example(source: Source, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(SECRET)
    python = [sys.executable, "-W", "ignore::RuntimeWarning"]

    def run(*args: object, **options: object) -> subprocess.CompletedProcess[bytes]:
        command = [*python, *map(str, args)]
        done = subprocess.run(command, capture_output=True, timeout=120, **options)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stderr.decode()
        return done  # type: ignore[no-any-return]

    stream = tmp_path / "stream"
    where = ("--socket", source.server.socket, "--user", "keeper")
    environment = os.environ | {"XBKIT_PASSWORD": SECRET}
    made = run("-m", "xbkit", "backup", *where, "-o", stream, env=environment)
    told = json.loads(made.stderr.decode().splitlines()[-1])
    assert told["binlog"]["position"] > 0 and told["times"]["flush"] > 0
    run("-m", "xbkit", "restore", "-i", stream, "--datadir", tmp_path / "a")
    prove(source, tmp_path / "a")
    password = ("--password-file", tmp_path / "pw")
    run("-m", "xbkit", "backup", *where, *password, "--target-dir", tmp_path / "b")
    run("-m", "xbkit", "prepare", tmp_path / "b")
    prove(source, tmp_path / "b")

    said = run(EXAMPLE, source.server.socket, "keeper", tmp_path / "pw", tmp_path / "c")
    assert "binary log" in said.stdout.decode()
    prove(source, tmp_path / "c")
