"""One random history of a plant, a worker with faults, the monitor, and readers of every kind; and what must hold."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tests.property.alarm_readers import OldReader, Reader, facts_of
from tests.support.alarm_plant import Facts, Plant, Worker

from mxgateway_server.access.constraints import FREE, Constraints, NoLookup
from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.feed import AlarmFeed, FeedLimits, Wish
from mxgateway_server.alarms.filters import AlarmFilter, make_filter
from mxgateway_server.alarms.groups import Everything, PortionLimits
from mxgateway_server.alarms.log import ChangeLog, LogLimits
from mxgateway_server.alarms.model import Alarm, Change, Kind, Mode, Provider, Snapshot, State
from mxgateway_server.alarms.monitor import (
    Action,
    AlarmMonitor,
    AskSnapshot,
    Close,
    MonitorTimes,
    Open,
    Resubscribe,
    Speaker,
)
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.occurrences import SAME_START_NS
from mxgateway_server.alarms.rights import LimitedViewer
from mxgateway_server.alarms.subscriber import LagPolicy
from mxgateway_server.alarms.telling import (
    MonitorState,
    Portion,
    ProviderStatus,
    Reason,
    ToldAlarm,
    ToldChange,
    ToldFlood,
    ToldGap,
    ToldMarker,
)

STEPS = 100

FILTERS: list[AlarmFilter] = [
    make_filter(),
    make_filter(areas=["plant"]),
    make_filter(areas=["Mixing"], has_sub_areas=False),
    make_filter(priority_max=400),
    make_filter(states=[1, 3]),
    make_filter(references=["galaxy!packing.*"], text="pump"),
    make_filter(excludes_shelved=True, excludes_silenced=True),
    make_filter(classes=["dsc", "VALUE"], objects=["machine_00?"]),
    make_filter(prefix="Galaxy!Boiler"),
]


LIMITS: list[Constraints] = [
    Constraints(),
    Constraints(alarm_areas=("hall?",)),
    Constraints(alarm_min_priority=500),
    Constraints(alarm_areas=("Boiler", "Packing"), alarm_min_priority=700),
]
"""Of the keys that the readers have."""
RIGHTS = [LimitedViewer(limits, NoLookup()) if limits.limits_alarms else Everything() for limits in LIMITS]


def oracle_sees(limits: Constraints, key: str, facts: Facts, plant: Plant) -> bool:
    """The limits once more."""
    path = next(each.source.area_path for each in plant.alarms if each.source.key == key)
    areas = {"hall?": {"Hall1", "Hall2"}}.get(limits.alarm_areas[0] if limits.alarm_areas else "")
    areas = areas or set(limits.alarm_areas)
    least = limits.alarm_min_priority
    return (not areas or bool(areas & set(path))) and (least is None or facts.priority <= least)


def oracle_takes(wanted: AlarmFilter, key: str, facts: Facts, plant: Plant) -> bool:
    """The filters once more, in the plant's words."""
    source = next(each.source for each in plant.alarms if each.source.key == key)
    areas = {area.lower() for area in source.area_path} if wanted.has_sub_areas else {source.area.lower()}
    checks = [
        key.startswith(wanted.prefix),
        not wanted.areas or bool(areas & set(wanted.areas)),
        not wanted.priority_max or facts.priority <= wanted.priority_max,
        not wanted.states or State[facts.state] in wanted.states,
        not wanted.text or wanted.text in facts.description or wanted.text in key,
        not (wanted.excludes_shelved and facts.is_shelved),
        not (wanted.excludes_silenced and facts.mode == Mode.SILENCED),
        not wanted.references or key.startswith(wanted.references[0].rstrip("*")),
        not wanted.objects or key.partition("machine_")[2].startswith("00"),
        not wanted.classes or source.alarm_class.lower() in wanted.classes,
    ]
    return all(checks)


class Kept:
    """A history: what a gateway remembers over its own restart."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.listed: dict[str, Alarm] = {}
        self.last: int | None = None

    def adopted(self, alarms: Sequence[Alarm], sequence: int) -> None:
        self.listed = {alarm.key: alarm for alarm in alarms}
        self.last = sequence

    def changed(self, change: Change) -> None:
        told = (change.sequence, change.kind, change.origin, change.alarm)
        self.changes.append(Change(*told, None, change.is_listed, is_before_known=False))
        self.last = change.sequence
        if change.is_listed:
            self.listed[change.alarm.key] = change.alarm
        else:
            self.listed.pop(change.alarm.key, None)

    def status_changed(self, status: ProviderStatus) -> None: ...


class Witness:
    """Keeps the list after every change, made from the one before by the change alone."""

    def __init__(self) -> None:
        self.lists: dict[int, dict[str, Facts]] = {}
        self.log: list[Change] = []

    def adopted(self, alarms: Sequence[Alarm], sequence: int) -> None:
        self.lists[sequence] = {alarm.key: facts_of(alarm) for alarm in alarms}
        self.log.clear()

    def changed(self, change: Change) -> None:
        self.log.append(change)
        listed = dict(self.lists[change.sequence - 1])
        if change.is_listed:
            listed[change.alarm.key] = facts_of(change.alarm)
        else:
            listed.pop(change.alarm.key, None)
        self.lists[change.sequence] = listed

    def status_changed(self, status: ProviderStatus) -> None: ...


STEPS_BY_NAME = {
    "plant_step": 30,
    "deliver": 12,
    "deliver_one": 8,
    "reader_step": 30,
    "answer": 4,
    "make_answer": 5,
    "take_answer": 5,
    "answer_truncated": 1,
    "fail_answer": 1,
    "pass_time": 8,
    "pass_calm_time": 2,
    "kill_worker": 1,
    "lose_event": 1,
    "switch": 2,
    "restart_provider": 1,
    "restart_gateway": 1,
}
"""What may happen next, and how often it does."""


class World:
    """Plant, worker, monitor, and readers of every kind; one random history of them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.plant = Plant(self.chance.choice((3, 8, 16)))
        for _ in range(self.chance.randrange(20)):
            self.plant.step(self.chance)
        self.now = 1000.0
        self.epochs = 0
        self.has_history = self.chance.random() < 0.5
        self.kept = Kept()
        self.limits = LogLimits(changes=self.chance.choice((4, 15, 10_000)))
        self.worker: Worker | None = None
        self.is_asked = False
        self.coming: Snapshot | None = None
        self.is_doubtful = self.is_without_manager = False
        self.witness = Witness()
        self.readers: list[Reader] = [self._reader() for _ in range(5)] + [self._old_reader()]
        self.start()

    def _reader(self) -> Reader:
        return Reader(
            Wish(
                filter=self.chance.choice(FILTERS),
                viewer=self.chance.choice(RIGHTS),
                snapshot_on_gap=self.chance.random() < 0.6,
                is_extended=True,
                policy=LagPolicy.RESYNC,
                position_interval=15.0,
            )
        )

    def _old_reader(self) -> OldReader:
        return OldReader(Wish(filter=self.chance.choice(FILTERS), viewer=self.chance.choice(RIGHTS)))

    # ---------------------------------------------------------------------------------------------------------- gateway

    def start(self) -> None:
        """The gateway starts, with what its history has kept."""
        keeps = self.has_history and self.kept.last is not None
        if not keeps:
            self.epochs += 1
            self.kept, self.witness = Kept(), Witness()
        log = ChangeLog(self.limits, f"epoch{self.epochs}", self.kept.last or 0)
        self.book, notes = AlarmBook(log), NoteBoard()
        if keeps:
            self.book.restore(self.kept.listed.values())
        feed_limits = FeedLimits(portion=PortionLimits(messages=self.chance.choice((1, 3, 500)), judged=7))
        self.feed = AlarmFeed(self.book, notes, feed_limits)
        if self.has_history:
            self.feed.oldest_in_history = 0
        self.monitor = AlarmMonitor(
            *(self.book, self.feed, notes, MonitorTimes(retry_manager=10.0), lambda: 0.5, (self.witness, self.kept)),
            is_restored=keeps,
            losses=2,
        )
        self.worker, self.is_asked, self.coming = None, False, None

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Open):
                # The plant goes on while a worker starts.
                self.worker = Worker(self.plant, watched=self._watched())
                self.monitor.opened(self.now, self.plant.now_ns)
                self._subscribe()
            elif isinstance(action, Resubscribe):
                self._subscribe()
            elif isinstance(action, AskSnapshot):
                self.is_asked = True
            else:
                assert isinstance(action, Close)
                self.worker, self.is_asked, self.coming = None, False, None

    def _subscribe(self) -> None:
        assert self.worker is not None
        self.is_without_manager = not self.monitor.uses_manager(self.now, has_attributes=True)
        if self.is_without_manager:
            self.seen["without manager"] += 1
            self.worker.switch(Provider.SUBTAG)
        elif self.worker.provider is not Provider.ALARMMGR:
            self.worker.switch(Provider.ALARMMGR)
        self.do(self.monitor.subscribed())

    def _watched(self) -> frozenset[str]:
        return frozenset(each.source.key for number, each in enumerate(self.plant.alarms) if number % 3)

    # ------------------------------------------------------------------------------------------------------------ steps

    def plant_step(self) -> None:
        happened = self.plant.step(self.chance)
        if happened is not None and self.worker is not None:
            self.worker.saw(*happened)

    def deliver(self, most: int = 1000) -> None:
        """Events come, some of those that wait."""
        worker = self.worker
        while worker is not None and worker is self.worker and worker.on_the_way and most:
            most -= 1
            number, report = worker.on_the_way.popleft()
            _, actions = self.monitor.reported([(number, report)], self.now, self.plant.now_ns)
            self.do(actions)
            if report is None and self.worker is worker:
                reason = Reason.RECOVERED if worker.provider is Provider.ALARMMGR else Reason.POLL_FAILED
                self.do(self.monitor.switched(Speaker(provider=worker.provider, reason=reason), self.plant.now_ns))

    def make_answer(self, *, is_truncated: bool = False) -> None:
        """The worker makes the list that it was asked for; it is on its way then."""
        if self.worker is not None and self.is_asked and self.coming is None:
            self.coming = self.worker.snapshot(is_truncated=is_truncated)

    def take_answer(self) -> None:
        """The list that was made comes."""
        if self.coming is None:
            return
        snapshot, self.coming, self.is_asked = self.coming, None, False
        self.is_doubtful = snapshot.is_truncated
        _, actions = self.monitor.snapshot(snapshot, self.now, self.plant.now_ns)
        self.do(actions)

    def answer(self) -> None:
        self.make_answer()
        self.take_answer()

    def fail_answer(self) -> None:
        if self.worker is not None and self.is_asked:
            self.is_asked, self.coming, self.is_doubtful = False, None, True
            self.do(self.monitor.snapshot_failed("no answer", self.now, self.plant.now_ns))

    def kill_worker(self) -> None:
        if self.worker is not None:
            self.worker, self.is_asked, self.coming = None, False, None
            self.do(self.monitor.lost(Reason.WORKER_LOST, "killed", self.now, self.plant.now_ns))

    def lose_event(self) -> None:
        if self.worker is not None and len(self.worker.on_the_way) > 1:
            self.worker.on_the_way.popleft()

    def switch(self) -> None:
        if self.worker is not None:
            out = {self.worker.provider, *((Provider.ALARMMGR,) if self.is_without_manager else ())}
            self.worker.switch(self.chance.choice([provider for provider in Provider if provider not in out]))

    def restart_provider(self) -> None:
        """The alarm manager starts again: new GUIDs for the same alarms, and the worker reads everything anew."""
        self.plant.guid_salt += 1
        self.kill_worker()

    def restart_gateway(self) -> None:
        for reader in self.readers:
            reader.close(self.feed)
        self.start()

    def pass_time(self, seconds: float | None = None) -> None:
        self.now += seconds if seconds is not None else self.chance.choice((0.1, 1.0, 6.0, 31.0))
        _, actions = self.monitor.tick(self.now, self.plant.now_ns)
        self.do(actions)

    def reader_step(self) -> None:
        reader = self.chance.choice(self.readers)
        if reader.stream is None:
            true = reader.position
            if true is not None and self.chance.random() < 0.3:
                # A position out of somebody's own file may say anything.
                reader.position = self.chance.choice(
                    (replace(true, sequence=self.book.log.newest + 5), replace(true, filter_number=4711))
                )
            reader.open(self.feed, self.now)
            reader.position = true
            assert reader.stream is not None
            self.seen["resumed"] += reader.stream.is_live
        elif self.chance.random() < 0.2:
            reader.close(self.feed)
        else:
            self.read(reader, self.chance.choice((1, 2, 1000)))

    def read(self, reader: Reader, most: int) -> None:
        stream = reader.stream
        while stream is not None and most:
            most -= 1
            if stream.past is not None:
                past = stream.past
                self.seen["from history"] += 1
                page = [c for c in self.kept.changes if past.sequence < c.sequence <= past.until][:5]
                portion = stream.take_past(page)
                if portion is not None:
                    reader.take(portion)
                continue
            portion = stream.take(self.monitor.status, self.now, has_list=self.monitor.shows_list)
            if portion is None:
                break
            for told, _ in portion.items:
                if isinstance(told, ToldGap):
                    self.seen[f"gap {told.reason.name}"] += 1
                self.seen["snapshot"] += isinstance(told, ToldMarker)
            self.check_hidden(reader, portion)
            reader.take(portion)
            self.check(reader)

    def deliver_one(self) -> None:
        self.deliver(1)

    def pass_calm_time(self) -> None:
        """Events that are on their way come in time."""
        self.deliver()
        self.answer()
        self.pass_time()

    def answer_truncated(self) -> None:
        self.make_answer(is_truncated=True)

    def run(self, names: Sequence[str] = ()) -> None:
        names = names or tuple(STEPS_BY_NAME)
        calls = [getattr(self, name) for name in names]
        weights = [STEPS_BY_NAME[name] for name in names]
        for _ in range(STEPS):
            self.chance.choices(calls, weights)[0]()
            self.check_truth()
        self.settle()

    def settle(self) -> None:
        """Every fault ends; then nobody may be wrong about anything."""
        if self.worker is not None and self.worker.provider is Provider.NONE and self.is_without_manager:
            self.worker.switch(Provider.SUBTAG)
        elif self.worker is not None and self.worker.provider is not Provider.ALARMMGR and not self.is_without_manager:
            self.worker.switch(Provider.ALARMMGR)
        for _ in range(12):
            self.deliver()
            self.answer()
            self.pass_time(35.0)
        self.deliver()
        self.answer()
        assert self.monitor.status.state is MonitorState.LIVE, self.seed
        assert {key: facts_of(alarm) for key, alarm in self.book.alarms.items()} == self.plant.listed(), self.seed
        for alarm in self.plant.alarms:
            if alarm.state:
                apart = self.book.alarms[alarm.source.key].raised_ns - alarm.raised_ns
                assert abs(apart) <= SAME_START_NS, self.seed
        for reader in self.readers:
            if reader.stream is None:
                reader.open(self.feed, self.now)
            self.read(reader, 10_000)
            # Where nothing was for its filter, the reader itself knows of no later change.
            assert reader.stream is not None
            reader.sequence = reader.stream.sequence
            assert reader.sequence == self.book.log.newest, self.seed
            self.check(reader)

    # ----------------------------------------------------------------------------------------------------------- checks

    def check_truth(self) -> None:
        """Whenever nothing is on its way, the list is the plant's."""
        worker = self.worker
        is_calm = worker is not None and not worker.on_the_way and not self.is_asked and not self.is_doubtful
        if is_calm and self.monitor.status.state is MonitorState.LIVE and not self.monitor.status.is_uncertain:
            assert {key: facts_of(alarm) for key, alarm in self.book.alarms.items()} == self.plant.listed(), self.seed
            self.seen["true"] += 1

    def check(self, reader: Reader) -> None:
        if reader.sequence is None or reader.stream is None or not reader.stream.is_live:
            return
        at = reader.sequence
        wanted = self.expected(at, reader.wish.filter, self._limits(reader))
        if isinstance(reader, OldReader):
            rows = {"UNACK_ALM": "ACTIVE", "ACK_ALM": "ACTIVE_ACKED"}
            expected = {key: rows[facts.state] for key, facts in wanted.items() if facts.state in rows}
            assert reader.in_alarm() == expected, (self.seed, at)
        else:
            assert reader.listed == wanted, (self.seed, at, reader.wish)

    def check_hidden(self, reader: Reader, portion: Portion) -> None:
        """Nothing is told of an alarm while it is one that the reader's key may not see."""
        limits = self._limits(reader)
        for told, _ in portion.items:
            if isinstance(told, ToldAlarm | ToldChange):
                alarm = told.alarm if isinstance(told, ToldAlarm) else told.change.alarm
                assert oracle_sees(limits, alarm.key, facts_of(alarm), self.plant), (self.seed, told)
            assert not isinstance(told, ToldFlood) or not limits.limits_alarms

    @staticmethod
    def _limits(reader: Reader) -> Constraints:
        numbers = [each.number for each in RIGHTS]
        return LIMITS[numbers.index(reader.wish.viewer.number)]

    def expected(self, sequence: int, wanted: AlarmFilter, limits: Constraints = FREE) -> dict[str, Facts]:
        """What the filter takes, and the key sees, of the list as it was after this change."""
        return {
            key: facts
            for key, facts in self.witness.lists[sequence].items()
            if oracle_takes(wanted, key, facts, self.plant) and oracle_sees(limits, key, facts, self.plant)
        }

    def check_log(self) -> None:
        """Each change follows on the one before it, for every alarm; and each is numbered once."""
        states: dict[str, str] = {}
        for change in self.witness.log:
            key = change.alarm.key
            if change.before is not None:
                states.setdefault(key, change.before.state.name)
            assert_legal(states.get(key, ""), change, self.seed)
            states[key] = change.alarm.state.name if change.is_listed else ""
            assert change.is_listed == bool(states[key])


LEGAL: dict[Kind, set[tuple[str, str]]] = {
    Kind.RAISE: {("", "UNACK_ALM"), ("LATCHED", "UNACK_ALM")},
    Kind.ACKNOWLEDGE: {("UNACK_ALM", "ACK_ALM"), ("UNACK_RTN", ""), ("UNACK_RTN", "LATCHED")},
    Kind.CLEAR: {("UNACK_ALM", "UNACK_RTN"), ("ACK_ALM", ""), ("UNACK_ALM", "")},
    Kind.RETRIGGER: {("UNACK_RTN", "UNACK_ALM"), ("ACK_ALM", "UNACK_ALM")},
    Kind.LATCH: {("ACK_ALM", "LATCHED")},
    Kind.DISMISS: {("LATCHED", "")},
    Kind.REMOVE: {(state, "") for state in ("UNACK_ALM", "ACK_ALM", "UNACK_RTN", "LATCHED")},
    **{
        kind: {(state, state) for state in ("UNACK_ALM", "ACK_ALM", "UNACK_RTN", "LATCHED")}
        for kind in (Kind.SHELVE, Kind.UNSHELVE, Kind.MODE, Kind.UPDATE)
    },
}


def assert_legal(before: str, change: Change, seed: int) -> None:
    after = change.alarm.state.name if change.is_listed else ""
    assert (before, after) in LEGAL[change.kind], (seed, before, after, change.kind, change.sequence)
