"""Built-in attributes that an object works out itself, or whose writing is a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mxgateway_simulator.plant.alarm_rollups import AlarmRollups, TagFinder, is_rollup
from mxgateway_simulator.plant.board import Edit
from mxgateway_simulator.plant.entries import ENGINE, SCAN, Key, Switched
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.signals import NEVER, Sampled
from mxgateway_simulator.plant.tags import Tag


class BuiltInBehaviour(NamedTuple):
    """What is special about a built-in attribute; nothing, when all is empty."""

    computed: Callable[[int], Sampled] | None = None
    act: Callable[[Edit, Any, int], None] | None = None
    keys: frozenset[Key] = frozenset()


def built_in(tags: TagFinder, rollups: AlarmRollups, tag: Tag) -> BuiltInBehaviour:
    """How a built-in attribute of the plant behaves."""
    if tag.row.extension == "AlarmExtension":
        return _alarm(tags, tag)
    plant = tags.plant
    name = tag.row.name.casefold()
    if name == "scanstate":
        return BuiltInBehaviour(lambda t: _scan_state(plant, tag))
    if name == "scanstatecmd":
        return BuiltInBehaviour(lambda t: _scan_state(plant, tag), _scan_command(tag))
    if tag.signal is not None or "value" in tag.row.behaviour:
        return BuiltInBehaviour()
    if is_rollup(name):
        rollup = rollups.of(tag.object)
        return BuiltInBehaviour(rollup.reader(name), None, rollup.keys) if rollup else BuiltInBehaviour()
    text = _identity(plant, tag, name)
    if text is None:
        return BuiltInBehaviour()
    return BuiltInBehaviour(lambda t: Sampled(text, tag.since_ns, NEVER))


def _alarm(tags: TagFinder, tag: Tag) -> BuiltInBehaviour:
    alarm = tags.anchor_alarm(tag.object, tag.row)
    if alarm is None:
        return BuiltInBehaviour()
    name = tag.row.name.rpartition(".")[2].lower()
    act = alarm.acknowledge if name == "ackmsg" else None
    if name == "alarmsourceattr":
        text = f"{tag.object.tag_name}.{tag.row.anchor}"
        return BuiltInBehaviour(lambda t: Sampled(text, tag.since_ns, NEVER))
    if name == "alarmmode":
        command = tags.related(tag.object, f"{tag.row.anchor}.AlarmModeCmd")
        if command is not None:
            return BuiltInBehaviour(lambda t: tags.plant.sample(command, t), None, command.keys)
    computed = alarm.read(name)
    return BuiltInBehaviour(computed, act, alarm.keys if computed or act else frozenset())


def _scan_state(plant: Plant, tag: Tag) -> Sampled:
    own = tag.object.tag_name.casefold()
    on, changed = True, tag.since_ns
    for name in (own, tag.engine, tag.platform):
        entry = plant.board.switched(SCAN, name) if name else None
        if entry:
            on = on and entry.is_on
            changed = max(changed, entry.time_ns)
    entry = plant.board.switched(ENGINE, own)
    if entry:
        on = on and entry.is_on
        changed = max(changed, entry.time_ns)
    return Sampled(on, changed, NEVER)


def _scan_command(tag: Tag) -> Callable[[Edit, Any, int], None]:
    name = tag.object.tag_name.casefold()
    return lambda edit, value, now_ns: edit.put(SCAN, name, Switched(bool(value), now_ns))


def _identity(plant: Plant, tag: Tag, name: str) -> Any:
    """Names of the object and of what it belongs to."""
    obj = tag.object
    by_id = plant.galaxy.object_by_id
    if name == "tagname":
        return obj.tag_name
    if name == "containedname":
        return obj.contained_name
    if name == "hierarchicalname":
        return obj.hierarchical_name
    if name in ("area", "container", "host"):
        owner = by_id({"area": obj.area_id, "container": obj.container_id, "host": obj.host_id}[name])
        return owner.tag_name if owner else ""
    if name == "basedon":
        return obj.base_template
    if name == "derivedfrom":
        return plant.galaxy.template_name(obj.template_id)
    if name == "configversion":
        return obj.configuration_version
    if name == "deployedversion":
        return obj.deployed_version
    return None
