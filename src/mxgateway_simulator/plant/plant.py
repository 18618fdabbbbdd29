"""The plant that all sessions share: what a reference shows at a moment, and what a write to it does.

It holds no clock: whoever asks says what time it is. What is not on the board is a function of tag and time.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from mxgateway_contract.status import OK, Category, Detail, MxStatus, Source
from mxgateway_protocol import quality as q
from mxgateway_protocol.variants import DataType
from mxgateway_simulator.plant.alarm_rollups import AlarmRollup, alarms_below
from mxgateway_simulator.plant.alarms import Alarm
from mxgateway_simulator.plant.board import ENGINE, SCAN, VALUE, Board, Edit
from mxgateway_simulator.plant.built_in_attributes import built_in
from mxgateway_simulator.plant.galaxy_file import AttributeRow, GalaxyFile, GalaxyObject
from mxgateway_simulator.plant.resolver import Found, Resolver
from mxgateway_simulator.plant.signals import NEVER, QualityWindows, Sampled, make_signal, seed_of
from mxgateway_simulator.plant.tags import Binding, Tag, Unresolved, Vtq, failure, state_keys, value_key
from mxgateway_simulator.references import WHOLE
from mxgateway_simulator.switches import Switches

logger = logging.getLogger(__name__)

_MOST_ROLLUPS = 64
STEPS_KEPT = 8
"""How many writes of a number the board remembers, for attributes that follow it with a lag."""

_NO_REPOSITORY = Unresolved(
    failure(Category.COMMUNICATION_ERROR, Source.REQUESTING_LMX, Detail.NO_GALAXY_REPOSITORY),
    q.BAD_COMMUNICATION_FAILURE,
)
_NO_ELEMENT = failure(Category.CONFIGURATION_ERROR, Source.RESPONDING_LMX, Detail.INDEX_OUT_OF_RANGE)
_NO_WHOLE_STRUCT = failure(
    Category.CONFIGURATION_ERROR, Source.RESPONDING_AUTOMATION_OBJECT, Detail.CONVERSION_NOT_SUPPORTED
)


class Plant:
    def __init__(self, galaxy: GalaxyFile, board: Board, switches: Switches) -> None:
        self.galaxy = galaxy
        self.board = board
        self.switches = switches
        self.resolver = Resolver(galaxy, switches)
        # Tags live as long as an item, or a signal of another tag, needs them.
        self._tags: WeakValueDictionary[tuple[int, str], Tag] = WeakValueDictionary()
        self._alarms: WeakValueDictionary[str, Alarm] = WeakValueDictionary()
        self._rollups: dict[int, AlarmRollup | None] = {}
        self._deployed_ns = _deployed_ns(galaxy)
        self._initializing_ns = switches.initializing_ms * 10**6

    # References.

    def resolve(self, reference: str, context: str = "") -> Binding | Unresolved:
        """What a reference stands for now."""
        try:
            found = self.resolver.resolve(reference, context)
        except sqlite3.Error:
            logger.exception("the Galaxy database cannot be read path=%s", self.galaxy.path)
            return _NO_REPOSITORY
        if isinstance(found, Unresolved):
            return found
        binding = Binding(self._tag(found.object, found.row), found.index, found.property)
        if found.index is not None and found.index != WHOLE and found.index > len(self._array(binding.tag)):
            return Unresolved(_NO_ELEMENT, q.BAD_CONFIGURATION_ERROR)
        return binding

    def galaxy_changed(self) -> None:
        """Forgets what was resolved: objects may have been deployed or undeployed."""
        self.galaxy.forget()
        self._tags.clear()
        self._alarms.clear()
        self._rollups.clear()
        self._deployed_ns = _deployed_ns(self.galaxy)

    def _held(self, tag: Tag) -> Any:
        """What was written to an attribute, or None; not what was written while it was of another type."""
        held = self.board.get(VALUE, tag.key)
        return held if held is None or held.get("s", tag.shape) == tag.shape else None

    def _array(self, tag: Tag) -> tuple[Any, ...]:
        held = self._held(tag)
        return tuple(held["v"] if held else tag.row.value)

    def _tag(self, obj: GalaxyObject, row: AttributeRow) -> Tag:
        key = (obj.gobject_id, row.name.casefold())
        tag = self._tags.get(key)
        if tag is None:
            tag = self._tags[key] = self._make_tag(obj, row)
        return tag

    def _make_tag(self, obj: GalaxyObject, row: AttributeRow) -> Tag:
        engine, platform = self.resolver.hosts(obj)
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
        if row.behaviour.get("quality"):
            tag.quality = QualityWindows(row.behaviour["quality"], seed)
        keys = {value_key(tag.key), *state_keys(obj, tag.engine, tag.platform)}
        if not row.is_user:
            special = built_in(self, tag)
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
            found = self.resolver.resolve(text, obj.tag_name)
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
            active = self.galaxy.attribute(obj.package_id, f"{row.anchor}.ActiveAlarmState")
            alarm = self._alarms[anchor.key] = Alarm(
                self.board,
                anchor.key,
                partial(self.sample, anchor),
                partial(self.steps, anchor),
                bool(active.value) if active else True,
                self._alarm_owners(obj),
            )
        return alarm

    def _alarm_owners(self, obj: GalaxyObject) -> tuple[str, ...]:
        """Names on the board of the object and of the areas it is in, whose alarm mode counts for its alarms too."""
        names = [obj.tag_name.casefold()]
        area = self.galaxy.object_by_id(obj.area_id)
        while area is not None and area.tag_name.casefold() not in names:
            names.append(area.tag_name.casefold())
            area = self.galaxy.object_by_id(area.area_id)
        return tuple(names)

    def alarm_rollup(self, obj: GalaxyObject) -> AlarmRollup | None:
        """What an object or area says of the alarms below it; None when there are too many to say it."""
        if obj.gobject_id not in self._rollups:
            if len(self._rollups) >= _MOST_ROLLUPS:
                self._rollups.clear()
            # Kept, because hundreds of look-ups stand behind an area's.
            alarms = alarms_below(self, obj)
            self._rollups[obj.gobject_id] = None if alarms is None else AlarmRollup(self, obj, alarms)
        return self._rollups[obj.gobject_id]

    # Seeing.

    def sample(self, tag: Tag, t_ns: int) -> Sampled:
        """The value of an attribute, leaving aside whether its object runs."""
        if tag.computed is not None:
            return tag.computed(t_ns)
        held = self._held(tag)
        if held is not None:
            value = tuple(held["v"]) if tag.row.is_array else held["v"]
            return Sampled(value, held["t"], NEVER)
        if tag.signal is not None:
            return tag.signal.sample(t_ns, self.board.revision if tag.looks_around else 0)
        # Never newer than now, should the clock stand before the last deploy.
        return Sampled(tag.row.value, min(tag.since_ns, t_ns), NEVER)

    def value_at(self, tag: Tag, t_ns: int) -> Any:
        """The value of an attribute at a time that may have passed: before a write, what stood there then."""
        held = self._held(tag) if tag.computed is None else None
        if held is None or t_ns >= held["w"] or "h" not in held:
            return self.sample(tag, t_ns).value
        value = held["h"][0][1]
        for at, written in held["h"]:
            if at <= t_ns:
                value = written
        return value

    def steps(self, tag: Tag) -> list[tuple[int, Any]]:
        """Writes to a tag with their times, oldest first, and what stood before; empty when it was never written."""
        held = self._held(tag)
        return [(step[0], step[1]) for step in held.get("h", ())] if held else []

    def is_free(self, tag: Tag) -> bool:
        """Whether nothing but the tag's signal decides what it shows now: it runs, and nobody has written to it."""
        if tag.computed is not None or tag.quality is not None or self._held(tag) is not None:
            return False
        return self.condition(tag, 0) is None

    def condition(self, tag: Tag, t_ns: int) -> tuple[MxStatus, int, int] | None:
        """What keeps the tag from showing good values: status, quality and since when; None when nothing does."""
        board = self.board
        for name, detail in ((tag.platform, Detail.PLATFORM_COMMUNICATION_ERROR),
                             (tag.engine, Detail.ENGINE_COMMUNICATION_ERROR)):  # fmt: skip
            entry = board.get(ENGINE, name) if name else None
            if entry and not entry["on"]:
                by_responder = self.switches.stopped_engine_source == "responding_nmx"
                source = Source.RESPONDING_NMX if by_responder else Source.REQUESTING_NMX
                status = failure(Category.COMMUNICATION_ERROR, source, detail)
                return status, q.BAD_COMMUNICATION_FAILURE, entry["t"]
        if tag.row.name.casefold() in ("scanstate", "scanstatecmd"):
            return None
        own = tag.object.tag_name.casefold()
        for name in (own, tag.engine, tag.platform):
            entry = board.get(SCAN, name) if name else None
            if entry and not entry["on"]:
                return OK, q.BAD, entry["t"]
        return None

    def started_ns(self, tag: Tag) -> int:
        """When the object last came (back) to life: scan on, or engine start; 0 when it always ran."""
        latest = 0
        for kind in (SCAN, ENGINE):
            for name in (tag.object.tag_name.casefold(), tag.engine, tag.platform):
                entry = self.board.get(kind, name) if name else None
                if entry and entry["on"]:
                    latest = max(latest, entry["t"])
        return latest

    def read(self, binding: Binding, t_ns: int) -> tuple[Vtq, int]:
        """What a binding shows, and the first time at which that may change by itself."""
        tag = binding.tag
        value, changed, following = self.sample(tag, t_ns)
        quality = q.GOOD
        status = OK
        if tag.quality is not None:
            excursion = tag.quality.sample(t_ns)
            quality = excursion.value
            following = min(following, excursion.next_ns)
            if tag.signal is not None or quality != q.GOOD:
                changed = max(changed, excursion.changed_ns)
        held = self._held(tag) if tag.computed is None else None
        if held is not None:
            quality = held["q"]
        hindrance = self.condition(tag, t_ns)
        if hindrance is not None:
            status, quality, since = hindrance
            changed = max(changed, since)
            following = NEVER
            if not status.is_success and not self.switches.stopped_engine_keeps_value:
                value = None
        else:
            started = self.started_ns(tag)
            if started:
                changed = max(changed, started)
                if t_ns < started + self._initializing_ns:
                    quality = q.INITIALIZING
                    following = min(following, started + self._initializing_ns)
            element = binding.element
            if element is not None and element != WHOLE and element > len(value):
                # The array has been written with fewer elements since the item was advised.
                return Vtq(None, q.BAD_CONFIGURATION_ERROR, changed, _NO_ELEMENT), following
        if (
            tag.data_type == DataType.QUALIFIED_STRUCT
            and binding.aspect in ("value", "buffer")
            and status.is_success
            and self.switches.qualified_struct_as == "failure"
        ):
            return Vtq(None, q.BAD_CONFIGURATION_ERROR, changed, _NO_WHOLE_STRUCT), following
        return Vtq(self._selected(binding, value, quality, changed), quality, changed, status), following

    def _selected(self, binding: Binding, value: Any, quality: int, changed: int) -> Any:
        """The part of a value that the binding means."""
        tag, index, prop = binding.tag, binding.element, binding.aspect
        if index is not None and index != WHOLE and value is not None:
            value = value[index - 1] if index <= len(value) else None
        if prop in ("value", "buffer"):
            return value
        if prop.isdigit():
            return bool(value >> int(prop) & 1) if value is not None else None
        row = tag.row
        return {
            "type": row.data_type,
            "quality": _galaxy_quality(quality),
            "dimension1": len(self._array(tag)) if row.is_array else 0,
            "securityclassification": row.security,
            "locked": row.locked,
            "category": row.category,
            "time": changed,
            "name": row.name,
        }[prop]

    # Changing.

    def store(self, edit: Edit, binding: Binding, value: Any, time_ns: int, now_ns: int) -> bool:
        """Puts a coerced value on the board; False when the array no longer has the element."""
        tag, index, prop = binding.tag, binding.element, binding.aspect
        if tag.act is not None:
            tag.act(edit, value, now_ns)
            return True
        held = edit.get(VALUE, tag.key)
        if held is not None and held.get("s", tag.shape) != tag.shape:
            held = None
        before = (tuple(held["v"]) if tag.row.is_array else held["v"]) if held else self.sample(tag, now_ns).value
        if index is not None and index != WHOLE:
            if index > len(before):
                return False
            value = (*before[: index - 1], _with_bit(before[index - 1], prop, value), *before[index:])
        elif prop.isdigit():
            value = _with_bit(before, prop, value)
        entry: dict[str, Any] = {"v": value, "q": q.GOOD, "t": time_ns, "w": now_ns, "s": tag.shape}
        if not tag.row.is_array and isinstance(value, (bool, int, float)):
            history = held.get("h", [[0, before]]) if held else [[0, before]]
            entry["h"] = [*history, [now_ns, value]][-STEPS_KEPT:]
        edit.put(VALUE, tag.key, entry)
        return True


class _TagSource:
    """Another attribute as a signal sees it; looked up when first needed."""

    def __init__(self, plant: Plant, obj: GalaxyObject, name: str) -> None:
        self._plant = plant
        self._object = obj
        self._name = name
        self._tag: Tag | None = None
        self._looked = False
        self._busy = False

    @property
    def tag(self) -> Tag | None:
        if not self._looked:
            self._looked = True
            self._tag = self._plant.related(self._object, self._name)
        return self._tag

    def value_at(self, t_ns: int) -> Any:
        if self.tag is None or self._busy:  # An attribute that follows itself shows 0 rather than no end.
            return 0
        self._busy = True
        try:
            return self._plant.value_at(self.tag, t_ns)
        finally:
            self._busy = False

    def steps(self) -> list[tuple[int, Any]]:
        return self._plant.steps(self.tag) if self.tag is not None else []


def _with_bit(value: Any, prop: str, bit: Any) -> Any:
    if not prop.isdigit():
        return bit
    raw = (value & 0xFFFFFFFF) | 1 << int(prop) if bit else (value & 0xFFFFFFFF) & ~(1 << int(prop))
    return raw - (1 << 32) if raw & 0x80000000 else raw


def _galaxy_quality(quality: int) -> int:
    """The Galaxy's four states: Good 0, Uncertain 1, Initializing 2, Bad 3."""
    if q.is_good(quality):
        return 0
    if q.is_uncertain(quality):
        return 1
    return 2 if quality == q.INITIALIZING else 3


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
