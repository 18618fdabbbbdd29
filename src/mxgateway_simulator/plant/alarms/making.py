"""Makes the alarms of attributes: which there are, and what each looks at."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol
from weakref import WeakValueDictionary

from mxgateway_simulator.plant.alarms.alarm import Alarm, Plantwide
from mxgateway_simulator.plant.alarms.conditions import Condition
from mxgateway_simulator.plant.alarms.kinds import KINDS, AlarmKind, Test
from mxgateway_simulator.plant.alarms.operators import operators_of
from mxgateway_simulator.plant.alarms.owners import Owner, Owners
from mxgateway_simulator.plant.alarms.settings import Setting
from mxgateway_simulator.plant.alarms.sources import AnchorSource
from mxgateway_simulator.plant.alarms.states import Rules
from mxgateway_simulator.plant.galaxy_file import GalaxyObject
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.resolver import Resolver
from mxgateway_simulator.plant.tags import Tag

_ROLES: Mapping[Test, Mapping[str, str]] = {
    Test.DISCRETE: {"active": "ActiveAlarmState", "delay": "Alarm.TimeDeadband"},
    Test.ABOVE: {"deadband": "LevelAlarm.ValueDeadband", "delay": "LevelAlarm.TimeDeadband"},
    Test.BELOW: {"deadband": "LevelAlarm.ValueDeadband", "delay": "LevelAlarm.TimeDeadband"},
    Test.RISING: {"period": "Roc.EvalPeriod", "units": "Roc.Rate.Units"},
    Test.FALLING: {"period": "Roc.EvalPeriod", "units": "Roc.Rate.Units"},
    Test.DEVIATION: {"target": "Dev.Target", "deadband": "Dev.Deadband", "settling": "Dev.SettlingPeriod"},
    Test.BAD: {},
}
"""What each kind looks at beside its own limit: by role, the attribute's name below the anchor."""


class TagFinder(Protocol):
    """What alarms need of all other attributes."""

    def related(self, obj: GalaxyObject, name: str) -> Tag | None:
        """Another attribute, named relative to an object."""


class AlarmMaker:
    """Makes alarms, from the Galaxy as it is deployed."""

    def __init__(self, plant: Plant, resolver: Resolver, tags: TagFinder) -> None:
        self._plant = plant
        self._tags = tags
        self.owners = Owners(plant.galaxy, resolver, plant.switches)
        self.plantwide = Plantwide(
            board=plant.board,
            switches=plant.switches,
            rules=_rules(plant),
            operators=operators_of(plant.galaxy.settings),
            identity=uuid.uuid5(uuid.NAMESPACE_OID, plant.galaxy.settings.get("build_id", "")),
        )
        latched = (name[8:] for name in plant.galaxy.settings if name.startswith("latched."))
        self._sources: WeakValueDictionary[str, AnchorSource] = WeakValueDictionary()
        self._latched = frozenset(name.casefold() for name in latched)

    def clear(self) -> None:
        """Forgets what it knows of the Galaxy, as after a deployment."""
        self.owners.clear()
        self._sources.clear()

    def kinds(self, obj: GalaxyObject, anchor: str, extension: str) -> list[AlarmKind]:
        """The alarms that an extension brings to an attribute: those that are turned on."""
        found = []
        for kind in KINDS.get(extension, ()):
            switches = [f"{anchor}.{kind.switch}"] if kind.switch else []
            if kind.suffix:
                switches.append(f"{anchor}.{kind.suffix}.Alarmed")
            if all(self._configured(obj, name) for name in switches):
                found.append(kind)
        return found

    def make(self, tag: Tag, kind: AlarmKind) -> Alarm:
        """The alarm of a kind on an attribute."""
        obj, anchor = tag.object, tag.row.name
        owner = self.owners.of(obj)
        reference = f"{tag.reference}.{kind.suffix}" if kind.suffix else tag.reference
        key = reference.casefold()
        prefix = f"{anchor}.{kind.suffix}." if kind.suffix else f"{anchor}."
        areas = tuple(each.name for each in owner.areas)
        condition = Condition(
            board=self._plant.board,
            switches=self._plant.switches,
            key=key,
            kind=kind,
            source=self._source(tag),
            settings=self._settings(obj, tag, kind),
            places=("", *areas),
        )
        return Alarm(
            plantwide=self.plantwide,
            reference=reference,
            kind=kind,
            condition=condition,
            owner=owner,
            mode=self.owners.setting(obj, key, prefix),
            setting=partial(self._own_setting, obj, prefix),
            describe=partial(self._description, obj, anchor, prefix),
            latches=self.plantwide.rules.latches or any(area in self._latched for area in areas),
        )

    def _source(self, tag: Tag) -> AnchorSource:
        source = self._sources.get(tag.key)
        if source is None or source.tag is not tag:
            source = self._sources[tag.key] = AnchorSource(self._plant, tag)
        return source

    def _settings(self, obj: GalaxyObject, tag: Tag, kind: AlarmKind) -> dict[str, Setting]:
        roles = dict(_ROLES[kind.test])
        if kind.bound:
            roles["limit"] = kind.bound
        anchor = tag.row.name
        found = {}
        for role, name in roles.items():
            value = self._configured(obj, f"{anchor}.{name}")
            if value is not None:
                found[role] = Setting(f"{tag.key}.{name.casefold()}", value)
        if kind.test is Test.DISCRETE:
            found.setdefault("active", Setting(f"{tag.key}.activealarmstate", True))
        return found

    def _configured(self, obj: GalaxyObject, name: str) -> Any:
        return self._plant.galaxy.configured(obj.package_id, name)

    def _own_setting(self, obj: GalaxyObject, prefix: str, name: str) -> Any:
        return self._configured(obj, f"{prefix}{name}")

    def _text(self, obj: GalaxyObject, name: str) -> str:
        """What an attribute of the object holds, as text."""
        written = self._plant.board.written(f"{obj.tag_name}.{name}".casefold())
        value = written.value if written is not None else self._configured(obj, name)
        return "" if value is None else str(value)

    def _description(self, obj: GalaxyObject, anchor: str, prefix: str) -> str:
        """The text of DescAttrName, or what it says itself when it leads nowhere; else what the object is."""
        reference = self._text(obj, f"{prefix}DescAttrName")
        if reference:
            tag = self._tags.related(obj, reference)
            if tag is None:
                return reference
            written = self._plant.written(tag)
            return str(written.value if written is not None else tag.row.value)
        names = (f"{anchor}.Msg", "ShortDesc", f"{anchor}.Description")
        return next((text for name in names if (text := self._text(obj, name))), "")


def _rules(plant: Plant) -> Rules:
    switches = plant.switches
    return Rules(
        latches=switches.alarm_latching,
        acked_when_disabled=switches.acked_when_disabled == "true",
        keeps_start=switches.alarm_on_enable == "old_time",
    )


def area_of(owner: Owner) -> Owner | None:
    """The area that an object's alarms are grouped under: an area's own are under itself."""
    return next(iter(owner.areas), None)
