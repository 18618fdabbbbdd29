"""One session of the simulated plant under a manual clock: a backend, and all that its sink was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.clock import ManualClock

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Sample
from mxgateway_protocol.variants import VT_ARRAY, Variant, VarType
from mxgateway_simulator.backend import SimulatorBackend
from mxgateway_simulator.faults import Faults


@dataclass(frozen=True)
class Change:
    """One OnDataChange."""

    server: int
    item: int
    variant: Variant
    quality: int
    timestamp_ns: int
    status: MxStatus

    @property
    def value(self) -> Any:
        return self.variant.value


@dataclass(frozen=True)
class Completion:
    """One OnWriteComplete or OperationComplete."""

    kind: str
    server: int
    item: int
    status: MxStatus


@dataclass(frozen=True)
class Buffered:
    """One OnBufferedDataChange."""

    server: int
    item: int
    data_type: int
    samples: tuple[Sample, ...]
    status: MxStatus


class RecordingSink:
    def __init__(self) -> None:
        self.events: list[Change | Completion | Buffered] = []

    def on_data_change(
        self, server: int, item: int, value: Variant, quality: int, timestamp_ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        assert len(statuses) == 1
        self.events.append(Change(server, item, value, quality, timestamp_ns, statuses[0]))

    def on_write_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        assert len(statuses) == 1
        self.events.append(Completion("write", server, item, statuses[0]))

    def operation_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        assert len(statuses) == 1
        self.events.append(Completion("operation", server, item, statuses[0]))

    def on_buffered_data_change(
        self, server: int, item: int, data_type: int, samples: Sequence[Sample], statuses: Sequence[MxStatus]
    ) -> None:
        assert len(statuses) == 1
        self.events.append(Buffered(server, item, data_type, tuple(samples), statuses[0]))


def i4(value: int) -> Variant:
    return Variant(VarType.VT_I4, value)


def text(value: str) -> Variant:
    return Variant(VarType.VT_BSTR, value)


def boolean(value: bool) -> Variant:
    return Variant(VarType.VT_BOOL, value)


def array(vartype: int, *values: Any) -> Variant:
    return Variant(VT_ARRAY | vartype, values)


class PlantSession:
    """A backend with one registered client; `pump` and `advance` return the events that came."""

    def __init__(
        self, galaxy: Path, board: Path, profile: str, switches: Mapping[str, str], clock: ManualClock
    ) -> None:
        self.clock = clock
        self.sink = RecordingSink()
        self.faults = Faults()
        self.backend = SimulatorBackend(
            galaxy=galaxy, board=board, profile=profile, switches=switches, faults=self.faults, clock=clock
        )
        self.backend.open(self.sink)
        self.server = self.backend.register("tests")

    def close(self) -> None:
        self.backend.close()

    def pump(self) -> list[Any]:
        """Pumps at the present time until nothing is due, and returns what came."""
        for _ in range(100):
            if self.backend.pump() > 0:
                break
        events, self.sink.events = self.sink.events, []
        return events

    def advance(self, seconds: float, step: float = 0.025) -> list[Any]:
        """Lets time pass in small steps and returns what came."""
        events = []
        for _ in range(max(1, round(seconds / step))):
            self.clock.advance(step)
            events += self.pump()
        return events

    def item(self, reference: str, context: str = "") -> int:
        return self.backend.add_item2(self.server, reference, context)

    def advised(self, reference: str, context: str = "", supervisory: bool = False) -> int:
        """An advised item whose first callback was delivered and taken."""
        handle = self.item(reference, context)
        advise = self.backend.advise_supervisory if supervisory else self.backend.advise
        advise(self.server, handle)
        self.pump()
        return handle

    def read(self, reference: str, context: str = "") -> Change:
        """What a client reads: the first callback of a fresh item, leaving no trace."""
        handle = self.item(reference, context)
        self.backend.advise(self.server, handle)
        found = [event for event in self.pump() if isinstance(event, Change) and event.item == handle]
        self.backend.remove_item(self.server, handle)
        assert len(found) == 1, found
        return found[0]

    def write(self, handle: int, value: Variant, user: int = 0) -> list[Any]:
        """Writes, and returns the events up to now."""
        self.backend.write(self.server, handle, value, user)
        return self.pump()

    def outcome(self, handle: int, value: Variant, user: int = 0) -> tuple[int, int, int, int]:
        """The status that completes a write."""
        done = [event for event in self.write(handle, value, user) if isinstance(event, Completion)]
        assert len(done) == 1, done
        return tuple(map(int, done[0].status))  # type: ignore[return-value]
