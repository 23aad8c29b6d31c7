"""Compressed and encrypted members, through every keyword."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

import xbkit

KEY = bytes(range(32))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    base = tmp_path / "data"
    (base / "db").mkdir(parents=True)
    (base / "ibdata1").write_bytes(b"page of a tablespace " * 100_000)
    (base / "db" / "t.ibd").write_bytes(os.urandom(70_000))
    return base


@pytest.mark.parametrize("compress", ["quicklz", "lz4", "zstd", "gzip", None])
@pytest.mark.parametrize("format", ["xbstream", "tar"])
@pytest.mark.parametrize("encrypt", [None, "AES256"])
def test_members_come_back(
    data: Path,
    tmp_path: Path,
    compress: xbkit.Compress | None,
    format: xbkit.Format,
    encrypt: xbkit.Encrypt | None,
) -> None:
    sink = io.BytesIO()
    key = KEY if encrypt else None
    xbkit.create(
        sink,
        ["ibdata1", "db/t.ibd"],
        base=data,
        format=format,
        compress=compress,
        compress_threads=2,
        encrypt=encrypt,
        encrypt_threads=2,
        encrypt_chunk_size=4096,
        key=key,
    )
    report = xbkit.extract(io.BytesIO(sink.getvalue()), tmp_path / "out", key=key, decode_threads=2)
    assert report.proven
    for name in ["ibdata1", "db/t.ibd"]:
        assert (tmp_path / "out" / name).read_bytes() == (data / name).read_bytes()
    whole = format == "tar"
    verified = xbkit.verify(io.BytesIO(sink.getvalue()), key=key if whole else None)
    assert verified.proven


def test_keys_are_asked_for_and_compared(data: Path, tmp_path: Path) -> None:
    sink = io.BytesIO()
    with pytest.raises(xbkit.BadKeyError):
        xbkit.create(sink, ["ibdata1"], base=data, encrypt="AES128", key=KEY)
    with pytest.raises(xbkit.BadKeyError):
        xbkit.create(sink, ["ibdata1"], base=data, encrypt="AES128")
    sink = io.BytesIO()
    xbkit.create(sink, ["ibdata1"], base=data, encrypt="AES256", key=KEY)
    stream = sink.getvalue()
    with pytest.raises(xbkit.BadKeyError):
        xbkit.extract(io.BytesIO(stream), tmp_path / "none")
    with pytest.raises(xbkit.DecryptError):
        xbkit.extract(io.BytesIO(stream), tmp_path / "wrong", key=KEY[::-1])
    xbkit.extract(io.BytesIO(stream), tmp_path / "stored", decrypt=False)
    assert (tmp_path / "stored" / "ibdata1.xbcrypt").exists()


def test_growth_is_capped(data: Path, tmp_path: Path) -> None:
    sink = io.BytesIO()
    xbkit.create(sink, ["ibdata1"], base=data, compress="zstd", compress_level=3)
    with pytest.raises(xbkit.LimitError):
        xbkit.extract(io.BytesIO(sink.getvalue()), tmp_path / "out", max_decoded_size=1000)
    with pytest.raises(ValueError, match="compress"):
        xbkit.create(sink, ["ibdata1"], base=data, compress="rar")  # type: ignore[arg-type]


def test_coded_members_are_looked_at(tmp_path: Path) -> None:
    info = b"server_version = 10.11.19-MariaDB\npartial = N\n"
    checkpoints = b"backup_type = full-backuped\nfrom_lsn = 0\nto_lsn = 5\n"
    (tmp_path / "xtrabackup_info").write_bytes(info)
    (tmp_path / "xtrabackup_checkpoints").write_bytes(checkpoints)
    names = ["xtrabackup_info", "xtrabackup_checkpoints"]
    sink = io.BytesIO()
    xbkit.create(sink, names, base=tmp_path, compress="zstd", encrypt="AES256", key=KEY)
    stream = sink.getvalue()
    found = xbkit.info(io.BytesIO(stream), key=KEY)
    assert (found.server_version, found.unread) == ("10.11.19-MariaDB", ())
    assert xbkit.info(io.BytesIO(stream)).unread == ("xtrabackup_info.zst.xbcrypt",)

    def cat(member: str, *, key: bytes | None = None, raw: bool = False) -> bytes:
        out = io.BytesIO()
        xbkit.cat(io.BytesIO(stream), member, out, key=key, raw=raw)
        return out.getvalue()

    assert cat("xtrabackup_info", key=KEY) == info
    assert cat("xtrabackup_info.zst.xbcrypt", key=KEY) == info
    assert cat("xtrabackup_info.zst.xbcrypt", raw=True).startswith(b"XBCRYP")
    with pytest.raises(xbkit.BadKeyError):
        cat("xtrabackup_info")


def test_a_reader_takes_the_key_of_a_whole_stream_and_proves_it(data: Path) -> None:
    sink = io.BytesIO()
    xbkit.create(sink, ["ibdata1"], base=data, format="tar", encrypt="AES256", key=KEY)
    with xbkit.open(io.BytesIO(sink.getvalue()), key=KEY) as reader:
        for member in reader:
            assert member.read() == (data / "ibdata1").read_bytes()
            assert not reader.proven
        assert reader.proven
    assert reader.proven
    with pytest.raises(xbkit.BadKeyError):
        xbkit.open(io.BytesIO(sink.getvalue()))
    bare = io.BytesIO()
    xbkit.create(bare, ["ibdata1"], base=data, manifest=False)
    with xbkit.open(io.BytesIO(bare.getvalue())) as reader:
        assert [member.name for member in reader] == ["ibdata1"]
        assert not reader.proven
