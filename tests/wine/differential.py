"""Calls on the simulator and on COM side by side, in a Windows Python: differential.py GALAXY CALLS [SWITCH=VALUE …]

The two were written apart from each other after the same facts, so a difference is a misreading of one of them, or a
question that the facts leave open: then the simulator has a switch for it. First each value is written to an attribute
of each type, then come random calls. Prints one JSON object: the number of calls, and each kind of difference once,
with the calls that led to it. A sequence ends at its first difference: what follows one says nothing.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Backend, Sample
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import VT_ARRAY, Variant
from mxgateway_simulator.backend import create_backend as create_simulator
from mxgateway_worker.backends.com import create_backend as create_com

CHILD = "TestChildObject."
REFERENCES = [CHILD + name for name in (
    "TestInt", "TestBool", "TestFloat", "TestDouble", "TestString", "TestIntArray", "TestIntArray[]", "TestIntArray[1]",
    "TestIntArray[0]", "TestIntArray[99]", "TestStringArray[]", "TestStringArray[2]", "TestDateTime", "TestBoolArray[]",
    "ClassSecuredWrite", "TestBigString", "TESTINT",
)] + ["No.Such", "", "TestChildObject"]  # fmt: skip
VALUES = {
    "int 5": Variant(3, 5), "int 0": Variant(3, 0), "true": Variant(11, True), "double 2.5": Variant(5, 2.5),
    "float 0.5": Variant(4, 0.5), "text 7": Variant(8, "7"), "text abc": Variant(8, "abc"),
    "text true": Variant(8, "true"),
    "empty": Variant(0, None), "null": Variant(1, None), "int64": Variant(20, 1 << 40),
    "ints": Variant(VT_ARRAY | 3, (1, 2)), "texts": Variant(VT_ARRAY | 8, ("a",)),
    "doubles": Variant(VT_ARRAY | 5, (1.5,)),
    "time": Variant(7, 1_700_000_000_000_000_000), "double 1e300": Variant(5, 1e300), "short 9": Variant(2, 9),
    "byte 200": Variant(17, 200),
}  # fmt: skip
CALLS_A_SEQUENCE = 25
TYPES = [CHILD + name for name in ("TestInt", "TestBool", "TestFloat", "TestString", "TestDateTime")]
Call = tuple[Any, ...]


class Recorder:
    """An event sink that keeps what can be compared: all but times."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def on_data_change(
        self, server: int, item: int, value: Variant, quality: int, ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        self.events.append(("change", item, int(value.vartype), repr(value.value)[:60], quality, told(statuses[0])))

    def on_write_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        self.events.append(("write", item, told(statuses[0])))

    def operation_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        self.events.append(("operation", item, told(statuses[0])))

    def on_buffered_data_change(
        self, server: int, item: int, data_type: int, samples: Sequence[Sample], statuses: Sequence[MxStatus]
    ) -> None:
        self.events.append(("buffered", item, data_type, repr(samples[0].value.value)[:40], told(statuses[0])))


def told(status: MxStatus) -> tuple[int, ...]:
    return tuple(map(int, status))


def a_call(chance: random.Random) -> Call:
    server, item = chance.choice((1, 1, 1, 1, 1, 1, 2)), chance.randrange(1, 4)
    value = chance.choice(list(VALUES))
    kinds: list[Call] = [("add_item", server, chance.choice(REFERENCES))] * 2
    kinds += [("advise", server, item)] * 2 + [("write", server, item, value)] * 3
    kinds += [
        (name, server, item) for name in ("advise_supervisory", "un_advise", "remove_item", "suspend", "activate")
    ]
    kinds += [("write_secured", server, item, value), ("register",)]
    return chance.choice(kinds)


def random_calls(seed: int) -> Iterator[Call]:
    chance = random.Random(seed)
    return (a_call(chance) for _ in range(CALLS_A_SEQUENCE))


def directed_calls() -> Iterator[list[Call]]:
    for reference in TYPES:
        for value in VALUES:
            yield [("add_item", 1, reference), ("advise", 1, 1), ("write", 1, 1, value)]


def answer(backend: Backend, call: Call) -> object:
    name, *arguments = call
    try:
        if name == "register":
            return backend.register("x")
        if name == "write":
            backend.write(arguments[0], arguments[1], VALUES[arguments[2]], 0)
            return None
        if name == "write_secured":
            backend.write_secured(arguments[0], arguments[1], 1, 1, VALUES[arguments[2]])
            return None
        result = getattr(backend, name)(*arguments)
        return told(result) if isinstance(result, MxStatus) else result
    except MxComError as error:
        return f"0x{error.hresult & 0xFFFFFFFF:08X}"


def sequence(galaxy: Path, wanted: Iterable[Call], switches: dict[str, str]) -> tuple[int, dict[str, Any] | None]:
    """One sequence of calls on both; how many there were, and the difference that ended it.

    Args:
        switches: of the simulator.
    """
    left, right = Recorder(), Recorder()
    calls: list[Call] = []
    items: dict[tuple[int, int], str] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copy = shutil.copy(galaxy, Path(folder) / "galaxy.db")
        chosen = {f"switch.{name}": value for name, value in switches.items()}
        simulator = create_simulator({"galaxy": str(copy), "switch.operation_latency_ms": "0", **chosen})
        com = create_com({})
        simulator.open(left)
        com.open(right)
        try:
            com.inject_fault("reset_plant", {})
            com.inject_fault("switch", {"name": "operation_latency_ms", "value": "0"})
            simulator.register("x"), com.register("x")
            for call in wanted:
                calls.append(call)
                left.events.clear(), right.events.clear()
                one, other = answer(simulator, call), answer(com, call)
                if call[0] == "add_item" and isinstance(one, int):
                    items[call[1], one] = call[2]
                settle(simulator, com, left, right)
                if one != other or left.events != right.events:
                    return len(calls), {
                        "call": call[0],
                        "reference": items.get(call[1:3], "") if len(call) > 2 else "",
                        "value": call[3] if len(call) > 3 else "",
                        "answers": [one, other],
                        "events": [list(left.events), list(right.events)],
                        "after": [list(map(str, each)) for each in calls[-6:]],
                    }
        finally:
            simulator.close()
            com.close()
    return len(calls), None


def settle(simulator: Backend, com: Backend, left: Recorder, right: Recorder) -> None:
    """Lets both deliver what is due: all of COM's is posted before its call returns."""
    for _ in range(4):
        simulator.pump()
    end = time.perf_counter() + 0.012
    while time.perf_counter() < end and len(right.events) < len(left.events):
        com.wait(0.003)
        com.pump()
    com.pump()


def main(galaxy: Path, wanted: int, switches: dict[str, str]) -> None:
    kinds: dict[str, dict[str, Any]] = {}
    done = seed = 0

    def note(difference: dict[str, Any] | None) -> None:
        if difference is not None:
            key = json.dumps([difference[name] for name in ("call", "reference", "value", "answers")])
            kinds.setdefault(key, {**difference, "count": 0})["count"] += 1

    for calls in directed_calls():
        note(sequence(galaxy, calls, switches)[1])
    while done < wanted:
        calls_made, difference = sequence(galaxy, random_calls(seed), switches)
        note(difference and {**difference, "seed": seed})
        done, seed = done + calls_made, seed + 1
    sys.stdout.write(json.dumps({"calls": done, "differences": list(kinds.values())}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), dict(pair.split("=", 1) for pair in sys.argv[3:]))
