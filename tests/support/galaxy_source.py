"""A Galaxy source that tests steer: what it answers, when it fails, and how long it hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from mxgateway_protocol.variants import DataType
from mxgateway_server.galaxy.assembly import Assembly
from mxgateway_server.galaxy.data import GalaxyData
from mxgateway_server.galaxy.errors import SnapshotError
from mxgateway_simulator.mx_value import encode
from tests.support.galaxy_rows import DEPLOYED

Row = tuple[int, str, str, int, int]
"""gobject_id, tag_name, contained_name, parent, category."""


def galaxy_data(rows: Iterable[Row], deploy_time: datetime | None = DEPLOYED, attributes: int = 2) -> GalaxyData:
    """Objects of one template `$Thing` with attributes A0 (an alarm), A1 (historized), A2 in bar, A3, …"""
    assembly = Assembly(deploy_time)
    assembly.primitive_definitions([(1, "AlarmExtension"), (2, "HistoryExtension")], [])
    assembly.packages([(1, 0)])
    assembly.configured([(1, f"A{number}", 2, False, None, 10, 1) for number in range(attributes)])
    assembly.texts([(1, "A2.EngUnits", encode(DataType.STRING, "bar"))])
    assembly.primitives([(1, "A0", 1, True), (1, "A1", 2, True)])
    assembly.templates([(9001, "$Thing", 9002), (9002, "$UserDefined", 0)])
    return assembly.objects((*row, 0, 9001, 1) for row in rows)


class SteeredSource:
    """Answers `data`; or raises `failure`, or `rubbish` for its rows; while `gate` is cleared its calls hang."""

    identity = "steered"
    display_name = "steered://"
    time_identifies = True

    def __init__(self, data: GalaxyData) -> None:
        self.data = data
        self.failure: BaseException | None = None
        self.rubbish: BaseException | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.polls = 0
        self.reads = 0
        self.probes = 0
        self.on_read: Callable[[], None] = lambda: None
        self.is_closed = False

    def test_connection(self) -> None:
        self.probes += 1
        self._answer()

    def read_deploy_time(self) -> datetime | None:
        self.polls += 1
        self._answer()
        return self.data.deploy_time

    def read_galaxy(self) -> GalaxyData:
        self.reads += 1
        self._answer()
        if self.rubbish is not None:
            raise self.rubbish
        data = self.data
        self.on_read()
        return data

    def close(self) -> None:
        self.is_closed = True
        self.gate.set()

    def _answer(self) -> None:
        self.gate.wait(30)
        if self.failure is not None:
            raise self.failure


class MemorySnapshots:
    """A snapshot store in memory; `failure` is raised by every call, and calls hang while `gate` is cleared."""

    def __init__(self) -> None:
        self.kept: dict[str, GalaxyData] = {}
        self.failure: BaseException | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.saves = 0

    def load(self, identity: str) -> GalaxyData | None:
        self._answer()
        if self.kept and identity not in self.kept:
            raise SnapshotError("it belongs to another Galaxy")
        return self.kept.get(identity)

    def save(self, identity: str, data: GalaxyData) -> None:
        self.saves += 1
        self._answer()
        self.kept[identity] = data

    def _answer(self) -> None:
        self.gate.wait(30)
        if self.failure is not None:
            raise self.failure
