"""A COM apartment in Python: the 18 methods of LMXProxy as a script, and events as the bytes that Invoke gets."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_worker.backends.com.identity import EVENTS, METHODS
from mxgateway_worker.backends.com.ports import Argument, Deliver, LateBound, ServerFile
from tests.support.com_memory import Arena

GOOD = (-1, 0, 0, 0)


def integer(number: int) -> bytes:
    return struct.pack("<H6xi4x", 3, number)


def date(days: float) -> bytes:
    return struct.pack("<H6xd", 7, days)


@dataclass
class FakeLmx:
    """Remembers every call; answers handles 1, 2, 3 …, and whatever a test puts into `answers`."""

    arena: Arena
    deliver: Deliver
    interface_version: int = 5
    file: ServerFile = field(default_factory=lambda: ServerFile("C:\\x\\LmxProxy.dll", "3.2.0.0"))
    calls: list[tuple[object, ...]] = field(default_factory=list)
    answers: dict[str, Callable[[], int | bytes | None]] = field(default_factory=dict)
    references: int = 1
    connected: bool = True
    handles: int = 0

    def call(self, method: str, *arguments: Argument) -> int | bytes | None:
        assert len(arguments) == len(METHODS[method].parameters)
        self.calls.append((method, *arguments))
        if method in self.answers:
            return self.answers[method]()
        if METHODS[method].result == "i":
            self.handles += 1
            return self.handles
        return struct.pack("<hxxiih", -1, 1, 0, 0) + b"\xee\xee" if METHODS[method].result == "S" else None

    def control(self, command: str) -> bool:
        self.calls.append(("control", command))
        return command.startswith("hang_call")

    def disconnect(self) -> None:
        self.calls.append(("disconnect",))
        self.connected = False

    def release(self) -> int:
        self.calls.append(("release",))
        self.references -= 1
        return self.references

    def change(self, server: int, item: int, value: bytes, quality: int = 192, status: tuple[int, ...] = GOOD) -> None:
        """OnDataChange as LMXProxy raises it: the last parameter first."""
        statuses = self.arena.statuses(status)  # type: ignore[arg-type]
        self.deliver(EVENTS, 1, statuses + date(45_000.5) + integer(quality) + value + integer(item) + integer(server))

    def done(self, dispid: int, server: int, item: int, status: tuple[int, ...] = GOOD) -> None:
        self.deliver(EVENTS, dispid, self.arena.statuses(status) + integer(item) + integer(server))  # type: ignore[arg-type]


class FakeApartment:
    """Messages are functions in a list; `pump` runs them one by one."""

    def __init__(self, make: Callable[[Deliver], FakeLmx] | None = None, refuse: MxComError | None = None) -> None:
        self.arena = Arena()
        self._make = make or (lambda deliver: FakeLmx(self.arena, deliver))
        self._refuse = refuse
        self.messages: list[Callable[[], None]] = []
        self.entered = 0
        self.lmx: FakeLmx | None = None
        self._event = threading.Event()
        self.budgets: list[float] = []
        self.late_bound: list[str] = []
        self.make_late_bound: Callable[[], LateBound] | None = None

    def enter(self) -> None:
        self.entered += 1

    def create(self, deliver: Deliver) -> FakeLmx:
        if self._refuse is not None:
            raise self._refuse
        self.lmx = self._make(deliver)
        return self.lmx

    def create_late_bound(self, name: str) -> LateBound:
        self.late_bound.append(name)
        if self.make_late_bound is None:
            raise MxComError(hresults.REGDB_E_CLASSNOTREG, f"{name} is not registered")
        return self.make_late_bound()

    def wait(self, seconds: float) -> None:
        if seconds > 0 and not self.messages:
            self._event.wait(seconds)
            self._event.clear()

    def wake(self) -> None:
        self._event.set()

    def pump(self, budget: float) -> bool:
        self.budgets.append(budget)
        for _ in range(2):
            if not self.messages:
                return False
            self.messages.pop(0)()
        return bool(self.messages)

    def leave(self) -> None:
        self.entered -= 1


NOT_INSTALLED = MxComError(hresults.REGDB_E_CLASSNOTREG, "LMXProxy.LMXProxyServer.1 is not registered")
