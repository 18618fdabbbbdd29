"""What stands on the board, as typed records, and the form in which its file keeps them.

The file's keys are short because there may be very many entries; nothing but this module knows them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeAlias

from mxgateway_simulator.plant.alarms.states import UNTOLD, Acknowledgement, Run
from mxgateway_simulator.plant.alarms.tracking import Track

Key: TypeAlias = tuple[str, str]
"""(kind, name in lower case)."""

VALUE = "value"
"""What was written to `object.attribute`: `Written`."""
ACK = "ack"
"""The last acknowledgement of an alarm, by the alarm's name: `Acknowledgement`."""
TRACK = "alarm"
"""How far an alarm's condition has been followed, where that cannot be worked out again later: `Track`."""
SHELF = "shelf"
"""An alarm that is, or was, shelved: `Shelved`."""
DISMISSED = "dismissed"
"""Which occurrence of a latched alarm was dismissed last: `Dismissed`."""
FORCED = "forced"
"""A condition set from outside, whatever its attribute says: `Forced`."""
STORM = "storm"
"""The last storm that was let loose on an area, by its name; on all of the Galaxy by an empty one: `Storm`."""
SCAN = "scan"
"""Scan state of an object: `Switched`."""
ENGINE = "engine"
"""Whether an engine or platform runs: `Switched`."""

ANYTHING: Key = ("*", "")
"""Stands for every entry, for what depends on too many to name."""


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
class Shelved:
    """A shelving; it ends by itself at `until_ns`."""

    from_ns: int
    until_ns: int
    reason: str = ""
    user: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The occurrence of a latched alarm that was dismissed, and when."""

    occurrence_ns: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Forced:
    """A condition that is set from outside from `from_ns` on; until `until_ns`, or for good when that is 0."""

    is_on: bool
    from_ns: int
    until_ns: int = 0


@dataclass(frozen=True, slots=True)
class Storm:
    """Alarms that come up one after the other within `within_ns`, each for `for_ns`.

    Attributes:
        share: an alarm takes part when its own number from 0 to 1 is below this.
        seed: gives each alarm its number and its place in the storm.
    """

    from_ns: int
    within_ns: int
    for_ns: int
    share: float
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Switched:
    """On or off, and since when."""

    is_on: bool
    time_ns: int


Entry: TypeAlias = Written | Switched | Acknowledgement | Track | Shelved | Dismissed | Forced | Storm


def encode(entry: Entry | None) -> str:
    """An entry as the file keeps it; None is the mark of one that was removed."""
    return json.dumps(_plain(entry))


def _plain(entry: Entry | None) -> dict[str, Any]:
    if entry is None:
        return _REMOVED
    if isinstance(entry, Acknowledgement):
        plain = {"t": entry.time_ns, "m": entry.comment}
        return plain if entry.occurrence_ns == UNTOLD else {**plain, "o": entry.occurrence_ns, "by": list(entry[3:])}
    if isinstance(entry, Switched):
        return {"on": entry.is_on, "t": entry.time_ns}
    if isinstance(entry, Track):
        return {"t": entry.at_ns, "r": entry.run, "p": entry.pending_ns, "v": entry.pending_value}
    if not isinstance(entry, Written):
        return asdict(entry)
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
    except (AttributeError, KeyError, TypeError, ValueError) as error:
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
    ACK: lambda plain: Acknowledgement(
        int(plain.get("o", UNTOLD)), int(plain["t"]), str(plain["m"]), *map(str, plain.get("by", ()))
    ),
    TRACK: lambda plain: Track(int(plain["t"]), Run(*plain["r"]), int(plain["p"]), plain["v"]),
    SHELF: lambda plain: Shelved(**plain),
    DISMISSED: lambda plain: Dismissed(**plain),
    FORCED: lambda plain: Forced(**plain),
    STORM: lambda plain: Storm(**plain),
    SCAN: lambda plain: Switched(bool(plain["on"]), int(plain["t"])),
    ENGINE: lambda plain: Switched(bool(plain["on"]), int(plain["t"])),
}
