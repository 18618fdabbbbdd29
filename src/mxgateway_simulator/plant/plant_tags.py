"""From references to attributes of the plant: each is made once, with its signal, its alarm and what it looks at."""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from mxgateway_contract import failures
from mxgateway_contract import quality as q
from mxgateway_contract.references import WHOLE
from mxgateway_protocol.variants import DataType
from mxgateway_simulator.plant.alarm_rollups import AlarmRollups
from mxgateway_simulator.plant.alarms import Alarm
from mxgateway_simulator.plant.built_in_attributes import built_in
from mxgateway_simulator.plant.entries import Step
from mxgateway_simulator.plant.galaxy_file import AttributeRow, GalaxyFile, GalaxyObject
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.resolver import Found, Resolver
from mxgateway_simulator.plant.signals import QualityWindows, make_signal, seed_of
from mxgateway_simulator.plant.tags import Binding, Tag, Unresolved, state_keys, value_key
from mxgateway_simulator.signal_specs import duration_ns

logger = logging.getLogger(__name__)

_NO_REPOSITORY = Unresolved(failures.NO_REPOSITORY, q.BAD_COMMUNICATION_FAILURE)


class PlantTags:
    """The attributes of a plant that somebody looks at."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._resolver = Resolver(plant.galaxy, plant.switches)
        # Tags live as long as an item, or a signal of another tag, needs them.
        self._tags: WeakValueDictionary[tuple[int, str], Tag] = WeakValueDictionary()
        self._alarms: WeakValueDictionary[str, Alarm] = WeakValueDictionary()
        self._rollups = AlarmRollups(self)
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
            special = built_in(self, self._rollups, tag)
            tag.computed, tag.act = special.computed, special.act
            keys |= special.keys
        tag.keys = frozenset(keys)
        tag.looks_around = bool(sources)
        if sources:
            # Looked up after the tag is known, so that attributes may point at each other.
            self._tags[obj.gobject_id, row.name.casefold()] = tag
            for source in sources:
                if source.tag is not None and source.tag is not tag:
                    tag.keys |= source.tag.keys
        return tag

    def related(self, obj: GalaxyObject, name: str) -> Tag | None:
        """Another attribute, named relative to an object: its own, a contained object's, or any by full reference."""
        for text in (f"{obj.tag_name}.{name}", name):
            found = self._resolver.resolve(text, obj.tag_name)
            if isinstance(found, Found):
                return self._tag(found.object, found.row)
        return None

    def anchor_alarm(self, obj: GalaxyObject, row: AttributeRow) -> Alarm | None:
        """The alarm that an attribute of an alarm extension belongs to."""
        anchor = self.related(obj, row.anchor)
        if anchor is None:
            return None
        alarm = self._alarms.get(anchor.key)
        if alarm is None:
            active = self._plant.galaxy.attribute(obj.package_id, f"{row.anchor}.ActiveAlarmState")
            alarm = self._alarms[anchor.key] = Alarm(
                board=self._plant.board,
                anchor=anchor.key,
                sample=partial(self._plant.sample, anchor),
                steps=partial(self._plant.steps, anchor),
                active=bool(active.value) if active else True,
                owners=self._alarm_owners(obj),
            )
        return alarm

    def _alarm_owners(self, obj: GalaxyObject) -> tuple[str, ...]:
        """Names on the board of the object and of the areas it is in, whose alarm mode counts for its alarms too."""
        names = [obj.tag_name.casefold()]
        area = self._plant.galaxy.object_by_id(obj.area_id)
        while area is not None and area.tag_name.casefold() not in names:
            names.append(area.tag_name.casefold())
            area = self._plant.galaxy.object_by_id(area.area_id)
        return tuple(names)


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
