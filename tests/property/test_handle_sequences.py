"""Random sequences of legal and illegal calls: the model and an independent oracle of handles never differ.

MXGATEWAY_PROPERTY_EXAMPLES sets the number of sequences (1000 without it), half of them with Galaxy security on.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.property.handle_oracle import MS, Oracle, Status, Target
from tests.unit.simulator.plant_session import Buffered, Change, Completion, RecordingSink

from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import VT_ARRAY, Variant, VarType
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description
from mxgateway_simulator.lmx.items import SUPERVISORY, USER
from mxgateway_simulator.lmx.model import LmxProxy
from mxgateway_simulator.lmx.users import UserDirectory
from mxgateway_simulator.passwords import PasswordHash
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.galaxy_file import GalaxyFile, UserRow
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.switches import Switches

EXAMPLES = int(os.environ.get("MXGATEWAY_PROPERTY_EXAMPLES", "1000"))
T0 = 1_750_000_000 * 10**9

INT, STRING = Target("int", security=0), Target("string", kind="string", security=0)
MOVING = Target("moving")
CHILD = "TestChildObject"
# Reference, context, what it reads, whether its value also moves by itself, and whether it has a buffer.
REFERENCES: list[tuple[str, str, Target | None, bool, bool]] = [
    (f"{CHILD}.TestInt", "", INT, False, False),
    ("testchildobject.TESTINT", "", INT, False, False),
    ("Me.TestInt", CHILD, INT, False, False),
    (f"{CHILD}.attribute(TestInt)", "", INT, False, False),
    (f"{CHILD}.TestInt.Value", "", INT, False, False),
    (f"{CHILD}.TestString", "", STRING, False, False),
    (f"{CHILD}.TestString", "", STRING, False, False),
    ("TestMachine_001.TestChangingInt", "", MOVING, True, True),
    ("TestMachine_001.TestChangingInt", "", MOVING, True, True),
    (f"{CHILD}.ClassOperate", "", Target("operate", security=1), False, False),
    (f"{CHILD}.ClassSecuredWrite", "", Target("secured", security=2), False, False),
    (f"{CHILD}.ClassVerifiedWrite", "", Target("verified", security=3), False, False),
    (f"{CHILD}.ClassVerifiedWrite", "", Target("verified", security=3), False, False),
    (f"{CHILD}.ClassTune", "", Target("tune", security=4), False, False),
    (f"{CHILD}.ClassConfigure", "", Target("configure", security=5), False, False),
    (f"{CHILD}.ClassViewOnly", "", Target("view", security=6), False, False),
    (f"{CHILD}.CategoryUserOnly", "", Target("user only", writers="u"), False, False),
    (f"{CHILD}.CategorySupervisoryOnly", "", Target("supervisory only", writers="s"), False, False),
    (f"{CHILD}.CategoryCalculated", "", Target("calculated", writers=""), False, False),
    (f"{CHILD}.TestIntArray", "", None, False, False),
    (f"{CHILD}.TestIntArray.00", "", None, False, False),
    ("NoSuchObject_999.NoSuchAttr", "", None, False, False),
    ("Me.TestInt", "", None, False, False),
    ("", "", None, False, False),
    ("..[", "?", None, False, False),
]
# Value, and the kinds of attributes that do not take it.
VALUES: list[tuple[Variant, tuple[str, ...]]] = [
    (Variant(VarType.VT_I4, 5), ()),
    (Variant(VarType.VT_BSTR, "12"), ()),
    (Variant(VarType.VT_BSTR, "twelve"), ("int",)),
    (Variant(VarType.VT_BOOL, True), ()),
    (Variant(VarType.VT_R8, float("nan")), ("int", "string")),
    (Variant(VT_ARRAY | VarType.VT_I4, (1, 2)), ("int", "string")),
    (Variant(VarType.VT_I8, 2**40), ("int", "string")),
    (Variant(VarType.VT_DATE, T0), ("int",)),
    (Variant(VarType.VT_EMPTY, None), ()),
    (Variant(VarType.VT_NULL, None), ()),
]
# Time of a Write2, and whether it is one.
TIMES = [
    (Variant(VarType.VT_DATE, T0), True),
    (Variant(VarType.VT_BSTR, "2025-01-06T06:00:00"), True),
    (Variant(VarType.VT_BOOL, True), False),
    (Variant(VarType.VT_I8, 2**63 - 1), False),
]
PEOPLE = {
    "operator": frozenset({"operate"}),
    "supervisor": frozenset({"operate", "tune", "verify"}),
    "engineer": frozenset({"configure", "operate"}),
    "guest": frozenset[str](),
}
CALLS = {
    "register": 1, "unregister": 0.4, "add": 4, "add_buffered": 1, "remove": 1, "advise": 4, "un_advise": 1, "write": 5,
    "write2": 2, "write_secured": 3, "write_secured2": 1, "authenticate": 2, "suspend": 1, "activate": 1, "interval": 1,
    "pump": 8,
}  # fmt: skip
"""Calls and how often they come."""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    directory: Path = tmp_path_factory.mktemp("plant")
    build_galaxy(read_description("reference"), directory / "g.db")
    galaxy = GalaxyFile(directory / "g.db")
    board = Board(directory / "b.db", "g")
    yield Plant(galaxy, board, Switches())
    board.close()
    galaxy.close()


@pytest.fixture(scope="module")
def directories() -> dict[bool, UserDirectory]:
    """Users with security off, and on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mxgateway_simulator.passwords.ROUNDS", 1)
        rows = [
            UserRow(name, f"guid-{name}", rights, PasswordHash.of(f"{name}-right")) for name, rights in PEOPLE.items()
        ]
    return {False: UserDirectory("none", rows), True: UserDirectory("galaxy", rows)}


class Run:
    """The model and the oracle side by side, on one random sequence of calls."""

    def __init__(self, plant: Plant, directory: UserDirectory, chance: random.Random, reached: Counter[str]) -> None:
        self.sink = RecordingSink()
        self.model = LmxProxy(plant, directory, self.sink)
        self.oracle = Oracle(people=PEOPLE if directory.is_on else None)
        self.now = T0
        self.chance = chance
        self.calls: list[object] = []
        self.reached = reached

    def play(self) -> None:
        self.step("register", "client")
        for _ in range(self.chance.randint(1, 4)):
            self.step("add", 1, self.chance.randrange(len(REFERENCES)))
            self.step("authenticate", 1, self.chance.choice(list(PEOPLE)), True)
        names, weights = list(CALLS), list(CALLS.values())
        for name in self.chance.choices(names, weights, k=self.chance.randint(20, 60)):
            self.step(name, *getattr(self, f"any_{name}")())
        self.step("pump", 300)

    def step(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        expected = getattr(self, f"expect_{name}")(*arguments)
        try:
            found = getattr(self, f"call_{name}")(*arguments)
        except MxComError as error:
            found = error.hresult
            self.reached[f"{name} refused"] += 1
        else:
            self.reached[name] += 1
        if found is None:
            found = 0
        assert (tuple(found) if isinstance(found, tuple) else found) == expected

    # What calls are made with: mostly handles that exist.

    def any_server(self) -> int:
        known = list(self.oracle.servers)
        if known and self.chance.random() < 0.92:
            return self.chance.choice(known)
        return self.chance.choice([0, -1, 2, 9, 2**31 - 1])

    def any_item(self) -> tuple[int, int]:
        server = self.any_server()
        known = list(self.oracle.servers.get(server, ()))
        if known and self.chance.random() < 0.92:
            return server, self.chance.choice(known)
        return server, self.chance.choice([0, -7, 1, 5, 2**31 - 1])

    def any_user(self) -> int:
        return self.chance.choice([0, 1, 1, 1, 2, 2, 3, 4]) if self.chance.random() < 0.9 else 2**31 - 1

    def any_register(self) -> tuple[str]:
        return (self.chance.choice(["client", "another", ""]),)

    def any_unregister(self) -> tuple[int]:
        return (self.any_server(),)

    def any_add(self) -> tuple[int, int]:
        return self.any_server(), self.chance.randrange(len(REFERENCES))

    any_add_buffered = any_add

    def any_advise(self) -> tuple[int, int, bool]:
        return *self.any_item(), self.chance.random() < 0.4

    any_remove = any_un_advise = any_suspend = any_activate = any_item

    def any_write(self) -> tuple[int, int, int, int]:
        return *self.any_item(), self.chance.randrange(len(VALUES)), self.any_user()

    def any_write2(self) -> tuple[int, int, int, int, int]:
        return *self.any_write(), self.chance.randrange(len(TIMES))

    def any_write_secured(self) -> tuple[int, int, int, int, int]:
        return *self.any_write(), self.any_user()

    def any_write_secured2(self) -> tuple[int, int, int, int, int, int]:
        return *self.any_write_secured(), self.chance.randrange(len(TIMES))

    def any_authenticate(self) -> tuple[int, str, bool]:
        return self.any_server(), self.chance.choice([*PEOPLE, "nobody"]), self.chance.random() < 0.8

    def any_interval(self) -> tuple[int, int]:
        return self.any_server(), self.chance.choice([-1, 0, 1, 250])

    def any_pump(self) -> tuple[int]:
        return (self.chance.choice([0, 1, 30, 300]),)

    # What is expected of each, and what comes.

    def expect_register(self, name: str) -> int:
        return self.oracle.register(name)

    def call_register(self, name: str) -> int:
        return self.model.register(name)

    def expect_unregister(self, server: int) -> int:
        return self.oracle.unregister(server)

    def call_unregister(self, server: int) -> None:
        self.model.unregister(server)

    def expect_add(self, server: int, index: int) -> int:
        _, _, target, is_loose, _ = REFERENCES[index]
        return self.oracle.add(server, target, is_loose)

    def call_add(self, server: int, index: int) -> int:
        reference, context, *_ = REFERENCES[index]
        return self.model.add_item(server, reference, context)

    def expect_add_buffered(self, server: int, index: int) -> int:
        _, _, target, is_loose, has_buffer = REFERENCES[index]
        return self.oracle.add(server, target if has_buffer else None, is_loose and has_buffer, buffered=True)

    def call_add_buffered(self, server: int, index: int) -> int:
        reference, context, *_ = REFERENCES[index]
        return self.model.add_buffered_item(server, reference, context, self.now)

    def expect_remove(self, server: int, handle: int) -> int:
        return self.oracle.remove(server, handle)

    def call_remove(self, server: int, handle: int) -> None:
        self.model.remove_item(server, handle)

    def expect_advise(self, server: int, handle: int, supervisory: bool) -> int:
        return self.oracle.advise(server, handle, supervisory)

    def call_advise(self, server: int, handle: int, supervisory: bool) -> None:
        self.model.advise(server, handle, SUPERVISORY if supervisory else USER, self.now)

    def expect_un_advise(self, server: int, handle: int) -> int:
        return self.oracle.un_advise(server, handle)

    def call_un_advise(self, server: int, handle: int) -> None:
        self.model.un_advise(server, handle)

    def expect_write(self, server: int, handle: int, index: int, user: int) -> int:
        value, misfits = VALUES[index]
        return self.oracle.write(server, handle, value.value is None, False, misfits, user)

    def call_write(self, server: int, handle: int, index: int, user: int) -> None:
        self.model.write(server, handle, VALUES[index][0], user, self.now)

    def expect_write2(self, server: int, handle: int, index: int, user: int, time: int) -> int:
        value, misfits = VALUES[index]
        return self.oracle.write(server, handle, value.value is None, not TIMES[time][1], misfits, user)

    def call_write2(self, server: int, handle: int, index: int, user: int, time: int) -> None:
        self.model.write(server, handle, VALUES[index][0], user, self.now, TIMES[time][0])

    def expect_write_secured(self, server: int, handle: int, index: int, user: int, verifier: int) -> int:
        value, misfits = VALUES[index]
        return self.oracle.write_secured(server, handle, value.value is None, False, misfits, (user, verifier))

    def call_write_secured(self, server: int, handle: int, index: int, user: int, verifier: int) -> None:
        self.model.write_secured(server, handle, user, verifier, VALUES[index][0], self.now)

    def expect_write_secured2(self, server: int, handle: int, index: int, user: int, verifier: int, time: int) -> int:
        value, misfits = VALUES[index]
        bad_time = not TIMES[time][1]
        return self.oracle.write_secured(server, handle, value.value is None, bad_time, misfits, (user, verifier))

    def call_write_secured2(self, server: int, handle: int, index: int, user: int, verifier: int, time: int) -> None:
        self.model.write_secured(server, handle, user, verifier, VALUES[index][0], self.now, TIMES[time][0])

    def expect_authenticate(self, server: int, name: str, right: bool) -> int:
        return self.oracle.authenticate(server, name, right)

    def call_authenticate(self, server: int, name: str, right: bool) -> int:
        return self.model.authenticate_user(server, name, f"{name}-{'right' if right else 'wrong'}")

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
        changes, operations, completions = self.oracle.pump(self.now)
        while (due := self.model.pump(self.now)) is not None and due <= self.now:
            pass
        events, self.sink.events = self.sink.events, []
        shown = [event for event in events if isinstance(event, (Change, Buffered))]
        for event in shown:
            item = self.oracle.find(event.server, event.item)
            assert item is not None
            assert item.advised
            assert item.buffered == isinstance(event, Buffered)
        found = Counter((event.server, event.item) for event in shown)
        for server, items in self.oracle.servers.items():
            for handle, item in items.items():
                if item.is_loose:
                    # A value that moves by itself may give more, but never less; a buffer gives it later.
                    key = server, handle
                    assert found[key] >= changes[key] or item.suspended or item.buffered
                    found.pop(key, None)
                    changes.pop(key, None)
        assert +found == +changes
        done = [event for event in events if isinstance(event, Completion)]
        assert Counter((event.server, event.item) for event in done if event.kind == "operation") == +operations
        assert [(e.server, e.item, tuple(e.status)) for e in done if e.kind == "write"] == completions
        self.reached.update(f"completion {status[3]}" for _, _, status in completions)
        self.reached["operation"] += sum(operations.values())
        self.reached["buffered"] += sum(isinstance(event, Buffered) for event in events)


@pytest.mark.timeout(3600)
def test_model_and_oracle_agree(plant: Plant, directories: dict[bool, UserDirectory]) -> None:
    """Each call's result, each completion in order, and the number of each item's callbacks are as predicted."""
    reached: Counter[str] = Counter()
    for number in range(EXAMPLES):
        run = Run(plant, directories[number % 2 == 1], random.Random(number), reached)
        try:
            run.play()
        except BaseException as error:
            error.add_note(f"sequence {number}, step {len(run.calls)}: {run.calls}")
            raise
    # The sequences get everywhere: each call succeeds and fails, and each way a write can end is seen.
    calls = [*CALLS, *(f"{name} refused" for name in CALLS if name != "pump")]
    ends = [f"completion {detail}" for detail in (0, 1005, 1007, 1008, 1012, 1013, 1016, 1017)]
    assert [name for name in (*calls, *ends, "operation", "buffered") if not reached[name]] == []
