"""A worker's inside with alarms: over the simulator, or with a scripted alarm manager beside a fake LMXProxy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.support.clock import ManualClock
from tests.support.direct_executor import DirectSession
from tests.support.fake_backend import FakeBackend

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.alarms.provider import (
    AlarmName,
    AlarmSubscription,
    Answer,
    Operator,
    PollResult,
    ProviderError,
)
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.backend import Backend
from mxgateway_protocol.batches import split_events

EXPRESSION = "\\\\NODE\\Galaxy!Hall"


class ScriptedManager:
    """An alarm manager whose list a test sets.

    Attributes:
        listed: the list.
        fails: raised by polls while it is set.
        takes: seconds that a poll lets pass.
        answers: what acknowledgements are answered with.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.listed: list[AlarmRecord] = []
        self.fails: ProviderError | None = None
        self.fails_to_subscribe: ProviderError | None = None
        self.takes = 0.0
        self.answers: Answer | ProviderError = Answer(0)
        self.asked: list[tuple[str, str, Operator]] = []
        self.polls = 0
        self.is_open = False
        self._before: list[AlarmRecord] = []

    def subscribe(self, request: AlarmSubscription) -> None:
        if self.fails_to_subscribe is not None:
            raise self.fails_to_subscribe
        self.is_open = True
        self._before = []

    def poll(self, now_ns: int) -> PollResult:
        self.polls += 1
        self._clock.advance(self.takes)
        if self.fails is not None:
            raise self.fails
        before, self._before = self._before, list(self.listed)
        return PollResult(
            [each for each in self.listed if each not in before],
            [each for each in before if each not in self.listed],
            len(self.listed),
        )

    def acknowledge(self, alarm: AlarmName, comment: str, operator: Operator) -> Answer:
        return self._answer(f"acknowledge {alarm.name}", comment, operator)

    def dismiss(self, alarm: AlarmName, operator: Operator) -> Answer:
        return self._answer(f"dismiss {alarm.name}", "", operator)

    def shelve(self, alarm: AlarmName, hours: float, reason: str, operator: Operator) -> Answer:
        return self._answer(f"shelve {alarm.name} {hours:g}", reason, operator)

    def _answer(self, what: str, comment: str, operator: Operator) -> Answer:
        self.asked.append((what, comment, operator))
        if isinstance(self.answers, ProviderError):
            raise self.answers
        return self.answers

    def close(self) -> None:
        self.is_open = False


class BackendWithAlarms(FakeBackend):
    """A fake LMXProxy with a scripted alarm manager beside it."""

    def __init__(self, manager: ScriptedManager) -> None:
        super().__init__()
        self._manager = manager

    def alarm_provider(self) -> ScriptedManager:
        return self._manager


class AlarmSession(DirectSession):
    """Commands and turns of the pump, without threads."""

    def __init__(self, backend: Backend, clock: ManualClock, capacity: int = 10_000) -> None:
        super().__init__(backend, clock=clock, capacity=capacity)

    @classmethod
    def scripted(cls, capacity: int = 10_000) -> tuple[AlarmSession, ScriptedManager]:
        clock = ManualClock()
        manager = ScriptedManager(clock)
        return cls(BackendWithAlarms(manager), clock, capacity), manager

    def subscribe(self, **fields: object) -> pb.MxCommandReply:
        return self.call("subscribe_alarms", **{"subscription_expression": EXPRESSION, **fields})

    def turn(self, seconds: float = 0.5) -> list[pb.MxEvent]:
        """Lets time pass, pumps once, and returns the events that came."""
        self.clock.advance(seconds)
        self.executor._pump()
        return self.taken()

    def taken(self) -> list[pb.MxEvent]:
        batch = self.events.take_batch(1_000_000, 1 << 30)
        return [pb.MxEvent.FromString(event) for event in split_events(batch.data)] if batch else []

    def listed(self, **fields: object) -> pb.QueryActiveAlarmsReplyPayload:
        return self.call("query_active_alarms", **fields).query_active_alarms

    def until(self, is_done: Callable[[], bool], most: int = 200, seconds: float = 0.5) -> list[pb.MxEvent]:
        """Turns until something is so; the events that came."""
        events: list[pb.MxEvent] = []
        for _ in range(most):
            if is_done():
                return events
            events += self.turn(seconds)
        raise AssertionError("it did not come to that")


def transitions(events: Sequence[pb.MxEvent]) -> list[tuple[str, str]]:
    """Kind and alarm of each transition among events."""
    kinds = pb.AlarmTransitionKind
    return [
        (
            kinds.Name(event.on_alarm_transition.transition_kind).removeprefix("ALARM_TRANSITION_KIND_"),
            event.on_alarm_transition.alarm_name,
        )
        for event in events
        if event.WhichOneof("body") == "on_alarm_transition"
    ]


def modes(events: Sequence[pb.MxEvent]) -> list[pb.OnAlarmProviderModeChangedEvent]:
    return [
        event.on_alarm_provider_mode_changed
        for event in events
        if event.WhichOneof("body") == "on_alarm_provider_mode_changed"
    ]


def record(name: str = "Pump.Trip", state: str = "UNACK_ALM", **fields: object) -> AlarmRecord:
    known: dict[str, object] = {"guid": f"{name}/1", "changed_ns": 10**18, "raised_ns": 10**18}
    return AlarmRecord("Galaxy", "Hall", name, state, **{**known, **fields})  # type: ignore[arg-type]
