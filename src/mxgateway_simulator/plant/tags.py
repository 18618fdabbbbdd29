"""Attributes at run time: what a resolved reference points at, and what can be seen of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from mxgateway_contract.status import OK, MxStatus
from mxgateway_protocol.variants import DataType
from mxgateway_simulator.plant.board import Edit
from mxgateway_simulator.plant.entries import ENGINE, SCAN, VALUE, Key
from mxgateway_simulator.plant.galaxy_file import AttributeRow, GalaxyObject
from mxgateway_simulator.plant.signals import AnySignal, QualityWindows, Sampled

_ARRAY = 0x40


class Vtq(NamedTuple):
    """Value, OPC quality and source time as one moment shows them, with the status of reading them."""

    value: Any
    quality: int
    timestamp_ns: int
    status: MxStatus = OK


class Author(NamedTuple):
    """Who writes: an operator and his computer, as far as they are known."""

    user: str = ""
    node: str = ""
    domain: str = ""
    full_name: str = ""


NOBODY = Author()

Act: TypeAlias = Callable[[Edit, Any, int, Author], MxStatus | None]
"""(edit, value, now, author) → why it is refused, or None."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Tag:
    """One attribute of one deployed object.

    Attributes:
        key: full reference in lower case, the attribute's name on the board.
        engine, platform: tag names in lower case of what runs the object; empty for none.
        since_ns: source time of a value that never changed: when the object was deployed.
        computed: for attributes that the object works out itself, in place of signal and configured value.
        act: for attributes whose writing is a command: changes the board in place of storing the value.
        check: why a value is refused, beside type and range; None when it is not.
        before_write: told of a write that is about to be stored.
        keeps_steps: the board remembers its last changes though it is no number.
        keys: entries of the board that change what the tag shows.
        resume_ns: how long a written value stays before the signal goes on; 0 for good.
        looks_around: its signal looks at other attributes.
    """

    object: GalaxyObject
    row: AttributeRow
    reference: str
    engine: str
    platform: str
    since_ns: int
    signal: AnySignal | None = None
    quality: QualityWindows | None = None
    computed: Callable[[int], Sampled] | None = None
    act: Act | None = None
    check: Callable[[Any], MxStatus | None] | None = None
    before_write: Callable[[Edit, int], None] | None = None
    keeps_steps: bool = False
    keys: frozenset[Key] = frozenset()
    enum: Sequence[str] = field(default_factory=tuple)
    resume_ns: int = 0
    looks_around: bool = False
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.reference.casefold()

    @property
    def data_type(self) -> int:
        return self.row.data_type

    @property
    def shape(self) -> int:
        """The type, and whether it is an array, in one number: what a value on the board was written as."""
        return self.row.data_type | _ARRAY if self.row.is_array else self.row.data_type


@dataclass(frozen=True, slots=True)
class Binding:
    """A resolved reference: a tag, and what of it is meant.

    Attributes:
        element: None for a scalar, WHOLE for a whole array, else the 1-based element.
        aspect: lower-case property name; `value` for the attribute itself.
    """

    tag: Tag
    element: int | None = None
    aspect: str = "value"

    @property
    def data_type(self) -> int:
        """The type of what is delivered."""
        if self.aspect in ("value", "buffer"):
            return self.tag.data_type
        return PROPERTY_TYPES.get(self.aspect, DataType.BOOLEAN)


PROPERTY_TYPES = {
    "type": DataType.DATA_TYPE_ENUM,
    "quality": DataType.DATA_QUALITY_TYPE,
    "dimension1": DataType.INTEGER,
    "securityclassification": DataType.SECURITY_CLASSIFICATION_ENUM,
    "locked": DataType.BOOLEAN,
    "category": DataType.INTEGER,
    "time": DataType.TIME,
    "name": DataType.STRING,
}


class Unresolved(NamedTuple):
    """A reference that leads nowhere: what its one callback says."""

    status: MxStatus
    quality: int


def state_keys(obj: GalaxyObject, engine: str, platform: str) -> frozenset[Key]:
    """The board entries that decide whether an object runs."""
    return _state_keys(obj.tag_name.casefold(), engine, platform)


@lru_cache(maxsize=1024)
def _state_keys(tag: str, engine: str, platform: str) -> frozenset[Key]:
    # The attributes of one object share them.
    names = {tag, engine, platform} - {""}
    return frozenset({(SCAN, name) for name in names} | {(ENGINE, name) for name in (engine, platform, tag) if name})


def value_key(key: str) -> Key:
    return (VALUE, key)
