"""Operating the alarms of a simulated plant from outside a session: raising, ending, storms, acknowledging."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.shelving import shelve_command
from mxgateway_simulator.places import board_path
from mxgateway_simulator.plant.alarms.alarm import Alarm
from mxgateway_simulator.plant.alarms.attributes import acknowledge, dismiss, shelve
from mxgateway_simulator.plant.alarms.forcing import storm_number
from mxgateway_simulator.plant.alarms.kinds import KINDS, kind_of
from mxgateway_simulator.plant.alarms.listing import record_of
from mxgateway_simulator.plant.board import Board, Edit
from mxgateway_simulator.plant.entries import FORCED, STORM, Forced, Storm
from mxgateway_simulator.plant.galaxy_file import GalaxyFile
from mxgateway_simulator.plant.operation import OperationError
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.plant_tags import PlantTags
from mxgateway_simulator.plant.tags import Author, Binding
from mxgateway_simulator.switches import Switches

_Act = Callable[[Alarm, Edit], MxStatus | None]


class AlarmOperation:
    """Changes the alarms that all sessions of a Galaxy see.

    Args:
        galaxy: path of the Galaxy's database.
        board: path of its board; the default stands beside the Galaxy.
        now_ns: the clock, Unix time in nanoseconds.
    """

    def __init__(self, galaxy: str | Path, board: str | Path | None, now_ns: Callable[[], int]) -> None:
        self._galaxy = Path(galaxy)
        self._board = Path(board) if board else board_path(self._galaxy)
        self._now_ns = now_ns

    @contextmanager
    def _opened(self) -> Iterator[PlantTags]:
        with (
            closing(GalaxyFile(self._galaxy)) as galaxy,
            closing(Board(self._board, galaxy.settings.get("build_id", ""))) as board,
        ):
            chosen = {name[7:]: value for name, value in galaxy.settings.items() if name.startswith("switch.")}
            yield PlantTags(Plant(galaxy, board, Switches.parse(chosen)))

    def force(self, names: Sequence[str], on: bool | None, for_ns: int = 0) -> list[str]:
        """Raises alarms, or ends them, whatever their attributes show; returns their names as the Galaxy spells them.

        Args:
            on: None to leave them to their attributes again.
            for_ns: for how long; 0 until they are set otherwise.

        Raises:
            SimulatorError: there is no such alarm, or the board cannot be changed. Then nothing is changed.
        """
        now = self._now_ns()
        entry = None if on is None else Forced(on, now, now + for_ns if for_ns else 0)
        with self._opened() as tags:
            found = [_found(tags, name) for name in names]
            tags.plant.board.change(partial(_put_all, found, entry, now))
            return [alarm.reference for alarm in found]

    def storm(self, area: str, count: int, within_ns: int, for_ns: int, seed: int) -> int:
        """Lets a storm loose: alarms of an area, or of the whole Galaxy, that come up one after the other.

        Args:
            area: its tag name; empty for the whole Galaxy.
            count: how many alarms.
            within_ns, for_ns: from the first to the last, and how long each stays.

        Returns:
            How many alarms take part: fewer than asked for where there are no more.

        Raises:
            SimulatorError: there is no such area, or no alarm in it, or the board cannot be changed.
        """
        with self._opened() as tags:
            place = area.casefold()
            if place:
                obj = tags.plant.galaxy.object_by_tag(area)
                if obj is None or not obj.package_id:
                    near = difflib.get_close_matches(area, tags.plant.galaxy.area_names(), 1)
                    hint = f"; did you mean {near[0]}?" if near else ""
                    raise OperationError(f"there is no area {area!r} in this Galaxy{hint}")
            struck = [
                alarm
                for alarm in tags.alarm_table().alarms
                if not place or any(owner.name == place for owner in alarm.owner.lineage())
            ]
            numbers = sorted(storm_number(alarm.condition.seed, seed) for alarm in struck)
            if not numbers:
                raise OperationError(f"there is no alarm in {area or 'this Galaxy'}")
            count = min(count, len(numbers))
            share = numbers[count] if count < len(numbers) else 1.0
            now = self._now_ns()

            def edit(changes: Edit) -> None:
                for alarm in struck:
                    # What an earlier storm has left behind would be unknown afterwards.
                    if alarm.condition.is_forced:
                        alarm.condition.before_write(changes, now)
                changes.put(STORM, place, Storm(now, within_ns, for_ns, share, seed))

            tags.plant.board.change(edit)
            return count

    def acknowledge(self, names: Sequence[str], comment: str, by: Author) -> list[str]:
        """Acknowledges alarms, as writing AckMsg does.

        Raises:
            SimulatorError: there is no such alarm, or it cannot be acknowledged. Then nothing is changed.
        """
        return self._act(names, lambda alarm, edit: acknowledge(alarm, edit, comment, self._now_ns(), by))

    def shelve(self, names: Sequence[str], hours: float, reason: str, by: Author) -> list[str]:
        """Shelves alarms, or with 0 hours ends that.

        Raises:
            SimulatorError: there is no such alarm, or the duration or reason is out of bounds.
        """
        text = shelve_command(hours, reason)
        return self._act(names, lambda alarm, edit: shelve(alarm, edit, text, self._now_ns(), by))

    def dismiss(self, names: Sequence[str]) -> list[str]:
        """Ends latched alarms.

        Raises:
            SimulatorError: there is no such alarm, or it is not latched.
        """

        def act(alarm: Alarm, edit: Edit) -> MxStatus | None:
            if not dismiss(alarm, edit, self._now_ns()):
                raise OperationError(f"{alarm.reference} is not latched")
            return None

        return self._act(names, act)

    def _act(self, names: Sequence[str], act: _Act) -> list[str]:
        with self._opened() as tags:
            found = [_found(tags, name) for name in names]

            def edit(changes: Edit) -> None:
                for alarm in found:
                    refused = act(alarm, changes)
                    if refused is not None:
                        raise OperationError(f"{alarm.reference}: {refused.describe()}")

            tags.plant.board.change(edit)
            return [alarm.reference for alarm in found]

    def set_mode(self, name: str, mode: str) -> str:
        """Enables, silences or disables an alarm, or all alarms of an object or area; returns its name.

        Args:
            mode: `Enable`, `Silence` or `Disable`.

        Raises:
            SimulatorError: there is neither such an alarm nor such an object, or the board cannot be changed.
        """
        with self._opened() as tags:
            binding = tags.resolve(f"{name}.AlarmModeCmd")
            if not isinstance(binding, Binding):
                raise OperationError(f"{name!r} is neither an alarm nor an object of this Galaxy")
            number = list(binding.tag.enum).index(mode)
            self._store(tags, binding, number)
            return binding.tag.reference.rpartition(".")[0]

    def set_plant_state(self, area: str, state: str) -> str:
        """Sets the PlantState of an area; returns its name as the Galaxy spells it.

        Raises:
            SimulatorError: there is no such area, or no such state.
        """
        with self._opened() as tags:
            binding = tags.resolve(f"{area}.PlantState")
            if not isinstance(binding, Binding):
                raise OperationError(f"there is no area {area!r} in this Galaxy")
            if state.casefold() not in tags.plant_states:
                known = ", ".join(sorted(tags.plant_states))
                raise OperationError(f"there is no plant state {state!r}; this Galaxy has {known}")
            self._store(tags, binding, state)
            return binding.tag.object.tag_name

    def _store(self, tags: PlantTags, binding: Binding, value: object) -> None:
        now = self._now_ns()

        def edit(changes: Edit) -> None:
            tags.plant.store(changes, binding, value, now, now)

        tags.plant.board.change(edit)

    def listed(self, area: str = "") -> list[AlarmRecord]:
        """The alarms in the list now, the newest first.

        Args:
            area: only those of an area and all that is in it; empty for all.

        Raises:
            SimulatorError: Galaxy or board cannot be read.
        """
        with self._opened() as tags:
            table = tags.alarm_table()
            table.advance(self._now_ns())
            place = area.casefold()
            found = [
                record_of(entry.alarm, entry.now)
                for entry in table.entries.values()
                if entry.now.is_listed
                and (not place or any(owner.name == place for owner in entry.alarm.owner.lineage()))
            ]
            return sorted(found, key=lambda record: (-record.changed_ns, record.name))


def _put_all(alarms: Sequence[Alarm], entry: Forced | None, now_ns: int, edit: Edit) -> None:
    for alarm in alarms:
        # What was forced before would be unknown afterwards.
        alarm.condition.before_write(edit, now_ns)
        edit.put(FORCED, alarm.key, entry)


def _found(tags: PlantTags, name: str) -> Alarm:
    """An alarm by its name, as `Tank_01.Level.Hi`."""
    binding = tags.resolve(f"{name}.InAlarm")
    if isinstance(binding, Binding) and binding.tag.row.extension in KINDS:
        row = binding.tag.row
        kind = kind_of(row.extension, row.name[len(row.anchor) + 1 :])
        alarm = tags.alarm_of(binding.tag.object, row.anchor, kind[0]) if kind is not None else None
        if alarm is not None:
            return alarm
        raise OperationError(f"the alarm {name} is not turned on in this Galaxy")
    raise OperationError(f"there is no alarm {name!r} in this Galaxy; write Object.Attribute, or Object.Attribute.Hi")
