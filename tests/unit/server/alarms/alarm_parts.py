"""Small alarms, books and monitors for the tests of the alarm room."""

from __future__ import annotations

from typing import Any

from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.feed import AlarmFeed, FeedLimits, Wish
from mxgateway_server.alarms.groups import PortionLimits
from mxgateway_server.alarms.log import ChangeLog, LogLimits
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind, Origin, Report, Snapshot, State
from mxgateway_server.alarms.monitor import AlarmMonitor, MonitorTimes
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.subscriber import Subscriber
from mxgateway_server.alarms.telling import Portion

SECOND = 1_000_000_000
T0 = 1_750_000_000 * SECOND
EPOCH = "e" * 32


def source(name: str = "Tank.Hi", area: str = "Line1", **more: Any) -> AlarmSource:
    return AlarmSource(
        reference=f"Galaxy!{area}.{name}",
        provider="Galaxy",
        group=area,
        name=name,
        object_reference=name,
        area=area,
        area_path=(area, "Plant"),
        **more,
    )


def guid(number: int) -> str:
    return f"{number:08x}-0000-0000-0000-000000000000"


def alarm(name: str = "Tank.Hi", state: State = State.UNACK_ALM, number: int = 1, **more: Any) -> Alarm:
    """An alarm whose occurrence `number` began so many minutes after T0."""
    raised = T0 + number * 60 * SECOND
    facts: dict[str, Any] = {"guid": guid(number), "raised_ns": raised, "changed_ns": raised, **more}
    return Alarm(facts.pop("source", None) or source(name), state, **facts)


def report(kind: Kind, told: Alarm, origin: Origin = Origin.LIVE) -> Report:
    return Report(kind, told, origin)


def new_book(changes: int = 1000, last: int = 0) -> AlarmBook:
    return AlarmBook(ChangeLog(LogLimits(changes=changes), EPOCH, last))


def snapshot(*alarms: Alarm, **more: Any) -> Snapshot:
    return Snapshot(alarms=alarms, **more)


def told(changes: list[Change]) -> list[tuple[str, str, str]]:
    """Kind, state after it and origin of each change."""
    return [(each.kind.name, each.alarm.state.name, each.origin.name) for each in changes]


class Room:
    """A monitor with its book and feed, and a time that a test moves."""

    def __init__(self, changes: int = 1000, times: MonitorTimes | None = None, **more: Any) -> None:
        self.book, self.notes = new_book(changes), NoteBoard()
        self.feed = AlarmFeed(self.book, self.notes, FeedLimits(portion=PortionLimits(messages=50)))
        self.monitor = AlarmMonitor(self.book, self.feed, self.notes, times or MonitorTimes(), lambda: 0.5, **more)
        self.now, self.now_ns = 1000.0, T0
        self.number = 0

    def begin(self, *alarms: Alarm, **more: Any) -> None:
        """A worker is there and has told its list."""
        self.monitor.tick(self.now, self.now_ns)
        self.monitor.opened(self.now, self.now_ns)
        self.number = 0
        self.monitor.subscribed()
        self.list(*alarms, **more)

    def list(self, *alarms: Alarm, **more: Any) -> list[Change]:
        facts = {"as_of": self.number, **more}
        return self.monitor.snapshot(snapshot(*alarms, **facts), self.now, self.now_ns)[0]

    def tell(self, *reports: Report | None) -> list[Change]:
        numbered = []
        for each in reports:
            self.number += 1
            numbered.append((self.number, each))
        return self.monitor.reported(numbered, self.now, self.now_ns)[0]

    def join(self, **wish: Any) -> Subscriber:
        return self.feed.join("key", Wish(**wish), self.now)

    def read(self, stream: Subscriber) -> list[Portion]:
        """What the stream gets now."""
        found: list[Portion] = []
        while True:
            portion = stream.take(self.monitor.status, self.now, has_list=self.monitor.shows_list)
            if portion is None:
                return found
            if portion.items:
                found.append(portion)

    def arms(self, stream: Subscriber) -> list[str]:
        """What kinds of messages the stream gets now."""
        return [type(each).__name__.removeprefix("Told") for portion in self.read(stream) for each, _ in portion.items]
