"""A simulated plant operated by a program, one JSON object a line: what a test kit needs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError

from mxgateway_contract import quality as q
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.references import WHOLE
from mxgateway_protocol.values import ValueConversionError, from_wire
from mxgateway_simulator.errors import SimulatorError
from mxgateway_simulator.lmx.coercion import CoercionError, coerce, coerce_array
from mxgateway_simulator.places import board_path
from mxgateway_simulator.plant.alarm_operation import AlarmOperation
from mxgateway_simulator.plant.board import Board, Edit
from mxgateway_simulator.plant.deployment import Deployment
from mxgateway_simulator.plant.entries import SCAN, VALUE, Written
from mxgateway_simulator.plant.galaxy_file import GalaxyFile
from mxgateway_simulator.plant.operation import OperationError, PlantOperation
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.plant_tags import PlantTags
from mxgateway_simulator.plant.tags import Author, Binding, Tag, Unresolved
from mxgateway_simulator.switches import Switches
from mxgateway_simulator.watch.turns import Row

_LOOK_SECONDS = 0.0005
# No object has this name.
_MARK = ""


class PlantConsole:
    """Carries out operations on the plant of one Galaxy. Security, ranges and scan states do not hinder it.

    Args:
        galaxy: path of the Galaxy's database.
        board: path of its board; the default stands beside the Galaxy.
        now_ns: the clock, Unix time in nanoseconds.
        pause: waits so many seconds.
    """

    def __init__(
        self, galaxy: Path, board: Path | None, now_ns: Callable[[], int], pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._galaxy = galaxy
        self._board = board or board_path(galaxy)
        self._now_ns = now_ns
        self._pause = pause

    def answers(self, lines: Iterable[str]) -> Iterator[str]:
        """One line for each: `{"ok": …}`, or `{"error": TEXT}` for what cannot be done."""
        for line in lines:
            if line.strip():
                yield json.dumps(self._answer(line))

    def _answer(self, line: str) -> dict[str, Any]:
        try:
            request = json.loads(line)
            operation = _OPERATIONS.get(request.get("op")) if isinstance(request, dict) else None
            if operation is None:
                raise OperationError(f"op is none of {', '.join(sorted(_OPERATIONS))}")
            done = operation(self, request)
            if request.get("settle"):
                self._settle(float(request["settle"]), is_elsewhere=operation in _ON_THE_GALAXY)
            return {"ok": done}
        except KeyError as error:
            return {"error": f"{error.args[0]} is missing"}
        except (SimulatorError, OSError, ParseError, ValueError) as error:
            return {"error": str(error)}

    def _settle(self, seconds: float, *, is_elsewhere: bool) -> None:
        """Waits until every session has told its client of what stands on the board now; at most so long.

        Args:
            is_elsewhere: what was done stands in the Galaxy, so that the board gets a mark: who has read it, has looked
                at the Galaxy, too.
        """
        end = self._now_ns() + round(seconds * 1e9)
        with closing(GalaxyFile(self._galaxy)) as galaxy, closing(Row(self._board)) as row:
            with closing(Board(self._board, galaxy.settings.get("build_id", ""))) as board:
                if is_elsewhere:
                    board.change(lambda edit: edit.put(SCAN, _MARK, None))
                sequence = board.sequence
            while not row.have_seen(sequence) and self._now_ns() < end:
                self._pause(_LOOK_SECONDS)

    def _set(self, request: Mapping[str, Any]) -> str:
        """Sets value, quality and source time of a tag, each where it is given."""
        now = self._now_ns()
        with (
            closing(GalaxyFile(self._galaxy)) as galaxy,
            closing(Board(self._board, galaxy.settings.get("build_id", ""))) as board,
        ):
            plant = Plant(galaxy, board, Switches())
            binding = _resolved(PlantTags(plant), request["tag"])
            time_ns = int(request.get("timeNs", now))
            value = _coerced(binding, request["value"]) if "value" in request else None
            quality = int(request.get("quality", q.GOOD))
            if not 0 <= quality <= 0xFFFF:
                raise OperationError(f"quality {quality} is no OPC quality word")

            def edit(changes: Edit) -> None:
                tag = binding.tag
                if "value" not in request:
                    self._put_quality(changes, plant, tag, quality, time_ns, now)
                elif (refused := plant.store(changes, binding, value, time_ns, now)) is not None:
                    raise OperationError(f"{request['tag']}: {refused.describe()}")
                elif (held := changes.written(tag.key)) is not None:
                    changes.put(VALUE, tag.key, replace(held, quality=quality))

            board.change(edit)
            return binding.tag.reference

    @staticmethod
    def _put_quality(changes: Edit, plant: Plant, tag: Tag, quality: int, time_ns: int, now: int) -> None:
        if tag.before_write is not None:
            tag.before_write(changes, now)
        held = changes.written(tag.key)
        if held is None or held.shape not in (None, tag.shape):
            value = plant.sample(tag, now).value
            held = Written(value=value, quality=quality, time_ns=time_ns, written_ns=now, shape=tag.shape)
        changes.put(VALUE, tag.key, replace(held, quality=quality, time_ns=time_ns))

    def _scan(self, request: Mapping[str, Any]) -> str:
        return self._operation().set_scan(str(request["object"]), bool(request["on"]), self._now_ns())

    def _engine(self, request: Mapping[str, Any]) -> str:
        return self._operation().set_running(str(request["object"]), bool(request["on"]), self._now_ns())

    def _reset(self, _: Mapping[str, Any]) -> int:
        return self._operation().reset()

    def _deploy(self, request: Mapping[str, Any]) -> list[str]:
        objects, cascade = map(str, request["objects"]), bool(request.get("cascade", False))
        return list(self._deployment().deploy(objects, cascade=cascade).objects)

    def _undeploy(self, request: Mapping[str, Any]) -> list[str]:
        objects, cascade = map(str, request["objects"]), bool(request.get("cascade", False))
        return list(self._deployment().undeploy(objects, cascade=cascade).objects)

    def _alarm(self, request: Mapping[str, Any]) -> list[str]:
        """Raises, clears, releases, acknowledges or shelves alarms."""
        operation = AlarmOperation(self._galaxy, self._board, self._now_ns)
        by = Author(str(request.get("user", "")), str(request.get("node", "")))
        lasting = round(float(request.get("seconds", 0)) * 10**9)
        names = next((request[verb] for verb in _ALARM_VERBS if verb in request), None)
        if not isinstance(names, list):
            raise OperationError(f"one of {', '.join(_ALARM_VERBS)} is needed, with a list of alarms")
        names = [str(name) for name in names]
        if "acknowledge" in request:
            return operation.acknowledge(names, str(request.get("comment", "")), by)
        if "shelve" in request:
            return operation.shelve(names, float(request.get("hours", 1)), str(request.get("reason", "")), by)
        if "dismiss" in request:
            return operation.dismiss(names)
        return operation.force(names, None if "release" in request else "raise" in request, lasting)

    def _storm(self, request: Mapping[str, Any]) -> int:
        within, lasting = (round(float(request.get(name, 30)) * 10**9) for name in ("within", "seconds"))
        return AlarmOperation(self._galaxy, self._board, self._now_ns).storm(
            str(request.get("area", "")), int(request.get("count", 100)), within, lasting, int(request.get("seed", 1))
        )

    def _operation(self) -> PlantOperation:
        return PlantOperation(self._galaxy, self._board)

    def _deployment(self) -> Deployment:
        return Deployment(self._galaxy, datetime.fromtimestamp(self._now_ns() / 1e9, UTC))


_ALARM_VERBS = ("raise", "clear", "release", "acknowledge", "shelve", "dismiss")
_OPERATIONS: Mapping[Any, Callable[[PlantConsole, Mapping[str, Any]], Any]] = {
    "set": PlantConsole._set,
    "scan": PlantConsole._scan,
    "engine": PlantConsole._engine,
    "reset": PlantConsole._reset,
    "deploy": PlantConsole._deploy,
    "undeploy": PlantConsole._undeploy,
    "alarm": PlantConsole._alarm,
    "storm": PlantConsole._storm,
}


_ON_THE_GALAXY = (PlantConsole._deploy, PlantConsole._undeploy)


def _resolved(tags: PlantTags, reference: str) -> Binding:
    found = tags.resolve(str(reference))
    if isinstance(found, Unresolved):
        raise OperationError(f"{reference}: {found.status.describe()}")
    if found.tag.computed is not None and found.tag.act is None:
        raise OperationError(f"{reference}: the object works this value out itself, so it cannot be set")
    if found.aspect not in ("value", "buffer") and not found.aspect.isdigit():
        raise OperationError(f"{reference}: a property cannot be set")
    return found


def _coerced(binding: Binding, value: Any) -> Any:
    """A value, as the JSON form of an MxValue, in the attribute's type."""
    tag = binding.tag
    try:
        variant = from_wire(ParseDict(value, pb.MxValue()))
        is_whole = binding.element == WHOLE or (tag.row.is_array and binding.element is None)
        return coerce_array(variant, tag.data_type, tag.enum) if is_whole else coerce(variant, tag.data_type, tag.enum)
    except (CoercionError, ValueConversionError) as error:
        raise OperationError(f"{tag.reference} cannot hold this value: {error or type(error).__name__}") from error
