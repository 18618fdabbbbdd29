"""Built-in attributes that an object works out itself, or whose writing is a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mxgateway_contract import failures
from mxgateway_contract.status import MxStatus
from mxgateway_simulator.plant.alarms.alarm import Alarm
from mxgateway_simulator.plant.alarms.attributes import alarm_action, alarm_reader
from mxgateway_simulator.plant.alarms.kinds import KINDS, AlarmKind, kind_of
from mxgateway_simulator.plant.alarms.owners import Owner
from mxgateway_simulator.plant.alarms.rollups import AlarmRollups, is_rollup
from mxgateway_simulator.plant.alarms.states import Mode
from mxgateway_simulator.plant.board import Edit
from mxgateway_simulator.plant.entries import ENGINE, SCAN, VALUE, Key, Switched
from mxgateway_simulator.plant.galaxy_file import GalaxyObject
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.signals import NEVER, Sampled
from mxgateway_simulator.plant.tags import Act, Author, Tag


class BuiltInBehaviour(NamedTuple):
    """What is special about a built-in attribute; nothing, when all is empty."""

    computed: Callable[[int], Sampled] | None = None
    act: Act | None = None
    keys: frozenset[Key] = frozenset()
    enum: Sequence[str] = ()
    check: Callable[[Any], MxStatus | None] | None = None
    keeps_steps: bool = False


class AlarmFinder(Protocol):
    """What built-in attributes need of the alarms around them."""

    @property
    def plant(self) -> Plant: ...

    @property
    def rollups(self) -> AlarmRollups: ...

    @property
    def mode_names(self) -> Sequence[str]:
        """The names of alarm modes, by number."""

    @property
    def plant_states(self) -> Mapping[str, Mode]:
        """The plant states by name in lower case."""

    def alarm_of(self, obj: GalaxyObject, anchor: str, kind: AlarmKind) -> Alarm | None:
        """The alarm of a kind on an attribute; None where it is not turned on."""

    def owner_of(self, obj: GalaxyObject) -> Owner:
        """An object as it bears on the modes of alarms."""

    def mode_sampled(self, mode: Mode, tag: Tag, keys: frozenset[Key], t_ns: int) -> Sampled:
        """A mode as an attribute shows it, with the time of the last write that can have changed it."""


def built_in(tags: AlarmFinder, tag: Tag) -> BuiltInBehaviour:
    """How a built-in attribute of the plant behaves."""
    if tag.row.extension in KINDS:
        return _alarm(tags, tag)
    plant = tags.plant
    name = tag.row.name.casefold()
    if name == "scanstate":
        return BuiltInBehaviour(lambda t: _scan_state(plant, tag))
    if name == "scanstatecmd":
        return BuiltInBehaviour(lambda t: _scan_state(plant, tag), _scan_command(tag))
    if tag.signal is not None:
        return BuiltInBehaviour()
    modes = _modes(tags, tag, name)
    if modes is not None:
        return modes
    if "value" in tag.row.behaviour:
        return BuiltInBehaviour()
    if is_rollup(name):
        computed, keys = tags.rollups.reader(tag.object, name)
        return BuiltInBehaviour(computed, None, keys)
    text = _identity(plant, tag, name)
    if text is None:
        return BuiltInBehaviour()
    return BuiltInBehaviour(lambda t: Sampled(text, tag.since_ns, NEVER))


def _alarm(tags: AlarmFinder, tag: Tag) -> BuiltInBehaviour:
    """An attribute of an alarm."""
    found = kind_of(tag.row.extension, tag.row.name[len(tag.row.anchor) + 1 :])
    if found is None:
        return BuiltInBehaviour()
    kind, leaf = found
    name = leaf.casefold()
    if name == "alarmmodecmd":
        return BuiltInBehaviour(enum=tags.mode_names)
    alarm = tags.alarm_of(tag.object, tag.row.anchor, kind)
    if alarm is None:
        return BuiltInBehaviour()
    if name == "alarmsourceattr":
        text = f"{tag.object.tag_name}.{tag.row.anchor}"
        return BuiltInBehaviour(lambda t: Sampled(text, tag.since_ns, NEVER))
    computed, act = alarm_reader(alarm, name, tag.since_ns), alarm_action(alarm, name)
    enum = tags.mode_names if name == "alarmmode" else ()
    return BuiltInBehaviour(computed, act, alarm.keys if computed or act else frozenset(), enum)


def _modes(tags: AlarmFinder, tag: Tag, name: str) -> BuiltInBehaviour | None:
    """The alarm modes of objects and areas, and the plant states of areas; None for other attributes."""
    if name in ("alarmmodecmd", "alarmmode", "plantstatealarmmode"):
        enum = tags.mode_names
        if name == "alarmmodecmd":
            return BuiltInBehaviour(enum=enum)
        owner = tags.owner_of(tag.object)
        if name == "alarmmode":
            return BuiltInBehaviour(lambda t: tags.mode_sampled(owner.mode(tags.plant.board).mode, tag, owner.keys, t),
                                    None, owner.keys, enum)  # fmt: skip
        keys = frozenset({(VALUE, f"{tag.object.tag_name.casefold()}.plantstate")})
        return BuiltInBehaviour(lambda t: tags.mode_sampled(owner.plant_state_mode(tags.plant.board), tag, keys, t),
                                None, keys, enum)  # fmt: skip
    if name == "plantstate":
        states = tags.plant_states
        return BuiltInBehaviour(
            check=lambda value: None if str(value).casefold() in states else failures.OUT_OF_RANGE, keeps_steps=True
        )
    return None


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


def _scan_command(tag: Tag) -> Act:
    name = tag.object.tag_name.casefold()

    def command(edit: Edit, value: Any, now_ns: int, by: Author) -> None:
        put_switched(edit, SCAN, name, bool(value), now_ns)

    return command


def put_switched(edit: Edit, kind: str, name: str, is_on: bool, now_ns: int) -> None:
    """Switches scan or engine; where it stands like that already the time stays: nothing came back to life."""
    # What nobody ever switched is on, and has been all along.
    known = edit.switched(kind, name) or Switched(True, 0)
    edit.put(kind, name, known if known.is_on == is_on else Switched(is_on, now_ns))


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
