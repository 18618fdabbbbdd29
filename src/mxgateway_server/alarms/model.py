"""What the alarm list is made of: alarms, their states, and the changes between them. Nothing here is ever changed in
place, so that a list can be handed out by its references.

Times are UTC nanoseconds, 0 where they are not known. The numbers of the enums are those of the contract.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple


class State(IntEnum):
    """The state of an alarm as the alarm manager knows it."""

    UNKNOWN = 0
    UNACK_ALM = 1
    ACK_ALM = 2
    UNACK_RTN = 3
    ACK_RTN = 4
    LATCHED = 5

    @property
    def is_listed(self) -> bool:
        """Whether an alarm in this state belongs into the list; one that is not understood does."""
        return self is not State.ACK_RTN

    @property
    def is_active(self) -> bool:
        """InAlarm."""
        return self in (State.UNACK_ALM, State.ACK_ALM)

    @property
    def is_acknowledged(self) -> bool:
        """Acked."""
        return self in (State.ACK_ALM, State.ACK_RTN, State.LATCHED)


class Kind(IntEnum):
    """What happened to an alarm."""

    UNKNOWN = 0
    RAISE = 1
    ACKNOWLEDGE = 2
    CLEAR = 3
    RETRIGGER = 4
    SHELVE = 100
    UNSHELVE = 101
    MODE = 102
    UPDATE = 103
    REMOVE = 104
    LATCH = 105
    DISMISS = 106


class Mode(IntEnum):
    """Most restrictive of the alarm's own mode and those around it; UNKNOWN from providers that do not tell."""

    UNKNOWN = 0
    ENABLED = 1
    SILENCED = 2
    DISABLED = 3


class Origin(IntEnum):
    """Where a change comes from."""

    LIVE = 0
    RECONCILE = 1
    SWITCH = 2
    INFERRED = 3
    RESTART = 4


class Provider(IntEnum):
    """Who speaks: the alarm manager, the watched attributes, or nobody."""

    NONE = 0
    ALARMMGR = 1
    SUBTAG = 2


@lru_cache(maxsize=4096)
def _folded(areas: tuple[str, ...]) -> frozenset[str]:
    """Of areas without case; one for all the alarms of an area."""
    return frozenset(area.casefold() for area in areas)


@dataclass(slots=True, eq=False)
class AlarmSource:
    """What stays the same of an alarm from one occurrence to the next; shared by all versions of the alarm.

    Attributes:
        reference: `Provider!Group.Tag`, as the provider spells it.
        object_reference: object and attribute.
        area: the area that it belongs to.
        area_path: that area and those around it, from the inside out.
        key: the reference without case: what alarms are told apart by.
    """

    reference: str
    provider: str = ""
    group: str = ""
    name: str = ""
    object_reference: str = ""
    type_name: str = ""
    alarm_class: str = ""
    area: str = ""
    area_path: tuple[str, ...] = ()
    key: str = field(init=False)
    folded_areas: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.reference.casefold()
        self.folded_areas = _folded(self.area_path or (self.area,))

    @property
    def folded_object(self) -> str:
        """The object without its attribute and without case. Not kept: few filters ask, and every alarm would pay."""
        return self.object_reference.partition(".")[0].casefold()

    def facts(self) -> tuple[Any, ...]:
        """What makes two sources the same to a reader."""
        return (self.reference, self.object_reference, self.type_name, self.alarm_class, self.area, self.area_path)


@dataclass(slots=True, eq=False)
class Alarm:
    """An alarm at one moment.

    Attributes:
        former_guids: other names under which this occurrence was known.
        priority: 1 (most urgent) to 999.
        raised_ns: start of this occurrence.
        changed_ns: the provider's time of the last change.
        value: the value that the alarm carries, as a serialised MxValue; empty without one.
        limit: the limit, likewise.
        is_degraded: made from watched attributes.
        is_uncertain: the provider that speaks now does not know this alarm: it is the last known state.
        raw_state: the provider's word for a state that is not understood.
        sequence: number of the change that made it so; 0 when it was found so.
        snapshot_bytes: kept here by whoever serialises it.
    """

    source: AlarmSource
    state: State = State.UNACK_ALM
    guid: str = ""
    is_guid_derived: bool = False
    former_guids: tuple[str, ...] = ()
    priority: int = 500
    raised_ns: int = 0
    changed_ns: int = 0
    acknowledged_ns: int = 0
    cleared_ns: int = 0
    operator_user: str = ""
    operator_node: str = ""
    operator_domain: str = ""
    operator_full_name: str = ""
    comment: str = ""
    description: str = ""
    value: bytes = b""
    limit: bytes = b""
    mode: Mode = Mode.UNKNOWN
    is_shelved: bool = False
    shelved_until_ns: int = 0
    shelve_user: str = ""
    shelve_node: str = ""
    shelve_reason: str = ""
    is_degraded: bool = False
    provider_mode: Provider = Provider.ALARMMGR
    is_uncertain: bool = False
    raw_state: str = ""
    sequence: int = 0
    snapshot_bytes: bytes = b""

    def having(self, **changed: Any) -> Alarm:
        """The same with other values."""
        copy = Alarm(*_kept_of_alarm(self))
        for name, value in changed.items():
            setattr(copy, name, value)
        return copy

    @property
    def key(self) -> str:
        return self.source.key

    @property
    def all_guids(self) -> tuple[str, ...]:
        """Every name of this occurrence, the present one first."""
        return (self.guid, *self.former_guids) if self.guid else self.former_guids

    def cost(self) -> int:
        """About how many bytes it takes, for bounds."""
        source = self.source
        return (
            (_FIXED_COST + len(source.reference) + len(source.object_reference) + len(source.type_name))
            + (len(self.guid) + len(self.operator_user) + len(self.comment) + len(self.description))
            + (len(self.shelve_reason) + len(self.operator_full_name) + len(self.value) + len(self.limit))
        )


# All but the last, the bytes, which are those of one version.
_kept_of_alarm = attrgetter(*(each.name for each in fields(Alarm)[:-1]))
_FIXED_COST = 300
_CHANGE_COST = 400


@dataclass(slots=True, eq=False)
class Change:
    """One numbered change of the list.

    Attributes:
        alarm: as it is after the change; when it left the list, its last state.
        before: as it was; None when it was not in the list, or when that is not known any more.
        is_listed: whether it is in the list after the change.
        is_before_known: False for a change out of the history: whether it was in the list then is not kept.
        received_ns: when the gateway learned of it.
        transition_bytes: kept here by whoever serialises it.
    """

    sequence: int
    kind: Kind
    origin: Origin
    alarm: Alarm
    before: Alarm | None
    is_listed: bool
    received_ns: int = 0
    is_before_known: bool = True
    transition_bytes: bytes = b""
    _cost: int = field(default=0, init=False)

    def cost(self) -> int:
        """About how many bytes of memory it takes, with its bytes."""
        # Asked for as it comes, as it goes, and for each portion that it is in.
        if not self._cost:
            self._cost = _CHANGE_COST + self.alarm.cost()
        return self._cost

    def size(self) -> int:
        """About how many bytes it is when it is told."""
        return self.cost() - _CHANGE_COST


class Report(NamedTuple):
    """What the worker's provider says has happened.

    Attributes:
        kind: as the provider sees it.
        alarm: as it is after that.
    """

    kind: Kind
    alarm: Alarm
    origin: Origin = Origin.LIVE


@dataclass(slots=True, frozen=True, kw_only=True)
class Snapshot:
    """The whole list as the worker has it.

    Attributes:
        alarms: those in the list.
        provider: whose list it is.
        as_of: the worker's events up to this number are in it, and no later one.
        is_truncated: more alarms exist: none that is missing has ended.
        watched: keys of the alarms that are watched by attributes; None when every alarm is known.
        returned_are_visible: whether the provider tells returned alarms from those at rest.
    """

    alarms: tuple[Alarm, ...]
    provider: Provider = Provider.ALARMMGR
    as_of: int = 0
    is_truncated: bool = False
    watched: frozenset[str] | None = None
    returned_are_visible: bool = True

    def knows(self, alarm: Alarm) -> bool:
        """Whether the absence of this alarm says that it is over."""
        if self.is_truncated or self.provider is Provider.NONE:
            return False
        if self.watched is not None and alarm.key not in self.watched:
            return False
        if self.provider is Provider.SUBTAG and alarm.state is State.LATCHED:
            # To its attributes it is at rest.
            return False
        return self.returned_are_visible or alarm.state.is_active
