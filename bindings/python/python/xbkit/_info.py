"""What is known of a backup."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class BinlogPosition:
    """A place in a server's binary log."""

    file: str
    """The log's file name."""
    position: int
    """The offset in it, in bytes."""
    gtid: str | None
    """The GTID, or set of GTIDs, at that place."""


@dataclass(frozen=True, slots=True)
class GaleraPosition:
    """A position in the history of a Galera cluster."""

    uuid: str
    """The history's UUID."""
    seqno: int
    """The last transaction; -1 if there is none."""
    domain: int | None
    """The GTID domain, of newer MariaDB."""


@dataclass(frozen=True, slots=True)
class ReplicaChannel:
    """A replica's connection to a source."""

    name: str | None
    """Its name, if it has one."""
    file: str | None
    """The source's log where it goes on; ``None`` if it goes on by GTID."""
    position: int | None
    """The offset in that log, in bytes."""


@dataclass(frozen=True, slots=True)
class Replica:
    """Where a replica stood."""

    gtid_purged: str | None
    """MySQL's ``gtid_purged``."""
    gtid_slave_pos: str | None
    """MariaDB's ``gtid_slave_pos``."""
    channels: tuple[ReplicaChannel, ...]
    """Its connections."""
    statements: str
    """The statements that make the restored server a replica of the same sources."""


@dataclass(frozen=True, slots=True)
class ExternalTablespace:
    """A tablespace from outside the data directory."""

    file_name: str
    """Where the server has the file."""
    tablespace_name: str
    """The tablespace's name, such as ``db/t1``."""
    tablespace_type: str
    """``TABLESPACE`` or ``UNDO_LOG``."""


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """What :func:`info` found. ``None`` is unknown: the file that would say it is missing, or
    compressed or encrypted, or was not come to."""

    kind: str | None
    """``"full"``, ``"incremental"``, ``"cold"``, ``"prepared"`` or ``"log-applied"``."""
    naming: str | None
    """How it names its files: ``"xtrabackup"`` or ``"mariadb_backup"``."""
    from_lsn: int | None
    """The LSN that it begins at; 0 for a full backup."""
    to_lsn: int | None
    """The LSN that an incremental backup on this one begins at."""
    last_lsn: int | None
    """The end of the copied redo."""
    flushed_lsn: int | None
    """``flushed_lsn`` of XtraBackup."""
    tool_name: str | None
    """The program that took it."""
    tool_version: str | None
    """That program's version."""
    tool_command: str | None
    """That program's arguments, secrets masked."""
    server_version: str | None
    """The server's version."""
    server_flavor: str | None
    """The server's flavor, of the newest XtraBackup."""
    backup_uuid: str | None
    """The UUID of this backup."""
    history_name: str | None
    """What ``--history`` called it."""
    start_time: str | None
    """When it began, ``YYYY-MM-DD HH:MM:SS`` in the zone of its machine."""
    end_time: str | None
    """When it ended, likewise."""
    lock_seconds: int | None
    """How long the server was locked."""
    partial: bool | None
    """Whether tables or databases were selected."""
    binlog: BinlogPosition | None
    """The position in the server's binary log."""
    binlogs: tuple[BinlogPosition, ...] | None
    """All positions that its file has; the last one is the backup's."""
    replica: Replica | None
    """Where the server stood as a replica."""
    galera: GaleraPosition | None
    """The position in a Galera cluster."""
    donor_galera: GaleraPosition | None
    """The donor's, in a state transfer."""
    page_size: int | None
    """InnoDB's page size, in bytes."""
    redo_file_size: int | None
    """``innodb_log_file_size``, in bytes."""
    system_files: tuple[str, ...] | None
    """The files of the system tablespace."""
    external_tablespaces: tuple[ExternalTablespace, ...] | None
    """Tablespaces from outside the data directory."""
    redo_creator: str | None
    """What the redo log says of the program that began it."""
    compression: tuple[str, ...]
    """Formats that members are compressed in."""
    encrypted: bool
    """Whether members are encrypted."""
    unread: tuple[str, ...]
    """Files that would say more, but are compressed or encrypted."""
    layers: tuple[str, ...]
    """Layers of compression around the stream, outermost first."""
    manifest: bool | None
    """Whether the stream announces a manifest, or the directory holds one."""
    manifest_tool: str | None
    """The program that wrote the manifest."""
    proven: bool | None
    """Whether the stream was proven complete; ``None`` if its contents were not read."""
    members: int | None
    """Members, where all of the stream was seen."""
    payload_bytes: int | None
    """Their bytes."""
    missing: tuple[str, ...] | None
    """What a backup of a whole server has and this lacks; ``None`` if not all was seen."""

    @classmethod
    def _of_json(cls, text: str) -> BackupInfo:
        found = json.loads(text)
        values = {field.name: found[field.name] for field in fields(cls)}
        for name, kind in {
            "binlog": BinlogPosition,
            "galera": GaleraPosition,
            "donor_galera": GaleraPosition,
        }.items():
            if values[name] is not None:
                values[name] = kind(**values[name])
        for name, each in {
            "binlogs": BinlogPosition,
            "external_tablespaces": ExternalTablespace,
        }.items():
            if values[name] is not None:
                values[name] = tuple(each(**value) for value in values[name])
        if values["replica"] is not None:
            replica = values["replica"]
            channels = tuple(ReplicaChannel(**channel) for channel in replica["channels"])
            values["replica"] = Replica(**{**replica, "channels": channels})
        for name in ("system_files", "compression", "unread", "layers", "missing"):
            if values[name] is not None:
                values[name] = tuple(values[name])
        return cls(**values)
