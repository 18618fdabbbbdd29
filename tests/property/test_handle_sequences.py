"""Random sequences of legal and illegal calls: the model and an independent oracle of handles never differ.

MXGATEWAY_PROPERTY_EXAMPLES sets the number of sequences (300 without it).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.property.handle_oracle import MS, Oracle, Status
from tests.unit.simulator.plant_session import Change, Completion, RecordingSink

from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import VT_ARRAY, Variant, VarType
from mxgateway_simulator.board import Board
from mxgateway_simulator.builder import build_galaxy
from mxgateway_simulator.description_reader import read_description
from mxgateway_simulator.galaxy_file import GalaxyFile
from mxgateway_simulator.items import SUPERVISORY, USER
from mxgateway_simulator.model import LmxProxy
from mxgateway_simulator.plant import Plant
from mxgateway_simulator.switches import Switches
from mxgateway_simulator.users import UserDirectory

EXAMPLES = int(os.environ.get("MXGATEWAY_PROPERTY_EXAMPLES", "300"))
T0 = 1_750_000_000 * 10**9
OK: Status = (-1, 0, 5, 0)
MISFIT: Status = (0, 7, 5, 1005)
NOT_WRITEABLE: Status = (0, 5, 5, 1007)

# Reference, context, what it reads, and whether its value also moves by itself.
REFERENCES = [
    ("TestChildObject.TestInt", "", "int", False),
    ("testchildobject.TESTINT", "", "int", False),
    ("Me.TestInt", "TestChildObject", "int", False),
    ("TestChildObject.TestString", "", "string", False),
    ("TestChildObject.ClassViewOnly", "", "view", False),
    ("TestMachine_001.TestChangingInt", "", "moving", True),
    ("TestChildObject.TestIntArray", "", None, False),
    ("NoSuchObject_999.NoSuchAttr", "", None, False),
    ("Me.TestInt", "", None, False),
    ("", "", None, False),
    ("..[", "?", None, False),
]
# Value, and how its write ends for each of what is read.
VALUES: list[tuple[Variant, dict[str, Status]]] = [
    (Variant(VarType.VT_I4, 5), {}),
    (Variant(VarType.VT_BSTR, "12"), {}),
    (Variant(VarType.VT_BSTR, "twelve"), {"int": MISFIT, "moving": MISFIT}),
    (Variant(VarType.VT_BOOL, True), {}),
    (Variant(VarType.VT_R8, float("nan")), {"int": MISFIT, "moving": MISFIT, "string": MISFIT}),
    (Variant(VT_ARRAY | VarType.VT_I4, (1, 2)), {"int": MISFIT, "moving": MISFIT, "string": MISFIT}),
    (Variant(VarType.VT_I8, 2**40), {"int": MISFIT, "moving": MISFIT}),
    (Variant(VarType.VT_EMPTY, None), {}),
    (Variant(VarType.VT_NULL, None), {}),
]
TIMES = [Variant(VarType.VT_DATE, T0), Variant(VarType.VT_BSTR, "2025-01-06T06:00:00"), Variant(VarType.VT_BOOL, True)]

servers = st.sampled_from([1, 1, 1, 1, 1, 1, 2, 2, 3, 0, -1, 2**31 - 1])
handles = st.sampled_from([1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 0, -7, 2**31 - 1])
indices = st.integers(0, 100)
calls = st.one_of(
    st.tuples(st.just("register"), st.sampled_from(["client", "another", ""])),
    st.tuples(st.just("unregister"), servers),
    st.tuples(st.just("add"), servers, indices),
    st.tuples(st.just("add"), servers, indices),
    st.tuples(st.just("remove"), servers, handles),
    st.tuples(st.just("advise"), servers, handles, st.booleans()),
    st.tuples(st.just("advise"), servers, handles, st.booleans()),
    st.tuples(st.just("un_advise"), servers, handles),
    st.tuples(st.just("write"), servers, handles, indices),
    st.tuples(st.just("write"), servers, handles, indices),
    st.tuples(st.just("write2"), servers, handles, indices, indices),
    st.tuples(st.just("write_secured"), servers, handles, indices),
    st.tuples(st.just("authenticate"), servers),
    st.tuples(st.just("suspend"), servers, handles),
    st.tuples(st.just("activate"), servers, handles),
    st.tuples(st.just("interval"), servers, st.sampled_from([-1, 0, 1, 250])),
    st.tuples(st.just("pump"), st.sampled_from([0, 1, 30, 300])),
    st.tuples(st.just("pump"), st.sampled_from([0, 1, 30, 300])),
)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    directory: Path = tmp_path_factory.mktemp("plant")
    build_galaxy(read_description("reference"), directory / "g.db")
    galaxy = GalaxyFile(directory / "g.db")
    board = Board(directory / "b.db", "g")
    yield Plant(galaxy, board, Switches())
    board.close()
    galaxy.close()


class Run:
    """The model and the oracle side by side."""

    def __init__(self, plant: Plant) -> None:
        self.sink = RecordingSink()
        self.model = LmxProxy(plant, UserDirectory("none", ()), self.sink)
        self.oracle = Oracle()
        self.now = T0

    def step(self, call: tuple[Any, ...]) -> None:
        name, *arguments = call
        expected = getattr(self, f"expect_{name}")(*arguments)
        try:
            found = getattr(self, f"call_{name}")(*arguments)
        except MxComError as error:
            found = error.hresult
        if found is None:
            found = 0
        assert (tuple(found) if isinstance(found, tuple) else found) == expected, call

    def expect_register(self, name: str) -> int:
        return self.oracle.register(name)

    def call_register(self, name: str) -> int:
        return self.model.register(name)

    def expect_unregister(self, server: int) -> int:
        return self.oracle.unregister(server)

    def call_unregister(self, server: int) -> None:
        self.model.unregister(server)

    def expect_add(self, server: int, index: int) -> int:
        _, _, target, is_loose = REFERENCES[index % len(REFERENCES)]
        return self.oracle.add(server, target, is_loose)

    def call_add(self, server: int, index: int) -> int:
        reference, context, *_ = REFERENCES[index % len(REFERENCES)]
        return self.model.add_item(server, reference, context)

    def expect_remove(self, server: int, handle: int) -> int:
        return self.oracle.remove(server, handle)

    def call_remove(self, server: int, handle: int) -> None:
        self.model.remove_item(server, handle)

    def expect_advise(self, server: int, handle: int, supervisory: bool) -> int:
        return self.oracle.advise(server, handle)

    def call_advise(self, server: int, handle: int, supervisory: bool) -> None:
        self.model.advise(server, handle, SUPERVISORY if supervisory else USER, self.now)

    def expect_un_advise(self, server: int, handle: int) -> int:
        return self.oracle.un_advise(server, handle)

    def call_un_advise(self, server: int, handle: int) -> None:
        self.model.un_advise(server, handle)

    def _expected_write(self, server: int, handle: int, index: int, bad_time: bool, secured: bool) -> int:
        value, statuses = VALUES[index % len(VALUES)]
        item = self.oracle.find(server, handle)
        target = item.target if item else None
        status = NOT_WRITEABLE if target == "view" else statuses.get(target or "", OK)
        return self.oracle.write(server, handle, value.value is None, bad_time, status, secured)

    def expect_write(self, server: int, handle: int, index: int) -> int:
        return self._expected_write(server, handle, index, False, False)

    def call_write(self, server: int, handle: int, index: int) -> None:
        self.model.write(server, handle, VALUES[index % len(VALUES)][0], 0, self.now)

    def expect_write2(self, server: int, handle: int, index: int, time: int) -> int:
        return self._expected_write(server, handle, index, time % len(TIMES) == 2, False)

    def call_write2(self, server: int, handle: int, index: int, time: int) -> None:
        self.model.write(server, handle, VALUES[index % len(VALUES)][0], 0, self.now, TIMES[time % len(TIMES)])

    def expect_write_secured(self, server: int, handle: int, index: int) -> int:
        return self._expected_write(server, handle, index, False, True)

    def call_write_secured(self, server: int, handle: int, index: int) -> None:
        self.model.write_secured(server, handle, 1, 1, VALUES[index % len(VALUES)][0], self.now)

    def expect_authenticate(self, server: int) -> int:
        return self.oracle.authenticate(server)

    def call_authenticate(self, server: int) -> int:
        return self.model.authenticate_user(server, "anybody", "anything")

    def expect_suspend(self, server: int, handle: int) -> int | Status:
        return self.oracle.suspend(server, handle, self.now)

    def call_suspend(self, server: int, handle: int) -> Any:
        return self.model.suspend(server, handle, self.now)

    def expect_activate(self, server: int, handle: int) -> int | Status:
        return self.oracle.activate(server, handle, self.now)

    def call_activate(self, server: int, handle: int) -> Any:
        return self.model.activate(server, handle, self.now)

    def expect_interval(self, server: int, milliseconds: int) -> int:
        return self.oracle.interval(server, milliseconds)

    def call_interval(self, server: int, milliseconds: int) -> None:
        self.model.set_buffered_update_interval(server, milliseconds)

    def expect_pump(self, milliseconds: int) -> int:
        return 0

    def call_pump(self, milliseconds: int) -> None:
        self.now += milliseconds * MS
        loose = {
            (server, handle)
            for server, items in self.oracle.servers.items()
            for handle, item in items.items()
            if item.is_loose
        }
        changes, operations, completions = self.oracle.pump(self.now)
        while (due := self.model.pump(self.now)) is not None and due <= self.now:
            pass
        events, self.sink.events = self.sink.events, []
        found = Counter((event.server, event.item) for event in events if isinstance(event, Change))
        for key in loose:
            # A value that moves by itself may give more, but never less, and nothing when it is not advised.
            item = self.oracle.find(*key)
            assert found[key] >= changes[key] or item is None or item.suspended
            assert not found[key] or (item is not None and item.advised)
            found.pop(key, None)
            changes.pop(key, None)
        assert +found == +changes
        done = [event for event in events if isinstance(event, Completion)]
        assert Counter((event.server, event.item) for event in done if event.kind == "operation") == +operations
        assert [(e.server, e.item, tuple(e.status)) for e in done if e.kind == "write"] == completions


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    items=st.lists(st.tuples(indices, st.sampled_from(["leave", "advise", "connect"])), min_size=2, max_size=5),
    sequence=st.lists(calls, min_size=20, max_size=60),
)
@pytest.mark.timeout(3600)
def test_model_and_oracle_agree(plant: Plant, items: list[tuple[int, str]], sequence: list[tuple[Any, ...]]) -> None:
    """Each call's result, each completion in order, and the number of each item's callbacks are as predicted."""
    run = Run(plant)
    run.step(("register", "client"))
    # Begins with items in different states, so that short sequences reach far.
    for handle, (index, state) in enumerate(items, 1):
        run.step(("add", 1, index))
        if state != "leave":
            run.step(("advise", 1, handle, False))
        if state == "connect":
            run.step(("pump", 0))
    for call in [*sequence, ("pump", 300)]:
        run.step(call)
