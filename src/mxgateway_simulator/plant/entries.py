"""What stands on the board, as typed records, and the form in which its file keeps them.

The file's keys are short because there may be very many entries; nothing but this module knows them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Key: TypeAlias = tuple[str, str]
"""(kind, name in lower case)."""

VALUE = "value"
"""What was written to `object.attribute`: `Written`."""
ACK = "ack"
"""Acknowledgement of an alarm, by `object.attribute`: `Acked`."""
SCAN = "scan"
"""Scan state of an object: `Switched`."""
ENGINE = "engine"
"""Whether an engine or platform runs: `Switched`."""


class EntryError(ValueError):
    """An entry that this version cannot read."""


class Step(NamedTuple):
    """A value and when it was written; the first of a series is what stood before, at 0."""

    at_ns: int
    value: Any


@dataclass(frozen=True, slots=True)
class Written:
    """A written value.

    Attributes:
        value: a tuple for an array.
        quality: OPC quality.
        time_ns: its source time.
        written_ns: when it was written.
        shape: the attribute's type then (`Tag.shape`); None on boards that did not keep it.
        steps: the last writes of a number, oldest first, for attributes that follow it with a lag.
    """

    value: Any
    quality: int
    time_ns: int
    written_ns: int
    shape: int | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Acked:
    """An acknowledgement and its comment."""

    time_ns: int
    comment: str


@dataclass(frozen=True, slots=True)
class Switched:
    """On or off, and since when."""

    is_on: bool
    time_ns: int


Entry: TypeAlias = Written | Acked | Switched


def encode(entry: Entry | None) -> str:
    """An entry as the file keeps it; None is the mark of one that was removed."""
    return json.dumps(_plain(entry))


def _plain(entry: Entry | None) -> dict[str, Any]:
    if entry is None:
        return _REMOVED
    if isinstance(entry, Acked):
        return {"t": entry.time_ns, "m": entry.comment}
    if isinstance(entry, Switched):
        return {"on": entry.is_on, "t": entry.time_ns}
    plain = {"v": entry.value, "q": entry.quality, "t": entry.time_ns, "w": entry.written_ns}
    if entry.shape is not None:
        plain["s"] = entry.shape
    if entry.steps:
        plain["h"] = entry.steps
    return plain


def decode(kind: str, text: str) -> Entry | None:
    """An entry of the file; None for one that was removed.

    Raises:
        EntryError: it is of a kind, or has a form, that this version does not know.
    """
    try:
        plain = json.loads(text)
        return None if plain == _REMOVED else _READERS[kind](plain)
    except (KeyError, TypeError, ValueError) as error:
        raise EntryError(f"it holds an entry of kind {kind} that this version cannot read") from error


def _written(plain: Mapping[str, Any]) -> Written:
    value = plain["v"]
    return Written(
        value=tuple(value) if isinstance(value, list) else value,
        quality=int(plain["q"]),
        time_ns=int(plain["t"]),
        written_ns=int(plain["w"]),
        shape=plain.get("s"),
        steps=tuple(Step(int(at), value) for at, value in plain.get("h", ())),
    )


_REMOVED = {"removed": True}
_READERS: Mapping[str, Callable[[Mapping[str, Any]], Entry]] = {
    VALUE: _written,
    ACK: lambda plain: Acked(int(plain["t"]), str(plain["m"])),
    SCAN: lambda plain: Switched(bool(plain["on"]), int(plain["t"])),
    ENGINE: lambda plain: Switched(bool(plain["on"]), int(plain["t"])),
}
