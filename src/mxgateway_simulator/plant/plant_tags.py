"""From references to attributes of the plant: each is made once, with its signal, its alarm and what it looks at."""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from mxgateway_contract import failures
from mxgateway_contract import quality as q
from mxgateway_contract.references import WHOLE
from mxgateway_protocol.variants import DataType
from mxgateway_simulator.plant.alarms.alarm import Alarm
from mxgateway_simulator.plant.alarms.counts import severity_borders
from mxgateway_simulator.plant.alarms.kinds import AlarmKind
from mxgateway_simulator.plant.alarms.making import AlarmMaker
from mxgateway_simulator.plant.alarms.owners import MODE_NAMES, Owner
from mxgateway_simulator.plant.alarms.rollups import AlarmRollups
from mxgateway_simulator.plant.alarms.states import Mode
from mxgateway_simulator.plant.alarms.table import AlarmTable, uncollected
from mxgateway_simulator.plant.board import Edit
from mxgateway_simulator.plant.built_in_attributes import built_in
from mxgateway_simulator.plant.entries import Key, Step, Written
from mxgateway_simulator.plant.galaxy_file import AttributeRow, GalaxyFile, GalaxyObject
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.resolver import Found, Resolver
from mxgateway_simulator.plant.signals import NEVER, QualityWindows, Sampled, make_signal, seed_of
from mxgateway_simulator.plant.tags import Binding, Tag, Unresolved, state_keys, value_key
from mxgateway_simulator.signal_specs import duration_ns

logger = logging.getLogger(__name__)

_MOST_ANCHORS = 1000
_NO_REPOSITORY = Unresolved(failures.NO_REPOSITORY, q.BAD_COMMUNICATION_FAILURE)


class PlantTags:
    """The attributes of a plant that somebody looks at."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._resolver = Resolver(plant.galaxy, plant.switches)
        # Tags live as long as an item, or a signal of another tag, needs them.
        self._tags: WeakValueDictionary[tuple[int, str], Tag] = WeakValueDictionary()
        self._alarms: WeakValueDictionary[str, Alarm] = WeakValueDictionary()
        self._maker = AlarmMaker(plant, self._resolver, self)
        self._rollups = AlarmRollups(self)
        self._anchors: dict[int, frozenset[str]] = {}
        self._table: AlarmTable | None = None
        self._borders = severity_borders(plant.galaxy.settings)
        self._deployed_ns = _deployed_ns(plant.galaxy)

    @property
    def plant(self) -> Plant:
        return self._plant

    def resolve(self, reference: str, context: str = "") -> Binding | Unresolved:
        """What a reference stands for now."""
        try:
            found = self._resolver.resolve(reference, context)
        except sqlite3.Error:
            logger.exception("the Galaxy database cannot be read path=%s", self._plant.galaxy.path)
            return _NO_REPOSITORY
        if isinstance(found, Unresolved):
            return found
        binding = Binding(self._tag(found.object, found.row), found.index, found.property)
        if found.index is not None and found.index != WHOLE and found.index > len(self._plant.array(binding.tag)):
            return Unresolved(failures.WRONG_INDEX, q.BAD_CONFIGURATION_ERROR)
        return binding

    def galaxy_changed(self) -> None:
        """Forgets what was resolved: objects may have been deployed or undeployed."""
        self._plant.galaxy.forget()
        self._tags.clear()
        self._alarms.clear()
        self._rollups.clear()
        self._maker.clear()
        self._resolver.forget()
        self._anchors.clear()
        self._table = None
        self._deployed_ns = _deployed_ns(self._plant.galaxy)

    def _tag(self, obj: GalaxyObject, row: AttributeRow) -> Tag:
        key = (obj.gobject_id, row.name.casefold())
        tag = self._tags.get(key)
        if tag is None:
            tag = self._tags[key] = self._make_tag(obj, row)
        return tag

    def _make_tag(self, obj: GalaxyObject, row: AttributeRow) -> Tag:
        engine, platform = self._resolver.hosts(obj)
        tag = Tag(
            object=obj,
            row=row,
            reference=f"{obj.tag_name}.{row.name}",
            engine=engine.tag_name.casefold() if engine else "",
            platform=platform.tag_name.casefold() if platform else "",
            since_ns=self._deployed_ns,
            enum=tuple(row.behaviour.get("enum", ())),
        )
        seed = seed_of(tag.reference)
        sources: list[_TagSource] = []

        def source_of(name: str) -> _TagSource:
            source = _TagSource(self, obj, name)
            sources.append(source)
            return source

        spec = row.behaviour.get("signal")
        if spec:
            elements = len(row.value) if row.is_array else 0
            tag.signal = make_signal(spec, seed, _converter(row), source_of, elements)
            resume = spec.get("resume")
            tag.resume_ns = self._plant.switches.signal_resume_ms * 10**6 if resume is None else duration_ns(resume)
        if row.behaviour.get("quality"):
            tag.quality = QualityWindows(row.behaviour["quality"], seed)
        keys = {value_key(tag.key), *state_keys(obj, tag.engine, tag.platform)}
        if not row.is_user:
            special = built_in(self, tag)
            tag.computed, tag.act, tag.check = special.computed, special.act, special.check
            tag.keeps_steps = special.keeps_steps
            tag.enum = special.enum or tag.enum
            keys |= special.keys
        elif self._bears_alarms(obj, row.name):
            tag.before_write = partial(self._before_write, obj, row.name)
        tag.keys = frozenset(keys)
        tag.looks_around = bool(sources)
        if sources:
            # Looked up after the tag is known, so that attributes may point at each other.
            self._tags[obj.gobject_id, row.name.casefold()] = tag
            for source in sources:
                if source.tag is not None and source.tag is not tag:
                    tag.keys |= source.tag.keys
        return tag

    def _bears_alarms(self, obj: GalaxyObject, name: str) -> bool:
        package, anchors = obj.package_id, self._anchors
        if package not in anchors:
            if len(anchors) >= _MOST_ANCHORS:
                anchors.clear()
            found = self._plant.galaxy.alarm_anchors(package)
            anchors[package] = frozenset(anchor.casefold() for anchor, _ in found)
        return name.casefold() in anchors[package]

    def related(self, obj: GalaxyObject, name: str) -> Tag | None:
        """Another attribute, named relative to an object: its own, a contained object's, or any by full reference."""
        for text in (f"{obj.tag_name}.{name}", name):
            found = self._resolver.resolve(text, obj.tag_name)
            if isinstance(found, Found):
                return self._tag(found.object, found.row)
        return None

    # ----------------------------------------------------------------------------------------------------------- alarms

    @property
    def rollups(self) -> AlarmRollups:
        return self._rollups

    @property
    def mode_names(self) -> Sequence[str]:
        return ("", *MODE_NAMES) if self._maker.owners.first_mode else MODE_NAMES

    @property
    def plant_states(self) -> Mapping[str, Mode]:
        return self._maker.owners.states

    def owner_of(self, obj: GalaxyObject) -> Owner:
        """An object as it bears on the modes of alarms."""
        return self._maker.owners.of(obj)

    def mode_sampled(self, mode: Mode, tag: Tag, keys: frozenset[Key], t_ns: int) -> Sampled:
        """A mode as an attribute shows it, with the time of the last write that can have changed it."""
        entries = (self._plant.board.get(kind, name) for kind, name in keys)
        times = [entry.written_ns for entry in entries if isinstance(entry, Written)]
        return Sampled(mode + self._maker.owners.first_mode, min(t_ns, max([tag.since_ns, *times])), NEVER)

    def alarm_of(self, obj: GalaxyObject, anchor: str, kind: AlarmKind) -> Alarm | None:
        """The alarm of a kind on an attribute; None where it is not turned on."""
        if not any(each is kind for each in self._maker.kinds(obj, anchor, kind.extension)):
            return None
        row = self._plant.galaxy.shaped_attribute(obj.package_id, anchor)
        return None if row is None else self._alarm(self._tag(obj, row), kind)

    def _alarm(self, tag: Tag, kind: AlarmKind) -> Alarm:
        key = f"{tag.key}.{kind.suffix.casefold()}" if kind.suffix else tag.key
        alarm = self._alarms.get(key)
        if alarm is None:
            alarm = self._alarms[key] = self._maker.make(tag, kind)
        return alarm

    def _alarms_of(self, obj: GalaxyObject) -> Iterator[Alarm]:
        """The alarms of one object."""
        for anchor, extension in self._plant.galaxy.alarm_anchors(obj.package_id):
            yield from self._anchored(obj, anchor, extension)

    def _anchored(self, obj: GalaxyObject, anchor: str, extension: str) -> Iterator[Alarm]:
        row = self._plant.galaxy.shaped_attribute(obj.package_id, anchor)
        if row is None:
            return
        kinds = self._maker.kinds(obj, row.name, extension)
        if kinds:
            tag = self._tag(obj, row)
            for kind in kinds:
                yield self._alarm(tag, kind)

    def object_table(self, obj: GalaxyObject) -> AlarmTable:
        """The alarms of an object and of what it contains."""
        found: list[Alarm] = []
        waiting = [obj]
        while waiting:
            current = waiting.pop()
            found += self._alarms_of(current)
            waiting += self._plant.galaxy.contained_objects(current.gobject_id)
        return AlarmTable(self._plant.board, found, self._borders)

    def alarm_table(self) -> AlarmTable:
        """The alarms of the whole Galaxy; made when it is first needed."""
        if self._table is None:
            found = self._plant.galaxy.all_alarm_anchors()
            with uncollected():
                alarms = [alarm for place in found for alarm in self._anchored(*place)]
            self._table = AlarmTable(self._plant.board, alarms, self._borders)
        return self._table

    def _before_write(self, obj: GalaxyObject, name: str, edit: Edit, now_ns: int) -> None:
        """Lets the alarms of an attribute keep what a write makes unknown."""
        for anchor, extension in self._plant.galaxy.alarm_anchors(obj.package_id):
            if anchor.casefold() == name.casefold():
                for alarm in self._anchored(obj, anchor, extension):
                    alarm.condition.before_write(edit, now_ns)


class _TagSource:
    """Another attribute as a signal sees it; looked up when first needed."""

    def __init__(self, tags: PlantTags, obj: GalaxyObject, name: str) -> None:
        self._tags = tags
        self._object = obj
        self._name = name
        self._tag: Tag | None = None
        self._has_looked = False
        self._busy = False

    @property
    def tag(self) -> Tag | None:
        if not self._has_looked:
            self._has_looked = True
            self._tag = self._tags.related(self._object, self._name)
        return self._tag

    def value_at(self, t_ns: int) -> Any:
        if self.tag is None or self._busy:  # An attribute that follows itself shows 0 rather than no end.
            return 0
        self._busy = True
        try:
            return self._tags.plant.value_at(self.tag, t_ns)
        finally:
            self._busy = False

    def steps(self, t_ns: int) -> Sequence[Step]:
        return self._tags.plant.steps(self.tag, t_ns) if self.tag is not None else ()


def _converter(row: AttributeRow) -> Callable[[Any], Any]:
    """Makes the attribute's type of what a signal gives."""
    kind = row.data_type
    if kind == DataType.BOOLEAN:
        return bool
    if kind in (DataType.FLOAT, DataType.DOUBLE, DataType.ELAPSED_TIME):
        decimals = row.behaviour.get("decimals", 4)
        # Rounding leaves a whole number as it is, and costs more than the rest of a counter's step.
        return lambda value: float(value) if type(value) is int else round(float(value), decimals)
    if kind in (DataType.STRING, DataType.BIG_STRING, DataType.INTERNATIONALIZED_STRING, DataType.REFERENCE_TYPE):
        return str
    if kind == DataType.TIME:
        return int
    return _whole


def _whole(value: float) -> int:
    # What a signal works out of written values can leave all bounds.
    if not math.isfinite(value):
        return 0
    return max(-(1 << 31), min((1 << 31) - 1, round(value)))


def _deployed_ns(galaxy: GalaxyFile) -> int:
    if not galaxy.last_deploy:
        return 0
    moment = datetime.fromisoformat(str(galaxy.last_deploy)).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9
