"""What a stream says, item by item. Members interleave, so items are what can be had at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Open:
    """A member begins."""

    id: int
    """The member's number, from 0 in order of appearance."""
    name: str
    """Its path."""
    rewrite: bool
    """Whether it replaces a closed member of this name (MariaDB)."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a member. They are provisional until its :class:`Close` came: the checksum over
    them stands for a whole chunk."""

    id: int
    """The member's number."""
    offset: int
    """Where in the member the bytes belong."""
    data: bytes
    """The bytes, yours to keep."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes of a member that are all zero."""

    id: int
    """The member's number."""
    offset: int
    """Where the hole begins."""
    length: int
    """How long it is, in bytes."""


@dataclass(frozen=True, slots=True)
class Close:
    """A member is complete. Bytes below ``size`` that no item covered are zero."""

    id: int
    """The member's number."""
    name: str
    """Its path."""
    size: int
    """Its size in bytes."""


@dataclass(frozen=True, slots=True)
class Rename:
    """A closed member gets another path (MariaDB)."""

    name: str
    """Path so far."""
    to: str
    """Path from now on."""
    replaces: bool
    """Whether a closed member had the new path until now, and is gone."""


@dataclass(frozen=True, slots=True)
class Remove:
    """A closed member is taken back (MariaDB)."""

    name: str
    """Its path."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory (tar). It may be told more than once, before or after what is in it."""

    name: str
    """Its path."""


Item = Open | Data | Hole | Close | Rename | Remove | Directory
"""One thing that a stream says."""


class Chunk(NamedTuple):
    """Bytes of a member, with its name."""

    name: str
    """The member's path."""
    offset: int
    """Where in the member the bytes belong."""
    data: bytes
    """The bytes, yours to keep."""


_CLASSES: dict[int, type[Item]] = {0: Open, 1: Data, 2: Hole, 3: Close, 4: Rename}


def from_native(kind: int, a: object, b: object, c: object) -> Item:
    """The item that the native reader tells by number and three values."""
    if kind == 5:
        assert isinstance(a, str)
        return Remove(a)
    if kind == 6:
        assert isinstance(a, str)
        return Directory(a)
    return _CLASSES[kind](a, b, c)  # type: ignore[call-arg, arg-type]
