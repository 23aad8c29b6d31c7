"""What backup a stream or a directory holds, and one member of it."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FILES, SinkAndResult

import xbkit

CHECKPOINTS = b"backup_type = full-backuped\nfrom_lsn = 0\nto_lsn = 44420\nlast_lsn = 48272\n"
SLAVE = b"CHANGE MASTER 'east' TO MASTER_LOG_FILE='m.7', MASTER_LOG_POS=45;\n"
BACKUP = {
    "ibdata1.zst": b"system",
    "mariadb_backup_checkpoints": CHECKPOINTS,
    "mariadb_backup_binlog_info": b"bin.000007\t4783308\t0-7-15\n",
    "mariadb_backup_slave_info": SLAVE,
    "mariadb_backup_galera_info": b"70a4aaee-e6a1-11f1-b440-02fc00000001:1529 3\n",
    "backup-my.cnf": b"[mysqld]\ninnodb_data_file_path=ibdata1:12M;ibd2:1G\n",
}


@pytest.fixture
def backup() -> bytes:
    """A small backup as a stream."""
    sink = io.BytesIO()
    with xbkit.open(sink, "w") as writer:
        for name, data in BACKUP.items():
            with writer.create(name) as entry:
                entry.write(data)
    return sink.getvalue()


def check(info: xbkit.BackupInfo) -> None:
    assert (info.kind, info.naming) == ("full", "mariadb_backup")
    assert (info.from_lsn, info.to_lsn, info.last_lsn) == (0, 44420, 48272)
    assert info.binlog == xbkit.BinlogPosition("bin.000007", 4783308, "0-7-15")
    assert info.binlogs == (info.binlog,)
    assert info.galera == xbkit.GaleraPosition("70a4aaee-e6a1-11f1-b440-02fc00000001", 1529, 3)
    assert info.replica is not None
    assert info.replica.channels == (xbkit.ReplicaChannel("east", "m.7", 45),)
    assert info.replica.statements.encode() == SLAVE
    assert info.system_files == ("ibdata1", "ibd2")
    assert (info.compression, info.encrypted) == (("zstd",), False)
    assert info.server_version is None
    assert info.missing is not None
    assert "ibd2" in info.missing


def test_info_of_a_stream_and_a_directory(backup: bytes, tmp_path: Path) -> None:
    info = xbkit.info(io.BytesIO(backup))
    check(info)
    assert (info.proven, info.members) == (True, len(BACKUP))
    (tmp_path / "stream").write_bytes(backup)
    info = xbkit.info(tmp_path / "stream")
    check(info)
    assert (info.proven, info.manifest) == (None, True)
    assert xbkit.extract(tmp_path / "stream", tmp_path / "out").backup == "full"
    check(xbkit.info(tmp_path / "out"))
    check(xbkit.info(str(tmp_path / "out")))


def test_info_of_every_source(source: xbkit.Source) -> None:
    info = xbkit.info(source)
    assert (info.kind, info.manifest) == (None, True)
    assert info.members == len(FILES)


def test_a_malformed_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "xtrabackup_checkpoints").write_bytes(b"")
    with pytest.raises(xbkit.FormatError, match="the file is empty") as caught:
        xbkit.info(tmp_path)
    assert caught.value.path is not None
    assert caught.value.path.endswith("xtrabackup_checkpoints")


def test_what_is_no_whole_backup_is_refused(backup: bytes, tmp_path: Path) -> None:
    assert xbkit.verify(io.BytesIO(backup)).backup == "full"
    with pytest.raises(xbkit.IncompleteError, match="ibd2"):
        xbkit.verify(io.BytesIO(backup), require_backup=True)
    with pytest.raises(xbkit.IncompleteError, match="ibd2"):
        xbkit.extract(io.BytesIO(backup), tmp_path / "out", require_backup=True)
    assert not [*(tmp_path / "out").glob("*")]


def test_cat_from_every_source(source: xbkit.Source) -> None:
    sink = io.BytesIO()
    report = xbkit.cat(source, "db/t.ibd", sink)
    assert sink.getvalue() == FILES["db/t.ibd"]
    assert (report.size, report.proven) == (len(FILES["db/t.ibd"]), True)


def test_cat_to_every_sink(sink: SinkAndResult, stream: bytes) -> None:
    target, result = sink
    xbkit.cat(io.BytesIO(stream), "ibdata1", target)  # type: ignore[arg-type]
    assert result() == FILES["ibdata1"]


def test_cat_of_what_is_not_there(stream: bytes, tmp_path: Path) -> None:
    with pytest.raises(xbkit.NotFoundError):
        xbkit.cat(io.BytesIO(stream), "nowhere", tmp_path / "member")
    assert not [*tmp_path.glob("member*")]
    with pytest.raises(xbkit.UnsafePathError):
        xbkit.cat(io.BytesIO(stream), "../x", io.BytesIO())


def test_cat_of_a_damaged_stream_writes_nothing(stream: bytes) -> None:
    sink = io.BytesIO()
    with pytest.raises(xbkit.TruncatedError):
        xbkit.cat(io.BytesIO(stream[:-1]), "db/ü.frm", sink, tmpdir="/tmp", max_spool=0)
    assert sink.getvalue() == b""


def test_programs(backup: bytes, tmp_path: Path) -> None:
    def run(*args: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "xbkit", *args],
            input=backup,
            capture_output=True,
            check=False,
            timeout=60,
        )

    done = run("info")
    assert done.returncode == 0, done.stderr
    assert b'"to_lsn": 44420' in done.stdout
    done = run("cat", "mariadb_backup_checkpoints")
    assert (done.returncode, done.stdout) == (0, CHECKPOINTS)
    done = run("verify", "--require-backup")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"ibd2" in done.stderr
