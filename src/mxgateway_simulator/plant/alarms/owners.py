"""The objects and areas that an alarm belongs to, as far as they decide whether it counts, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mxgateway_simulator.classifications import AREA_CATEGORY
from mxgateway_simulator.plant.alarms.states import Mode
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.entries import ENGINE, SCAN, VALUE, Key, Written
from mxgateway_simulator.plant.galaxy_file import GalaxyFile, GalaxyObject
from mxgateway_simulator.plant.resolver import Resolver
from mxgateway_simulator.switches import Switches

PLANT_STATES: Mapping[str, Mode] = {
    "Running": Mode.ENABLED,
    "Maintenance": Mode.DISABLED,
    "Startup": Mode.SILENCED,
    "Shutdown": Mode.DISABLED,
    "Testing": Mode.SILENCED,
}
"""What each plant state does to the alarms of its area; a Galaxy may define more."""

MODE_NAMES = ("Enable", "Silence", "Disable")
_DEEPEST = 32


class Moded(NamedTuple):
    """A mode, and since when it has not been Disabled; 0 for always."""

    mode: Mode
    since_ns: int


_ENABLED = Moded(Mode.ENABLED, 0)


class ModeSetting:
    """AlarmModeCmd and AlarmInhibit of one object or alarm, for an area with its PlantState.

    Args:
        name: the object's or the alarm's name on the board.
        configured: configured values of the attributes, by name in lower case.
        states: the Galaxy's plant states, by name in lower case.
    """

    __slots__ = ("_configured", "_first", "_names", "_states")

    def __init__(self, name: str, configured: Mapping[str, Any], states: Mapping[str, Mode], first: int) -> None:
        self._configured = configured
        self._states = states
        self._first = first
        self._names = (f"{name}.alarmmodecmd", f"{name}.alarminhibit", f"{name}.plantstate")

    @property
    def keys(self) -> frozenset[Key]:
        return frozenset((VALUE, name) for name in self._names)

    def mode(self, board: Board) -> Moded:
        """The most restrictive of them."""
        command, inhibit, state = self._names
        if self._configured is _NOTHING and board.written(command) is None and board.written(inhibit) is None:
            return _ENABLED
        found = [self._one(board.written(command), self._configured.get("alarmmodecmd", 0), self._of_command)]
        found.append(self._one(board.written(inhibit), self._configured.get("alarminhibit", False), _of_inhibit))
        plant_state = self._configured.get("plantstate")
        if plant_state is not None:
            found.append(self._one(board.written(state), plant_state, self._of_state))
        return Moded(max(one.mode for one in found), max(one.since_ns for one in found))

    def plant_state_mode(self, board: Board) -> Mode:
        """What the plant state alone does."""
        return self._one(board.written(self._names[2]), self._configured.get("plantstate"), self._of_state).mode

    def _of_command(self, value: Any) -> Mode:
        number = value - self._first if isinstance(value, int) else 0
        return Mode(number) if number in (Mode.SILENCED, Mode.DISABLED) else Mode.ENABLED

    def _of_state(self, value: Any) -> Mode:
        return self._states.get(str(value).casefold(), Mode.ENABLED)

    @staticmethod
    def _one(entry: Written | None, configured: Any, mode_of: Callable[[Any], Mode]) -> Moded:
        if entry is None:
            return Moded(mode_of(configured), 0)
        mode = mode_of(entry.value)
        if mode is Mode.DISABLED:
            return Moded(mode, 0)
        following = entry.steps[-1].at_ns if entry.steps else entry.written_ns
        for at, value in reversed(entry.steps[:-1]):
            if mode_of(value) is Mode.DISABLED:
                return Moded(mode, following)
            following = at
        return Moded(mode, 0)


def _of_inhibit(value: Any) -> Mode:
    return Mode.DISABLED if value else Mode.ENABLED


class Owner:
    """One object: its own mode and what its container and areas say; whether it is on scan and runs.

    Attributes:
        name: its tag name in lower case.
        parent: its container, or else its area.
    """

    __slots__ = (
        "_areas",
        "_keys",
        "_known",
        "_lineage",
        "_mode",
        "_off_scan_counts",
        "_stopped_counts",
        "hosts",
        "is_area",
        "name",
        "object",
        "parent",
    )

    def __init__(
        self,
        obj: GalaxyObject,
        parent: Owner | None,
        mode: ModeSetting,
        hosts: tuple[str, str],
        switches: Switches,
    ) -> None:
        self.object = obj
        self.name = obj.tag_name.casefold()
        self.parent = parent
        self.is_area = obj.category_id == AREA_CATEGORY
        self.hosts = hosts
        self._mode = mode
        self._off_scan_counts = switches.alarm_off_scan == "keep"
        self._stopped_counts = switches.alarm_engine_stop == "keep"
        self._known: tuple[int, Moded, bool, int] | None = None
        self._lineage: tuple[Owner, ...] | None = None
        self._areas: tuple[Owner, ...] | None = None
        self._keys: frozenset[Key] | None = None

    @property
    def keys(self) -> frozenset[Key]:
        """Board entries on which it depends."""
        if self._keys is not None:
            return self._keys
        names = {self.name, *self.hosts} - {""}
        own = self._mode.keys | {(SCAN, name) for name in names} | {(ENGINE, name) for name in names}
        keys = own | self.parent.keys if self.parent is not None else frozenset(own)
        if self.is_area:
            # Areas are few, and every alarm in them asks; for each object the sets would take too much memory.
            self._keys = keys
        return keys

    def lineage(self) -> Sequence[Owner]:
        """Itself, its container and its areas, the nearest first."""
        if self._lineage is None:
            found: list[Owner] = []
            owner: Owner | None = self
            while owner is not None and len(found) < _DEEPEST:
                found.append(owner)
                owner = owner.parent
            self._lineage = tuple(found)
        return self._lineage

    @property
    def areas(self) -> tuple[Owner, ...]:
        """Those of them that are areas."""
        if self._areas is None:
            self._areas = tuple(each for each in self.lineage() if each.is_area)
        return self._areas

    def mode(self, board: Board) -> Moded:
        """The effective mode for the alarms of this object."""
        return self._all(board)[0]

    def plant_state_mode(self, board: Board) -> Mode:
        """What an area's plant state does to its alarms."""
        return self._mode.plant_state_mode(board)

    def runs(self, board: Board) -> tuple[bool, int]:
        """Whether its alarms count as far as scan and engine go, and since when."""
        _, runs, since = self._all(board)
        return runs, since

    def _all(self, board: Board) -> tuple[Moded, bool, int]:
        known = self._known
        if known is None or known[0] != board.revision:
            moded = self._mode.mode(board)
            if self.parent is not None:
                above = self.parent.mode(board)
                moded = Moded(max(moded.mode, above.mode), max(moded.since_ns, above.since_ns))
            known = self._known = (board.revision, moded, *self._running(board))
        return known[1:]

    def _running(self, board: Board) -> tuple[bool, int]:
        runs, since = True, 0
        for name in {self.name, *self.hosts}:
            scan = board.switched(SCAN, name) if name else None
            if scan is not None and not self._off_scan_counts:
                runs = runs and scan.is_on
                since = max(since, scan.time_ns)
            engine = board.switched(ENGINE, name) if name else None
            if engine is not None and not engine.is_on and not self._stopped_counts:
                runs = False
        return runs, since


class Owners:
    """All owners of a Galaxy, each made once."""

    def __init__(self, galaxy: GalaxyFile, resolver: Resolver, switches: Switches) -> None:
        self._galaxy = galaxy
        self._resolver = resolver
        self._switches = switches
        self._known: dict[int, Owner] = {}
        self.states = plant_states(galaxy)
        self.first_mode = 1 if switches.alarm_mode_numbers == "from_1" else 0

    def clear(self) -> None:
        """Forgets them all, as after a deployment."""
        self._known.clear()
        self.states = plant_states(self._galaxy)

    def of(self, obj: GalaxyObject, depth: int = 0) -> Owner:
        owner = self._known.get(obj.gobject_id)
        if owner is None:
            above = self._galaxy.object_by_id(obj.container_id) or self._galaxy.object_by_id(obj.area_id)
            parent = self.of(above, depth + 1) if above is not None and depth < _DEEPEST else None
            engine, platform = self._resolver.hosts(obj)
            hosts = (engine.tag_name.casefold() if engine else "", platform.tag_name.casefold() if platform else "")
            owner = Owner(obj, parent, self.setting(obj, obj.tag_name.casefold(), ""), hosts, self._switches)
            self._known[obj.gobject_id] = owner
        return owner

    def setting(self, obj: GalaxyObject, name: str, prefix: str) -> ModeSetting:
        """The mode that an object, or the alarm whose attributes begin with a prefix, is given."""
        configured = {}
        for attribute in ("AlarmModeCmd", "AlarmInhibit", *(() if prefix else ("PlantState",))):
            value = self._galaxy.configured(obj.package_id, f"{prefix}{attribute}")
            if value or (value is not None and attribute == "PlantState"):
                configured[attribute.casefold()] = value
        return ModeSetting(name, configured or _NOTHING, self.states, self.first_mode)


_NOTHING: Mapping[str, Any] = {}


def plant_states(galaxy: GalaxyFile) -> Mapping[str, Mode]:
    """The Galaxy's plant states by name in lower case."""
    found = {name.casefold(): mode for name, mode in PLANT_STATES.items()}
    for name, value in galaxy.settings.items():
        if name.startswith("plantstate."):
            found[name.removeprefix("plantstate.").casefold()] = Mode(MODE_NAMES.index(value))
    return found
