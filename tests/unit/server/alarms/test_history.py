"""The alarms' history: what goes in comes out, pages stay the same, and what is lost is told."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.support.waiting import eventually

from mxgateway_server.alarms.history import file as file_module
from mxgateway_server.alarms.history import reading
from mxgateway_server.alarms.history import writer as writer_module
from mxgateway_server.alarms.history.file import DAY_NS, HistoryFile, HistoryLimits, Loss, Note
from mxgateway_server.alarms.history.reading import (
    BadPageTokenError,
    HistoryReader,
    HistoryTooSlowError,
    Question,
)
from mxgateway_server.alarms.history.schema import UnusableHistoryError
from mxgateway_server.alarms.history.writer import HistoryWriter
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind, Mode, Origin, Provider, State

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
LIMITS = HistoryLimits()


def source(name: str = "Pump.Hi", area: str = "Line1") -> AlarmSource:
    return AlarmSource(
        f"Galaxy!{area}.{name}",
        provider="Galaxy",
        group=area,
        name=name,
        object_reference=name,
        type_name="DSC",
        alarm_class="VALUE",
        area=area,
        area_path=(area, "Plänt"),
    )


def change(
    number: int, at: int = NOW, *, of: AlarmSource | None = None, kind: Kind = Kind.RAISE, **facts: object
) -> Change:
    alarm = Alarm(of or source(), changed_ns=at, raised_ns=at, sequence=number).having(**facts)
    return Change(number, kind, Origin.LIVE, alarm, None, alarm.state.is_listed, received_ns=at + 5)


def told(alarm: Alarm) -> tuple[object, ...]:
    """Everything that a reader can be told of an alarm."""
    names = [name for name in Alarm.__slots__ if name not in ("source", "snapshot_bytes")]
    return (alarm.source.facts(), alarm.source.name, alarm.source.group, *(getattr(alarm, name) for name in names))


def numbers(changes: Sequence[Change]) -> list[int]:
    return [each.sequence for each in changes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alarms.db"


def test_every_fact_of_a_change_comes_back(path: Path) -> None:
    """Also those that most changes do not have, and texts in any writing."""
    full = change(
        7,
        kind=Kind.ACKNOWLEDGE,
        state=State.ACK_ALM,
        guid="0f8fad5b-d9cb-469f-a165-70867728950e",
        is_guid_derived=True,
        former_guids=("odd name", "{A}"),
        priority=999,
        acknowledged_ns=NOW + 1,
        cleared_ns=NOW + 2,
        operator_user="anna",
        operator_node="NODE",
        operator_domain="PLANT",
        operator_full_name="Anna Ω",
        comment="geprüft 'ok'; -- \0 ✓",
        description="Druck zu hoch",
        value=b"\x00\xff",
        limit=b"\x01",
        mode=Mode.SILENCED,
        is_shelved=True,
        shelved_until_ns=NOW + DAY_NS,
        shelve_user="otto",
        shelve_node="N2",
        shelve_reason="in repair",
        is_degraded=True,
        provider_mode=Provider.SUBTAG,
        is_uncertain=True,
        raw_state="WEIRD",
    )
    plain = change(8, guid="not a GUID")
    file = HistoryFile(path, LIMITS)
    file.append([full, plain])
    file.close()
    first, second = HistoryReader(path).after(6, 100, 10)
    for read, written in ((first, full), (second, plain)):
        assert told(read.alarm) == told(written.alarm)
        assert (read.kind, read.origin, read.is_listed, read.received_ns) == (
            *(written.kind, written.origin, written.is_listed),
            written.received_ns,
        )
        assert (read.before, read.is_before_known) == (None, False)


def test_the_list_and_the_numbering_go_on_after_an_orderly_end(path: Path) -> None:
    file = HistoryFile(path, LIMITS)
    epoch = file.kept().epoch
    assert (len(epoch), file.kept().last, file.kept().alarms) == (32, 0, ())
    file.adopt([Alarm(source("Old.Hi"))])
    file.append([change(1), change(2, of=source("Gone.Hi"))])
    file.append([change(3, of=source("Gone.Hi"), kind=Kind.CLEAR, state=State.ACK_RTN)])
    file.close()
    again = HistoryFile(path, LIMITS)
    kept = again.kept()
    assert (kept.epoch, kept.last, kept.is_complete) == (epoch, 3, True)
    assert [alarm.source.name for alarm in kept.alarms] == ["Old.Hi", "Pump.Hi"]
    assert again.bounds().complete_after == 0
    again.close()


def test_a_long_list_is_adopted_whole_and_by_and_by(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "PORTION", 3)
    file = HistoryFile(path, LIMITS)
    names = [f"A{number}.Hi" for number in range(10)]
    file.adopt(Alarm(source(name)) for name in names)
    assert [alarm.source.name for alarm in file.kept().alarms] == names

    def broken() -> Iterator[Alarm]:
        yield from (Alarm(source(f"B{number}.Hi")) for number in range(7))
        raise ValueError

    with pytest.raises(ValueError):
        file.adopt(broken())
    assert [alarm.source.name for alarm in file.kept().alarms] == names, "all of it or nothing"
    file.close()


@pytest.mark.parametrize("fold_every", [1, 3, 5000])
def test_the_list_is_right_after_any_end_however_late_it_is_brought_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, fold_every: int
) -> None:
    """It is brought up after many changes only, and after none is it lost: at each end without a close."""
    monkeypatch.setattr(file_module, "_FOLD_EVERY", fold_every)
    chance = random.Random(fold_every)
    sources = [source(f"A{n}.Hi") for n in range(6)]
    expected: dict[str, int] = {}
    number = 0
    for _ in range(20):
        file = HistoryFile(path, LIMITS)
        assert {each.source.name: each.priority for each in file.kept().alarms} == expected
        number = file.kept().last
        for _ in range(chance.randrange(4)):
            made = []
            for _ in range(chance.randrange(1, 4)):
                number += 1
                of, is_over = chance.choice(sources), chance.random() < 0.3
                state = State.ACK_RTN if is_over else State.UNACK_ALM
                made.append(change(number, of=of, state=state, priority=number % 999 + 1))
                expected.pop(of.name, None)
                if not is_over:
                    expected[of.name] = number % 999 + 1
            file.append(made)
        if chance.random() < 0.2:
            file.adopt([Alarm(sources[0], priority=7)])
            expected = {"A0.Hi": 7}
        file._connection.close() if chance.random() < 0.7 else file.close()


def test_a_file_of_version_1_goes_on_with_its_list(path: Path) -> None:
    file = HistoryFile(path, LIMITS)
    file.append([change(1), change(2, of=source("Fan.Hi"))])
    file.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM meta WHERE name = 'listed'")
        # What a list was without its change.
        connection.execute("DELETE FROM present WHERE alarm = 1")
        connection.execute("PRAGMA user_version = 1")
    again = HistoryFile(path, LIMITS)
    assert [alarm.source.name for alarm in again.kept().alarms] == ["Fan.Hi"]
    again.append([change(3)])
    assert [alarm.source.name for alarm in again.kept().alarms] == ["Fan.Hi", "Pump.Hi"]
    again.close()


def test_numbers_that_readers_may_have_seen_are_not_given_again(path: Path) -> None:
    """After an end without a close, what comes next is beyond everything that can have been told."""
    file = HistoryFile(path, LIMITS)
    file.append([change(1)])
    file._connection.close()
    again = HistoryFile(path, LIMITS)
    kept = again.kept()
    assert kept.last >= 1_000_000
    assert not kept.is_complete, "what came last may not have been written"
    assert again.bounds().complete_after == kept.last
    again.append([change(kept.last + 1)])
    again.close()
    third = HistoryFile(path, LIMITS)
    assert third.kept().last == kept.last + 1
    assert third.bounds().complete_after == kept.last
    third.close()


@pytest.mark.parametrize("oldest_first", [True, False])
@pytest.mark.parametrize("by_received", [True, False])
@pytest.mark.parametrize("by_time", [True, False])
def test_pages_stay_the_same_while_changes_are_added(
    path: Path, monkeypatch: pytest.MonkeyPatch, oldest_first: bool, by_received: bool, by_time: bool
) -> None:
    """Nothing twice and nothing missing, with equal times and with many areas, whichever way they are looked for."""
    monkeypatch.setattr(reading, "sooner_by_time", lambda *_: by_time)
    chance = random.Random(5)
    sources = [source(f"A{n}.Hi", f"Line{n % 4}") for n in range(40)]
    changes = [
        change(n, NOW + chance.randrange(50) * SECOND, of=chance.choice(sources), priority=n % 999 + 1)
        for n in range(1, 801)
    ]
    file = HistoryFile(path, LIMITS)
    file.append(changes[:700])
    reader = HistoryReader(path)
    question = Question(page=37, oldest_first=oldest_first, by_received=by_received, mark="x")

    def wanted(alarm: Alarm) -> bool:
        return alarm.priority <= 500

    expected = sorted(
        (each for each in changes[:700] if each.alarm.source.area != "Line3" and wanted(each.alarm)),
        key=lambda each: (each.received_ns if by_received else each.alarm.changed_ns, each.sequence),
        reverse=not oldest_first,
    )
    found: list[int] = []
    token = ""
    for turn in range(100):
        page = reader.page(
            Question(**{**{name: getattr(question, name) for name in Question.__slots__}, "token": token}),
            lambda each: each.area != "Line3",
            wanted,
        )
        found += numbers(page.changes)
        token = page.token
        if not token:
            break
        if turn == 2:
            # Beyond what is asked for in either order.
            at = NOW + (-10 if not oldest_first else 100) * SECOND
            file.append([change(900 + n, at, of=sources[3]) for n in range(20)])
    file.close()
    assert found == numbers(expected)


def test_an_area_is_read_in_the_order_of_time_and_one_alarm_by_itself() -> None:
    assert reading.sooner_by_time(0.1, 2_000_000, 500)
    assert not reading.sooner_by_time(1 / 2000, 2_000_000, 500)
    assert not reading.sooner_by_time(0.1, 1000, 500)


def test_questions_by_kind_operator_time_and_one_alarm(path: Path) -> None:
    file = HistoryFile(path, LIMITS)
    file.append(
        [
            change(1, NOW),
            change(2, NOW + SECOND, kind=Kind.ACKNOWLEDGE, state=State.ACK_ALM, operator_user="Anna"),
            change(3, NOW + 2 * SECOND, of=source("Valve.Hi")),
            change(4, NOW + 3 * SECOND, kind=Kind.CLEAR, state=State.ACK_RTN, operator_user="anna"),
        ]
    )
    file.close()
    reader = HistoryReader(path)
    asked = {
        "all": Question(),
        "kinds": Question(kinds=(Kind.ACKNOWLEDGE, Kind.CLEAR)),
        "operator": Question(operator="NN"),
        "from": Question(from_ns=NOW + SECOND, until_ns=NOW + 3 * SECOND),
        "received": Question(from_ns=NOW + 6, until_ns=NOW + SECOND + 6, by_received=True),
    }
    found = {name: numbers(reader.page(question).changes) for name, question in asked.items()}
    assert found == {"all": [4, 3, 2, 1], "kinds": [4, 2], "operator": [4, 2], "from": [3, 2], "received": [2]}
    assert numbers(reader.page(Question(), lambda each: each.name == "Valve.Hi").changes) == [3]
    assert reader.page(Question(), lambda _: False).changes == ()


def test_a_token_of_another_question_is_refused(path: Path) -> None:
    file = HistoryFile(path, LIMITS)
    file.append([change(n) for n in range(1, 5)])
    file.close()
    reader = HistoryReader(path)
    token = reader.page(Question(page=2)).token
    for question in (Question(token=token, mark="other"), Question(token="???"), Question(token="YWJj")):
        with pytest.raises(BadPageTokenError):
            reader.page(question)


def test_an_endless_question_ends(path: Path) -> None:
    """With a clock that runs away at once."""
    file = HistoryFile(path, LIMITS)
    file.append([change(n) for n in range(1, 3000)])
    file.close()
    times = iter([0.0])
    reader = HistoryReader(path, lambda: next(times, 1e9))
    with pytest.raises(HistoryTooSlowError, match="shorter time"):
        reader.page(Question(operator="nobody"))


def test_the_oldest_go_by_age_by_number_and_by_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In portions; what is in the list stays known, and readers are told from where on nothing is missing."""
    file = HistoryFile(path, HistoryLimits(max_rows=500, max_days=1.0))
    file.append([change(1, NOW - 2 * DAY_NS)])
    file.append([change(n, NOW, of=source(f"A{n % 7}.Hi")) for n in range(2, 803)])
    assert file.prune(NOW) == 302
    assert file.prune(NOW) == 0
    assert file.bounds().changes == 500
    assert file.bounds().complete_after == 302
    assert len(file.kept().alarms) == 8
    assert file.prune(NOW + 2 * DAY_NS) == 500
    assert file.kept().last == 0 or file.bounds().changes == 0
    file.close()
    monkeypatch.setattr(file_module, "_NOTE_USE_EVERY", 100)
    small = HistoryFile(path.with_name("small.db"), HistoryLimits(max_bytes=500_000))
    for start in range(0, 6000, 1000):
        small.append([change(start + n, comment=f"text {start + n}") for n in range(1, 1001)])
    while small.prune(NOW):
        pass
    assert 0 < small.bounds().changes < 6000
    assert small.bounds().file_bytes <= 500_000
    small.close()


def test_a_failed_transaction_leaves_nothing_and_the_next_works(path: Path) -> None:
    file = HistoryFile(path, LIMITS)
    broken = change(2)
    broken.alarm.operator_user = object()  # type: ignore[assignment]
    with pytest.raises(sqlite3.Error):
        file.append([change(1, comment="new text", of=source("New.Hi")), broken])
    file.append([change(1, comment="new text", of=source("New.Hi"))], [Note(sequence=1, at_ns=NOW, event="switch")])
    file.close()
    reader = HistoryReader(path)
    (only,) = reader.after(0, 10, 10)
    assert (only.alarm.comment, only.alarm.source.name) == ("new text", "New.Hi")
    assert [note.event for note in reader.notes(NOW, NOW + 1)] == ["switch"]


def test_case_47_a_clock_that_is_set_back_changes_no_order(path: Path) -> None:
    """Both clocks, the plant's and the gateway's: what follows on what is told by the numbers."""
    file = HistoryFile(path, HistoryLimits(max_rows=4))
    told = [change(number, NOW - number * 60 * SECOND) for number in range(1, 9)]
    file.append(told)
    reader = HistoryReader(path)
    assert numbers(reader.after(2, 7, 100)) == [3, 4, 5, 6, 7]
    # The newest by number are kept, though by the clock they are the oldest.
    while file.prune(NOW):
        pass
    assert numbers(reader.after(0, 100, 100)) == [5, 6, 7, 8]
    assert file.bounds().complete_after == 4
    file.close()


def test_a_damaged_file_is_set_aside(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)
    file = HistoryFile(path, LIMITS)
    assert file.kept().last == 0
    file.close()
    assert path.with_name("alarms.db.damaged-1").read_bytes().startswith(b"this is no database")


def test_a_newer_programs_file_is_left_alone(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UnusableHistoryError, match="newer version"):
        HistoryFile(path, LIMITS)


def test_the_file_is_the_owners_alone(path: Path) -> None:
    HistoryFile(path, LIMITS).close()
    assert path.stat().st_mode & 0o077 == 0


# -------------------------------------------------------------------------------------------------------- the writer


@contextlib.asynccontextmanager
async def writing(path: Path, alarms: Sequence[Alarm] = ()) -> AsyncIterator[HistoryWriter]:
    writer = HistoryWriter(path, LIMITS, lambda: alarms, ManualClock())
    await writer.open()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        yield writer
        await writer.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", 0.0)


async def test_what_waits_at_the_end_is_written(path: Path) -> None:
    async with writing(path) as writer:
        writer.adopted([Alarm(source("Old.Hi"))], 0)
        for number in range(1, 2500):
            writer.changed(change(number))
        writer.note("provider", text="switched")
    reader = HistoryReader(path)
    assert len(reader.after(0, 10_000, 10_000)) == 2499
    assert [note.event for note in reader.notes(0, 1 << 62)] == ["provider"]
    file = HistoryFile(path, LIMITS)
    assert [alarm.source.name for alarm in file.kept().alarms] == ["Old.Hi", "Pump.Hi"]
    file.close()


async def test_who_asks_gets_what_was_written_before_and_nothing_is_written_side_by_side(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Askers that come and go, and an end in the middle of it: one transaction at a time, and no change is lost."""
    original, busy, most = HistoryFile.append, 0, 0

    def append(file: HistoryFile, *given: Sequence[Change | Note | Loss]) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        original(file, *given)  # type: ignore[arg-type]
        busy -= 1

    monkeypatch.setattr(HistoryFile, "append", append)
    monkeypatch.setattr(writer_module, "MAX_TOGETHER", 3)
    reader = HistoryReader(path)
    async with writing(path) as writer:
        for number in range(1, 200):
            writer.changed(change(number))
            if number % 5 == 0:
                asked = asyncio.ensure_future(writer.flush())
                await asyncio.sleep(0)
                if number % 10 == 0:
                    asked.cancel()
                    await asyncio.wait([asked])
                    continue
                await asked
                assert numbers(await asyncio.to_thread(reader.after, 0, 10_000, 10_000)) == [*range(1, number + 1)]
        for number in range(200, 230):
            writer.changed(change(number))
        leaving = asyncio.ensure_future(writer.flush())
        await asyncio.sleep(0)
    await leaving
    assert most == 1
    assert writer.lost == 0
    assert numbers(reader.after(0, 10_000, 10_000)) == [*range(1, 230)]
    await writer.flush()


async def test_more_than_can_wait_is_lost_and_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed goes on, the gap stands in the file, and the list is right all the same."""
    monkeypatch.setattr(writer_module, "MAX_WAITING", 10)
    now = [Alarm(source("Now.Hi"))]
    async with writing(path, now) as writer:
        for number in range(1, 31):
            writer.changed(change(number))
        assert writer.lost == 20
        await eventually(lambda: writer.waiting == 0)
        writer.changed(change(31))
    reader = HistoryReader(path)
    assert [(loss.from_sequence, loss.to_sequence) for loss in reader.losses()] == [(11, 30)]
    assert numbers(reader.after(0, 100, 100)) == [*range(1, 11), 31]
    file = HistoryFile(path, LIMITS)
    assert {alarm.source.name for alarm in file.kept().alarms} == {"Now.Hi", "Pump.Hi"}
    assert file.bounds().complete_after == 30
    file.close()


async def test_a_disk_that_fails_loses_what_it_was_given_and_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = HistoryFile.append
    fails = True

    def append(file: HistoryFile, changes: Sequence[Change], *rest: Sequence[Note | Loss]) -> None:
        if fails:
            raise sqlite3.OperationalError("database or disk is full")
        original(file, changes, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(HistoryFile, "append", append)
    async with writing(path) as writer:
        writer.changed(change(1))
        await eventually(lambda: writer.problem == "database or disk is full")
        fails = False
        writer.changed(change(2))
        await eventually(lambda: writer.waiting == 0 and not writer.problem)
        assert writer.lost == 1
    reader = HistoryReader(path)
    assert [(loss.from_sequence, loss.to_sequence) for loss in reader.losses()] == [(1, 1)]
    assert numbers(reader.after(0, 100, 100)) == [2]


def test_a_page_that_is_just_full_is_the_last(path: Path) -> None:
    file = HistoryFile(path, LIMITS)
    file.append([change(number) for number in range(1, 11)])
    file.close()
    reader = HistoryReader(path)
    first = reader.page(Question(page=5))
    assert (len(first.changes), bool(first.token)) == (5, True)
    second = reader.page(Question(page=5, token=first.token))
    assert (len(second.changes), second.token) == (5, "")


async def test_every_change_of_a_batch_that_could_not_be_written_is_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with writing(path) as writer:
        with monkeypatch.context() as broken:
            broken.setattr(HistoryFile, "append", append)
            for number in range(1, 8):
                writer.changed(change(number))
            await eventually(lambda: bool(writer.problem))
            assert writer.lost == 7
    assert [(loss.from_sequence, loss.to_sequence) for loss in HistoryReader(path).losses()] == [(1, 7)]


def test_losses_are_one_only_when_nothing_is_between_them() -> None:
    found = writer_module._joined(
        [Loss(1, 3, 1, "disk"), Loss(4, 5, 2, "disk"), Loss(7, 8, 3, "disk"), Loss(9, 9, 4, "queue")]
    )
    assert [(loss.from_sequence, loss.to_sequence) for loss in found] == [(1, 5), (7, 8), (9, 9)]


async def test_a_disk_that_fails_for_hours_fills_no_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it was tried, what waits is the changes, word of what was lost, and one list; and all is told."""
    tries = 0
    fails = True
    original = HistoryFile.append

    def append(file: HistoryFile, changes: Sequence[Change], *rest: Sequence[Note | Loss]) -> None:
        nonlocal tries
        tries += 1
        if fails:
            raise sqlite3.OperationalError("database or disk is full")
        original(file, changes, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(HistoryFile, "append", append)
    async with writing(path) as writer:
        for number in range(1, 101):
            writer.changed(change(number))
            if number % 10 == 1:
                before = tries
                await eventually(lambda seen=before: tries > seen + 2)  # type: ignore[misc]
        assert writer.waiting <= 100 + 2
        fails = False
        await eventually(lambda: writer.waiting == 0)
    reader = HistoryReader(path)
    lost = [number for loss in reader.losses() for number in range(loss.from_sequence, loss.to_sequence + 1)]
    assert lost[0] == 1
    assert len(lost) == writer.lost
    assert sorted([*lost, *numbers(reader.after(0, 1000, 1000))]) == list(range(1, 101))


async def test_a_history_that_cannot_be_opened_is_off(tmp_path: Path) -> None:
    """The folder is a file: the feed goes on, and the problem is told."""
    (tmp_path / "file").touch()
    writer = HistoryWriter(tmp_path / "file" / "alarms.db", LIMITS, list, ManualClock())
    assert await writer.open() is None
    writer.changed(change(1))
    assert (writer.lost, writer.waiting) == (1, 0)
    assert writer.problem
    await writer.stop()
    await writer.run()
