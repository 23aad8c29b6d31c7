"""Private MariaDB servers: a data directory and a socket of their own, no network, no option file."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from conftest import peer

OPTIONS = [
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    "--innodb-data-file-path=ibdata1:10M:autoextend",
    "--innodb-stats-auto-recalc=0",
    "--innodb-buffer-pool-dump-at-shutdown=0",
]

SCHEMA = """
CREATE DATABASE d; USE d;
CREATE TABLE still (id INT PRIMARY KEY, t VARCHAR(200)) ENGINE=InnoDB;
INSERT INTO still SELECT seq, REPEAT(MD5(seq), 6) FROM seq_1_to_5000;
CREATE TABLE isam (id INT PRIMARY KEY, t VARCHAR(200)) ENGINE=MyISAM;
INSERT INTO isam SELECT * FROM still WHERE id < 500;
CREATE TABLE bank (id INT PRIMARY KEY, amount BIGINT NOT NULL) ENGINE=InnoDB;
INSERT INTO bank SELECT seq, 1000 FROM seq_1_to_1000;
CREATE TABLE ctl (go INT) ENGINE=MEMORY; INSERT INTO ctl VALUES (1);
CREATE USER keeper@localhost IDENTIFIED BY 's3cret';
GRANT RELOAD, BINLOG MONITOR ON *.* TO keeper@localhost;
CREATE USER poor@localhost IDENTIFIED BY 's3cret';
DELIMITER //
CREATE PROCEDURE work() BEGIN
  WHILE (SELECT go FROM ctl) DO
    SET @a = 1 + FLOOR(RAND() * 1000), @b = 1 + FLOOR(RAND() * 1000), @n = FLOOR(RAND() * 9);
    START TRANSACTION;
    UPDATE bank SET amount = amount - @n WHERE id = @a;
    UPDATE bank SET amount = amount + @n WHERE id = @b;
    COMMIT;
    DO SLEEP(0.005);
  END WHILE;
END //
DELIMITER ;
"""
"""A table whose sum every transaction leaves as it was, two that stay as they are, who may back up
and who may not."""


def _program(name: str, datadir: Path, *options: str) -> list[str]:
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    return [peer(name), "--no-defaults", f"--datadir={datadir}", *as_root, *OPTIONS, *options]


def install(datadir: Path) -> None:
    """A new data directory with system tables."""
    subprocess.run(
        [
            *_program("mariadb-install-db", datadir),
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ],
        env=os.environ | {"TMPDIR": str(datadir.parent)},
        capture_output=True,
        check=True,
    )


class Server:
    """A running server."""

    def __init__(self, datadir: Path, *options: str) -> None:
        self.datadir = datadir
        # A socket's path may have 107 bytes.
        self._run = tempfile.TemporaryDirectory(prefix="xbk", dir="/tmp")
        run = Path(self._run.name)
        self.socket = run / "sock"
        self._log = run / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *_program("mariadbd", datadir, *options),
                    f"--socket={self.socket}",
                    f"--pid-file={run / 'pid'}",
                    f"--tmpdir={run}",
                    "--skip-networking",
                    "--skip-name-resolve",
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while self._query("SELECT 1").returncode != 0:
            alive = self.process.poll() is None and time.monotonic() < deadline
            assert alive, self._log.read_text()
            time.sleep(0.02)

    def client(self, *args: str) -> list[str]:
        """The command line of a client."""
        return [
            peer("mariadb"),
            "--no-defaults",
            f"--socket={self.socket}",
            "--user=root",
            "--batch",
            "--skip-column-names",
            *args,
        ]

    def _query(self, statements: str) -> subprocess.CompletedProcess[str]:
        command = self.client("--execute", statements)
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def sql(self, statements: str) -> str:
        """The rows that statements give."""
        done = self._query(statements)
        assert done.returncode == 0, f"{statements}: {done.stderr}{self._log.read_text()}"
        return done.stdout

    def script(self, statements: bytes) -> None:
        """Runs statements, with delimiters."""
        subprocess.run(self.client("--binary-mode"), input=statements, check=True)

    def stop(self) -> None:
        """A clean shutdown."""
        self.sql("SHUTDOWN")
        assert self.process.wait(60) == 0, self._log.read_text()

    def close(self) -> None:
        """The end, whatever it was doing."""
        self.process.kill()
        self.process.wait()
        self._run.cleanup()


@contextlib.contextmanager
def running(datadir: Path, *options: str) -> Iterator[Server]:
    """A server on a directory, until the end of the block."""
    server = Server(datadir, *options)
    try:
        yield server
    finally:
        server.close()


class Source:
    """A server that is being written to."""

    def __init__(self, server: Server, binlogs: Path) -> None:
        self.server = server
        self.binlogs = binlogs
        self._writer = subprocess.Popen(server.client("--execute", "CALL d.work()"))

    def calm(self) -> None:
        """Lets the writer come to its end."""
        self.server.sql("SET sql_log_bin = 0; UPDATE d.ctl SET go = 0")
        assert self._writer.wait(60) == 0

    def excite(self) -> None:
        """Writes again."""
        self.server.sql("SET sql_log_bin = 0; UPDATE d.ctl SET go = 1")
        self._writer = subprocess.Popen(self.server.client("--execute", "CALL d.work()"))

    def close(self) -> None:
        """The writer's end."""
        self._writer.kill()
        self._writer.wait()

    def connections(self) -> int:
        """How many the backup has."""
        count = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'keeper'"
        return int(self.server.sql(count))

    def is_free(self) -> None:
        """No lock of a backup is left, and soon no connection."""
        deadline = time.monotonic() + 20
        while self.connections():
            assert time.monotonic() < deadline, "its connections stay"
            time.sleep(0.02)
        self.server.sql("SET lock_wait_timeout = 5; BACKUP STAGE START; BACKUP STAGE END")


def replay(source: Source, copy: Server, file: str, position: int) -> None:
    """Brings a copy to where the source is, by its binary log."""
    names = [line.split("\t")[0] for line in source.server.sql("SHOW BINARY LOGS").splitlines()]
    files = [str(source.binlogs / name) for name in names[names.index(file) :]]
    command = [peer("mariadb-binlog"), "--no-defaults", "--disable-log-bin"]
    done = subprocess.run(
        [*command, f"--start-position={position}", *files], capture_output=True, check=True
    )
    copy.script(done.stdout)
