"""A plant with alarms, and a worker that tells of it with every fault that a worker has: the truth of the alarm tests.

Nothing here knows the monitor's rules: what an alarm is, and which change follows on which, is told once more, in the
plant's own words.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field, replace

from mxgateway_server.alarms.model import Alarm, AlarmSource, Kind, Mode, Origin, Provider, Report, Snapshot, State

SECOND = 1_000_000_000
AREAS = {"Mixing": ("Mixing", "Hall1", "Plant"), "Packing": ("Packing", "Hall2", "Plant"), "Boiler": ("Boiler",)}
CLASSES = ("DSC", "VALUE", "DEV")

# The vendor's diagram: event and state to the state after it and what that is called; "" is at rest.
MACHINE: dict[tuple[str, str], tuple[str, Kind]] = {
    ("on", ""): ("UNACK_ALM", Kind.RAISE),
    ("ack", "UNACK_ALM"): ("ACK_ALM", Kind.ACKNOWLEDGE),
    ("off", "UNACK_ALM"): ("UNACK_RTN", Kind.CLEAR),
    ("off", "ACK_ALM"): ("", Kind.CLEAR),
    ("ack", "UNACK_RTN"): ("", Kind.ACKNOWLEDGE),
    ("on", "UNACK_RTN"): ("UNACK_ALM", Kind.RETRIGGER),
    ("latch", "ACK_ALM"): ("LATCHED", Kind.LATCH),
    ("dismiss", "LATCHED"): ("", Kind.DISMISS),
    ("on", "LATCHED"): ("UNACK_ALM", Kind.RAISE),
    **{("remove", state): ("", Kind.REMOVE) for state in ("UNACK_ALM", "ACK_ALM", "UNACK_RTN", "LATCHED")},
}
QUIET = ("shelve", "unshelve", "silence", "enable", "priority", "text")


@dataclass(frozen=True)
class Facts:
    """What a reader may rely on, of one alarm in the list."""

    reference: str
    state: str
    priority: int
    is_shelved: bool
    mode: int
    description: str


@dataclass
class PlantAlarm:
    """One alarm of the plant."""

    source: AlarmSource
    state: str = ""
    priority: int = 500
    raised_ns: int = 0
    changed_ns: int = 0
    acknowledged_ns: int = 0
    operator: str = ""
    occurrence: int = 0
    is_shelved: bool = False
    mode: Mode = Mode.ENABLED
    description: str = "something is wrong"

    def facts(self) -> Facts:
        return Facts(
            self.source.reference,
            self.state,
            self.priority,
            self.is_shelved,
            int(self.mode),
            self.description,
        )


@dataclass(frozen=True)
class Happening:
    """A change as the plant knows it."""

    reference: str
    kind: Kind
    state: str


class Plant:
    """Alarms that come and go."""

    def __init__(self, size: int) -> None:
        self.now_ns = 1_750_000_000 * SECOND
        self.history: list[Happening] = []
        self.guid_salt = 0
        self.alarms: list[PlantAlarm] = []
        areas = list(AREAS)
        for number in range(size):
            area = areas[number % len(areas)]
            tag = f"Machine_{number:03}.Alarm{number % 3}.Hi" if number % 4 == 0 else f"Machine_{number:03}.Alarm"
            source = AlarmSource(
                reference=f"Galaxy!{area}.{tag}",
                provider="Galaxy",
                group=area,
                name=tag,
                object_reference=tag,
                type_name="DSC",
                alarm_class=CLASSES[number % len(CLASSES)],
                area=area,
                area_path=AREAS[area],
            )
            self.alarms.append(PlantAlarm(source, priority=1 + number * 37 % 999))

    def listed(self) -> dict[str, Facts]:
        return {each.source.key: each.facts() for each in self.alarms if each.state}

    def step(self, chance: random.Random) -> tuple[PlantAlarm, Kind] | None:
        """Something happens to an alarm, if anything can."""
        self.now_ns += chance.choice((SECOND // 1000, SECOND // 2, 3 * SECOND, 40 * SECOND))
        for _ in range(10):
            alarm = chance.choice(self.alarms)
            event = chance.choice(("on", "on", "on", "off", "off", "ack", "ack", "latch", "dismiss", "remove", *QUIET))
            happened = self.happen(alarm, event, chance)
            if happened is not None:
                return happened
        return None

    def happen(self, alarm: PlantAlarm, event: str, chance: random.Random) -> tuple[PlantAlarm, Kind] | None:
        kind = self._quiet(alarm, event, chance) if event in QUIET else self._move(alarm, event)
        if kind is None:
            return None
        alarm.changed_ns = self.now_ns
        self.history.append(Happening(alarm.source.reference, kind, alarm.state))
        return alarm, kind

    def _move(self, alarm: PlantAlarm, event: str) -> Kind | None:
        found = MACHINE.get((event, alarm.state))
        if found is None:
            return None
        alarm.state, kind = found
        if event == "on":
            alarm.occurrence += 1
            alarm.raised_ns, alarm.acknowledged_ns, alarm.operator = self.now_ns, 0, ""
        elif event == "ack":
            alarm.acknowledged_ns, alarm.operator = self.now_ns, "anna"
        return kind

    def _quiet(self, alarm: PlantAlarm, event: str, chance: random.Random) -> Kind | None:
        if not alarm.state:
            return None
        if event in ("shelve", "unshelve"):
            if alarm.is_shelved == (event == "shelve"):
                return None
            alarm.is_shelved = event == "shelve"
            return Kind.SHELVE if alarm.is_shelved else Kind.UNSHELVE
        if event in ("silence", "enable"):
            mode = Mode.SILENCED if event == "silence" else Mode.ENABLED
            if alarm.mode is mode:
                return None
            alarm.mode = mode
            return Kind.MODE
        if event == "priority":
            before, alarm.priority = alarm.priority, chance.randrange(1, 1000)
            return Kind.UPDATE if alarm.priority != before else None
        before_text, alarm.description = alarm.description, chance.choice(("pump", "valve", "motor"))
        return Kind.UPDATE if alarm.description != before_text else None


def told_by_manager(plant: Plant, alarm: PlantAlarm) -> Alarm:
    """An alarm as the alarm manager tells it."""
    return Alarm(
        alarm.source,
        State[alarm.state] if alarm.state else State.ACK_RTN,
        guid=f"{plant.guid_salt:08x}-{alarm.occurrence:04x}-{plant.alarms.index(alarm):04x}-0000-000000000000",
        priority=alarm.priority,
        raised_ns=alarm.raised_ns,
        changed_ns=alarm.changed_ns,
        acknowledged_ns=alarm.acknowledged_ns,
        operator_user=alarm.operator,
        description=alarm.description,
        mode=alarm.mode,
        is_shelved=alarm.is_shelved,
    )


def told_by_attributes(plant: Plant, alarm: PlantAlarm) -> Alarm:
    """The same alarm as its attributes tell it: no texts, no modes, a GUID made from the start."""
    return Alarm(
        alarm.source,
        State[alarm.state] if alarm.state else State.ACK_RTN,
        guid=f"{plant.alarms.index(alarm):08x}-{alarm.occurrence:04x}-ffff-0000-000000000000",
        is_guid_derived=True,
        priority=alarm.priority,
        raised_ns=alarm.raised_ns + 300_000_000 if alarm.raised_ns else 0,
        changed_ns=alarm.changed_ns,
        acknowledged_ns=alarm.acknowledged_ns,
        provider_mode=Provider.SUBTAG,
        is_degraded=True,
    )


@dataclass
class Worker:
    """A worker of the monitor: it sees every change of the plant while its provider speaks, and tells of them late."""

    plant: Plant
    provider: Provider = Provider.ALARMMGR
    watched: frozenset[str] = frozenset()
    number: int = 0
    on_the_way: deque[tuple[int, Report | None]] = field(default_factory=deque)
    known: dict[str, Alarm] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        """Reads the plant anew, telling nothing of it."""
        self.known = {alarm.key: alarm for alarm in self._all()}

    def _all(self) -> list[Alarm]:
        found = [self.tell(each) for each in self.plant.alarms if each.state]
        return [alarm for alarm in found if alarm is not None]

    def tell(self, alarm: PlantAlarm) -> Alarm | None:
        if self.provider is Provider.SUBTAG:
            is_seen = alarm.source.key in self.watched and alarm.state != "LATCHED"
            return told_by_attributes(self.plant, alarm) if is_seen else None
        return told_by_manager(self.plant, alarm)

    def saw(self, alarm: PlantAlarm, kind: Kind) -> None:
        """A change of the plant."""
        if self.provider is Provider.NONE:
            return
        told = self.tell(alarm)
        if told is None:
            return
        if self.provider is Provider.SUBTAG:
            if kind >= Kind.SHELVE and kind is not Kind.UPDATE:
                return
            if kind is Kind.UPDATE and alarm.priority == getattr(self.known.get(alarm.source.key), "priority", None):
                return
        if alarm.state:
            self.known[told.key] = told
        else:
            self.known.pop(told.key, None)
        self._send(Report(kind, told))

    def switch(self, provider: Provider) -> None:
        """Another provider speaks; the event of that is one of the worker's."""
        self.provider = provider
        self.look()
        self._send(None)

    def _send(self, report: Report | None) -> None:
        self.number += 1
        self.on_the_way.append((self.number, report))

    def snapshot(self, *, is_truncated: bool = False) -> Snapshot:
        alarms = self._all()
        if is_truncated:
            alarms = alarms[: len(alarms) // 2]
        return Snapshot(
            alarms=tuple(replace(alarm) for alarm in alarms),
            provider=self.provider,
            as_of=self.number,
            is_truncated=is_truncated,
            watched=self.watched if self.provider is Provider.SUBTAG else None,
        )


ORIGINS_OF_FAULTS = frozenset({Origin.RECONCILE, Origin.SWITCH, Origin.RESTART, Origin.INFERRED})
