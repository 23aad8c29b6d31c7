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
