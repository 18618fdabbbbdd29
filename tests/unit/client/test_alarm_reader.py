"""The list of alarms that a feed keeps: whole at every moment, over snapshots, gaps and streams that follow another."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from mxgateway.alarm_model import (
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmGap,
    AlarmMode,
    AlarmOrigin,
    AlarmProviderChanged,
    AlarmsSynced,
    AlarmState,
    alarm_of,
)
from mxgateway.alarm_reader import AlarmEvent, AlarmReader
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

S = AlarmState


def snapshot(name: str, state: AlarmState = S.UNACK_ALM, sequence: int = 0, **facts: object) -> pb.AlarmFeedMessage:
    alarm = pb.ActiveAlarmSnapshot(alarm_full_reference=f"Galaxy!Area.{name}", state=int(state), **facts)  # type: ignore[arg-type]
    return pb.AlarmFeedMessage(active_alarm=alarm, at=at(sequence))


def transition(
    name: str, kind: AlarmChangeKind, state: AlarmState, sequence: int = 1, **facts: object
) -> pb.AlarmFeedMessage:
    event = pb.OnAlarmTransitionEvent(
        alarm_full_reference=f"Galaxy!Area.{name}",
        transition_kind=int(kind),  # type: ignore[arg-type]
        state=int(state),  # type: ignore[arg-type]
        sequence=sequence,
        **facts,  # type: ignore[arg-type]
    )
    return pb.AlarmFeedMessage(transition=event, at=at(sequence))


def at(sequence: int) -> pb.AlarmPosition | None:
    return pb.AlarmPosition(epoch="e", sequence=sequence) if sequence else None


def marker(sequence: int = 0) -> pb.AlarmFeedMessage:
    return pb.AlarmFeedMessage(snapshot_complete=True, at=at(sequence))


def gap(reason: str = "lagged") -> pb.AlarmFeedMessage:
    return pb.AlarmFeedMessage(gap=pb.AlarmGap(reason=reason, lost=7))


def read(reader: AlarmReader, *messages: pb.AlarmFeedMessage) -> list[AlarmEvent]:
    return [event for message in messages for event in reader.read(message)]


def short(events: list[AlarmEvent]) -> list[str]:
    return [
        f"{event.kind.name} {event.alarm.reference.rpartition('.')[2]}"
        if isinstance(event, AlarmChange)
        else type(event).__name__
        for event in events
    ]


def names(reader: AlarmReader) -> dict[str, AlarmState]:
    return {alarm.reference.rpartition(".")[2]: alarm.state for alarm in reader.alarms.values()}


def begun(*messages: pb.AlarmFeedMessage) -> AlarmReader:
    reader = AlarmReader()
    reader.begin(resumed=False)
    read(reader, *messages)
    return reader


def test_the_first_list_is_not_a_change() -> None:
    reader = AlarmReader()
    reader.begin(resumed=False)
    assert read(reader, snapshot("A"), snapshot("B", S.ACK_ALM)) == []
    assert (reader.is_synced, names(reader), reader.position) == (False, {}, None)
    assert read(reader, marker(5)) == [AlarmsSynced(2)]
    assert (reader.is_synced, names(reader)) == (True, {"A": S.UNACK_ALM, "B": S.ACK_ALM})
    assert reader.position == at(5)


def test_changes_keep_the_list_and_tell_what_was_before() -> None:
    reader = begun(marker(1))
    events = read(
        reader,
        transition("A", AlarmChangeKind.RAISE, S.UNACK_ALM, 2),
        transition("a", AlarmChangeKind.ACKNOWLEDGE, S.ACK_ALM, 3, operator_user="anna"),
        transition("A", AlarmChangeKind.CLEAR, S.ACK_RTN, 4),
    )
    assert short(events) == ["RAISE A", "ACKNOWLEDGE a", "CLEAR A"]
    changes = [event for event in events if isinstance(event, AlarmChange)]
    assert [change.previous.state if change.previous else None for change in changes] == [None, S.UNACK_ALM, S.ACK_ALM]
    assert [change.sequence for change in changes] == [2, 3, 4]
    assert (names(reader), reader.position) == ({}, at(4))


@pytest.mark.parametrize("kind", [AlarmChangeKind.REMOVE, AlarmChangeKind.DISMISS])
def test_what_leaves_without_a_clear_is_gone_whatever_its_state(kind: AlarmChangeKind) -> None:
    reader = begun(snapshot("A"), marker())
    read(reader, transition("A", kind, S.UNACK_ALM))
    assert names(reader) == {}


def test_after_a_gap_the_difference_is_told() -> None:
    """Whoever looks at changes alone is never wrong."""
    old: dict[str, Any] = {"original_raise_timestamp": datetime(2026, 1, 1, tzinfo=UTC)}
    new: dict[str, Any] = {"original_raise_timestamp": datetime(2026, 1, 2, tzinfo=UTC)}
    reader = begun(
        *(snapshot(name) for name in ("Same", "Gone", "Acked", "Returned", "Shelved", "Silenced", "Urgent")),
        snapshot("Again", alarm_guid="1", **old),
        snapshot("Back", S.UNACK_RTN),
        snapshot("Latched", S.ACK_ALM),
        marker(9),
    )
    events = read(
        reader,
        gap(),
        snapshot("Same"),
        snapshot("Acked", S.ACK_ALM),
        snapshot("Returned", S.UNACK_RTN),
        snapshot("Shelved", shelved=True),
        snapshot("Silenced", mode=int(AlarmMode.SILENCED)),
        snapshot("Urgent", severity=1),
        snapshot("Again", alarm_guid="2", **new),
        snapshot("Back"),
        snapshot("Latched", S.LATCHED),
        snapshot("New"),
    )
    assert events == [AlarmGap("lagged", 7)]
    assert not reader.is_synced
    assert len(reader.alarms) == 10, "the last whole list stays until the next one is"
    events = read(reader, marker(20))
    assert short(events) == [
        *("CLEAR Gone", "ACKNOWLEDGE Acked", "CLEAR Returned", "SHELVE Shelved", "MODE Silenced", "UPDATE Urgent"),
        *("RETRIGGER Again", "RETRIGGER Back", "LATCH Latched", "RAISE New", "AlarmsSynced"),
    ]
    assert {event.origin for event in events if isinstance(event, AlarmChange)} == {AlarmOrigin.RECONCILE}


def test_a_resumed_stream_goes_on_without_a_list() -> None:
    reader = begun(snapshot("A"), marker(5))
    reader.begin(resumed=True)
    assert reader.is_synced
    assert short(read(reader, transition("B", AlarmChangeKind.RAISE, S.UNACK_ALM, 6))) == ["RAISE B"]
    assert set(names(reader)) == {"A", "B"}


def test_another_stream_with_a_list_of_its_own_tells_the_difference() -> None:
    reader = begun(snapshot("A"), snapshot("B"), marker(5))
    reader.begin(resumed=False)
    assert short(read(reader, snapshot("B"), snapshot("C"), marker(9))) == ["CLEAR A", "RAISE C", "AlarmsSynced"]


def test_filters_let_alarms_in_and_out() -> None:
    reader = begun(snapshot("A"), marker())
    left = pb.AlarmFeedMessage(left=pb.AlarmLeft(alarm_full_reference="Galaxy!Area.A"))
    assert short(read(reader, snapshot("B"), left, left)) == ["ENTERED B", "LEFT A"]
    assert names(reader) == {"B": S.UNACK_ALM}


def test_the_provider_is_told_in_every_phase() -> None:
    reader = AlarmReader()
    reader.begin(resumed=False)
    status = pb.AlarmFeedMessage(provider_status=pb.AlarmProviderStatus(degraded=True, reason="no answer"))
    expected = AlarmProviderChanged(degraded=True, forced=False, uncertain=False, reason="no answer")
    assert read(reader, status) == [expected]
    assert reader.provider == expected


def test_an_original_gateway_tells_states_by_its_own_words() -> None:
    """No states, no positions, no gaps."""
    conditions = {
        pb.ALARM_CONDITION_STATE_ACTIVE: S.UNACK_ALM,
        pb.ALARM_CONDITION_STATE_ACTIVE_ACKED: S.ACK_ALM,
        pb.ALARM_CONDITION_STATE_INACTIVE: S.UNACK_RTN,
        pb.ALARM_CONDITION_STATE_UNSPECIFIED: S.UNKNOWN,
    }
    for condition, state in conditions.items():
        assert alarm_of(pb.ActiveAlarmSnapshot(current_state=condition)).state is state
    reader = begun(marker())
    for kind, listed in (
        (AlarmChangeKind.RAISE, True),
        (AlarmChangeKind.ACKNOWLEDGE, True),
        (AlarmChangeKind.CLEAR, False),
    ):
        read(reader, transition("A", kind, S.UNKNOWN, 0))
        assert bool(names(reader)) is listed
    assert reader.position is None


def test_what_only_a_newer_gateway_knows_is_unknown_and_raises_nothing() -> None:
    message = pb.OnAlarmTransitionEvent(
        alarm_full_reference="G!A.B",
        transition_kind=77,  # type: ignore[arg-type]
        state=88,  # type: ignore[arg-type]
        mode=99,  # type: ignore[arg-type]
        raw_state="STRANGE",
    )
    message.original_raise_timestamp.seconds = 1 << 60
    message.current_value.timestamp_value.seconds = 1 << 60
    reader = begun(marker())
    (change,) = read(reader, pb.AlarmFeedMessage(transition=message))
    assert isinstance(change, AlarmChange)
    assert (change.kind, change.alarm.state, change.alarm.mode) == (
        *(AlarmChangeKind.UNKNOWN, S.UNKNOWN),
        AlarmMode.UNKNOWN,
    )
    assert (change.alarm.raised, len(reader.alarms)) == (None, 1)
    assert read(reader, pb.AlarmFeedMessage()) == []


def test_an_alarm_in_words() -> None:
    alarm = Alarm(
        reference="Galaxy!Area.Pump.P.Hi",
        object_reference="Pump.P.Hi",
        priority=3,
        state=S.UNACK_ALM,
        raised=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        description="too high",
    )
    assert str(alarm) == "Galaxy!Area.Pump.P.Hi UNACK_ALM priority 3 since 2026-01-02 03:04:05 UTC: too high"
    assert (alarm.object, alarm.active, alarm.acknowledged, alarm.listed) == ("Pump", True, False, True)
    age = alarm.age(datetime(2026, 1, 2, 3, 4, 15, tzinfo=UTC))
    assert age is not None
    assert age.total_seconds() == 10
    assert Alarm(reference="x").age(datetime.now(UTC)) is None


def test_the_list_equals_the_truth_whatever_breaks_when() -> None:
    """A plant of chance, streams that break anywhere, gaps, resumptions: after each marker, and after each change of a
    stream that goes on, the list is the plant's. And the changes alone lead to the same list."""
    chance = random.Random(3)
    reader = AlarmReader()
    truth: dict[str, AlarmState] = {}
    by_changes: dict[str, AlarmState] = {}
    states = {
        S.UNACK_ALM: AlarmChangeKind.RAISE,
        S.ACK_ALM: AlarmChangeKind.ACKNOWLEDGE,
        S.UNACK_RTN: AlarmChangeKind.CLEAR,
        S.ACK_RTN: AlarmChangeKind.CLEAR,
    }

    def take(*messages: pb.AlarmFeedMessage) -> None:
        for event in read(reader, *messages):
            if isinstance(event, AlarmChange):
                name = event.alarm.reference.rpartition(".")[2]
                gone = event.alarm is event.previous or not event.alarm.listed
                by_changes.pop(name, None) if gone else by_changes.update({name: event.alarm.state})

    def change() -> pb.AlarmFeedMessage:
        name, state = f"A{chance.randrange(6)}", chance.choice(list(states))
        truth.pop(name, None) if state is S.ACK_RTN else truth.update({name: state})
        return transition(name, states[state], state, chance.randrange(1, 1000))

    def whole() -> list[pb.AlarmFeedMessage]:
        return [*(snapshot(name, state) for name, state in truth.items()), marker(1)]

    reader.begin(resumed=False)
    take(*whole())
    by_changes = dict(truth)
    for _ in range(500):
        way = chance.randrange(5)
        if way == 0:
            for _ in range(chance.randrange(4)):
                change()
            messages = [gap(), *whole()]
            cut = chance.randrange(len(messages) + 1)
            take(*messages[:cut])
            reader.begin(resumed=False)
            take(*whole())
        elif way == 1:
            reader.begin(resumed=True)
        elif way == 2:
            change()
            reader.begin(resumed=True)
            take(gap("epoch"), *whole())
        else:
            take(change())
        assert reader.is_synced
        assert names(reader) == truth
        assert by_changes == truth
