"""Alarms on their way in and out: nothing is lost between a worker's message and a client's."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.unit.server.alarms.alarm_parts import EPOCH, SECOND, T0, alarm, guid, source

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms import model, telling
from mxgateway_server.alarms.decoding import AlarmDecoder, speaker_of
from mxgateway_server.alarms.encoding import batch_of, messages_of, snapshot_bytes, status_message, transition_bytes
from mxgateway_server.alarms.model import Alarm, Change, Kind, Mode, Origin, Provider, State
from mxgateway_server.alarms.references import normal_guid, split_reference
from mxgateway_server.alarms.subscriber import LagPolicy
from mxgateway_server.alarms.telling import (
    GapReason,
    LeftReason,
    MonitorState,
    Portion,
    Position,
    ProviderStatus,
    Reason,
    ToldAlarm,
    ToldChange,
    ToldFlood,
    ToldGap,
    ToldLeft,
    ToldMarker,
    ToldPosition,
    ToldStatus,
)

FULL = Alarm(
    source("Tank.Level.Hi", alarm_class="VALUE", type_name="DSC"),
    State.ACK_ALM,
    guid=guid(7),
    is_guid_derived=True,
    priority=250,
    raised_ns=T0,
    changed_ns=T0 + SECOND,
    acknowledged_ns=T0 + SECOND,
    cleared_ns=T0 + 2 * SECOND,
    operator_user="anna",
    operator_node="STATION1",
    operator_domain="PLANT",
    operator_full_name="Anna B.",
    comment="gesehen — 确认",
    description="too high",
    value=pb.MxValue(float_value=7.5).SerializeToString(),
    limit=pb.MxValue(float_value=7.0).SerializeToString(),
    mode=Mode.SILENCED,
    is_shelved=True,
    shelved_until_ns=T0 + 3600 * SECOND,
    shelve_user="bert",
    shelve_node="STATION2",
    shelve_reason="repair",
    is_degraded=True,
    provider_mode=Provider.SUBTAG,
)


def told(one: Alarm) -> dict[str, Any]:
    names = [name for name in Alarm.__slots__ if name not in ("source", "snapshot_bytes", "sequence", "is_uncertain")]
    return {"source": one.source.facts(), **{name: getattr(one, name) for name in names}}


def decoder() -> AlarmDecoder:
    return AlarmDecoder(lambda area: (area, "Plant"))


def test_a_snapshot_and_a_transition_lose_nothing_on_the_way() -> None:
    back = decoder().alarm(pb.ActiveAlarmSnapshot.FromString(snapshot_bytes(FULL)))
    assert told(back) == told(FULL)
    change = Change(5, Kind.ACKNOWLEDGE, Origin.INFERRED, FULL, None, True)
    event = pb.OnAlarmTransitionEvent.FromString(transition_bytes(change))
    report = decoder().report(event)
    assert told(report.alarm) == told(FULL)
    assert (report.kind, report.origin, event.sequence) == (Kind.ACKNOWLEDGE, Origin.INFERRED, 5)


def by_protobuf(message: Any, alarm_: Alarm, sequence: int, changed: str) -> Any:
    """What both messages have in common, written by protobuf field by field."""
    of = alarm_.source
    for name, value in {
        "alarm_full_reference": of.reference,
        "source_object_reference": of.object_reference,
        "alarm_type_name": of.type_name,
        "category": of.area,
        "provider_name": of.provider,
        "group_name": of.group,
        "alarm_name": of.name,
        "alarm_class": of.alarm_class,
        "severity": alarm_.priority,
        "alarm_guid": alarm_.guid,
        "guid_derived": alarm_.is_guid_derived,
        "state": int(alarm_.state),
        "mode": int(alarm_.mode),
        "source_provider": int(alarm_.provider_mode),
        "degraded": alarm_.is_degraded,
        "uncertain": alarm_.is_uncertain,
        "raw_state": alarm_.raw_state,
        "operator_comment": alarm_.comment,
        "sequence": sequence,
        **{f"operator_{name}": getattr(alarm_, f"operator_{name}") for name in ("user", "node", "domain", "full_name")},
        "description": alarm_.description,
    }.items():
        setattr(message, name, value)
    message.area_path.extend(of.area_path)
    if alarm_.value:
        message.current_value.ParseFromString(alarm_.value)
    if alarm_.limit:
        message.limit_value.ParseFromString(alarm_.limit)
    if alarm_.is_shelved:
        message.shelved = True
        for name in ("shelve_user", "shelve_node", "shelve_reason"):
            setattr(message, name, getattr(alarm_, name))
    for moment, name in (
        (alarm_.raised_ns, "original_raise_timestamp"),
        (alarm_.changed_ns, changed),
        (alarm_.acknowledged_ns, "acknowledged_timestamp"),
        (alarm_.cleared_ns, "cleared_timestamp"),
        (alarm_.shelved_until_ns, "shelved_until"),
    ):
        if moment:
            getattr(message, name).FromNanoseconds(moment)
    return message


ODD: dict[str, tuple[Any, ...]] = {
    "state": tuple(State),
    "mode": tuple(Mode),
    "provider_mode": tuple(Provider),
    "guid": ("", guid(3)),
    "priority": (1, 127, 128, 999),
    **{f"is_{name}": (False, True) for name in ("guid_derived", "degraded", "uncertain", "shelved")},
    **dict.fromkeys(("comment", "description", "raw_state"), ("", "x" * 200, "ü — 确认 <&>\"'")),
    **dict.fromkeys(("shelve_user", "shelve_node", "shelve_reason"), ("", "x" * 200, "Anna")),
    **{f"operator_{name}": ("", "anna") for name in ("user", "node", "domain", "full_name")},
    **{
        f"{name}_ns": (0, 1, SECOND, T0 + 999_999_999, -T0)
        for name in ("raised", "changed", "acknowledged", "cleared", "shelved_until")
    },
    "value": (b"", pb.MxValue(string_value="v" * 300).SerializeToString()),
    "limit": (b"", pb.MxValue(float_value=7.0).SerializeToString()),
}


def test_what_is_written_by_hand_is_what_protobuf_writes() -> None:
    chance = random.Random(14)
    changed, last_changed = "transition_timestamp", "last_transition_timestamp"
    for number in range(500):
        of = source(f"Tank_{number}.Level.Hi", alarm_class=chance.choice(("", "VALUE")))
        one = Alarm(of, **{name: chance.choice(values) for name, values in ODD.items()})
        sequence, kind, origin = chance.choice((1, 2047, 2048, 1 << 40)), chance.choice(list(Kind)), Origin(number % 5)
        event = pb.OnAlarmTransitionEvent.FromString(transition_bytes(Change(sequence, kind, origin, one, None, True)))
        wanted = pb.OnAlarmTransitionEvent(transition_kind=int(kind), origin=int(origin))  # type: ignore[arg-type]
        assert event == by_protobuf(wanted, one, sequence, changed)
        entry = pb.ActiveAlarmSnapshot.FromString(snapshot_bytes(one.having(sequence=sequence)))
        wanted_entry = pb.ActiveAlarmSnapshot(current_state=entry.current_state)
        assert entry == by_protobuf(wanted_entry, one, sequence, last_changed)


@pytest.mark.parametrize("name", sorted(set(ODD) - {"state", "mode", "provider_mode", "priority"}))
def test_what_is_rare_is_written_by_itself(name: str) -> None:
    one = Alarm(source("Tank.Level.Hi"), **{name: ODD[name][1]})
    if name.startswith("shelve_"):
        one.is_shelved = True
    event = pb.OnAlarmTransitionEvent.FromString(transition_bytes(Change(3, Kind.RAISE, Origin.LIVE, one, None, True)))
    assert event == by_protobuf(pb.OnAlarmTransitionEvent(transition_kind=1), one, 3, "transition_timestamp")


def test_every_field_of_the_messages_is_filled() -> None:
    """A field that is added to the contract and forgotten here fails."""
    change = Change(5, Kind.ACKNOWLEDGE, Origin.INFERRED, FULL, None, True)
    for message in (
        pb.ActiveAlarmSnapshot.FromString(snapshot_bytes(FULL.having(sequence=5))),
        pb.OnAlarmTransitionEvent.FromString(transition_bytes(change)),
    ):
        filled = {field.name for field, _ in message.ListFields()}
        missing = {field.name for field in message.DESCRIPTOR.fields} - filled
        assert missing <= {"uncertain", "raw_state", "origin"}


def test_what_a_worker_leaves_out_is_found_out() -> None:
    event = pb.OnAlarmTransitionEvent(
        alarm_full_reference="Galaxy!Line1.Tank.Level.Hi", transition_kind=1, severity=0, alarm_guid=f"{{{guid(9)}}}"
    )
    alarm_ = decoder().report(event).alarm
    assert (alarm_.source.provider, alarm_.source.group, alarm_.source.name) == ("Galaxy", "Line1", "Tank.Level.Hi")
    assert (alarm_.source.object_reference, alarm_.source.area) == ("Tank.Level.Hi", "Line1")
    assert alarm_.source.area_path == ("Line1", "Plant")
    assert (alarm_.priority, alarm_.guid, alarm_.raised_ns) == (1, guid(9), 0)


def test_alarms_that_come_again_share_what_does_not_change() -> None:
    made = decoder()
    event = pb.OnAlarmTransitionEvent(
        alarm_full_reference="Galaxy!Line1.T.A", source_object_reference="T.A", category="Line1"
    )
    assert made.report(event).alarm.source is made.report(event).alarm.source
    for stamp in (event.original_raise_timestamp, event.transition_timestamp):
        stamp.FromNanoseconds(T0)
    fresh = made.report(event).alarm
    assert fresh.raised_ns == T0
    assert fresh.changed_ns is fresh.raised_ns
    event.alarm_type_name = "SYS"
    assert made.report(event).alarm.source.type_name == "SYS"
    made.forget_areas()
    assert made.report(event).alarm.source.area_path == ("Line1", "Plant")


@pytest.mark.parametrize(("seconds", "nanos"), [(0, 1), (1, 0), (-1, 5), (1 << 34, 7), (253_402_300_799, 999_999_999)])
def test_times_of_every_age_are_read(seconds: int, nanos: int) -> None:
    event = pb.OnAlarmTransitionEvent(alarm_full_reference="Galaxy!A.B.C", transition_kind=1)
    for stamp in (event.transition_timestamp, event.acknowledged_timestamp, event.cleared_timestamp):
        stamp.seconds, stamp.nanos = seconds, nanos
    read = decoder().report(event).alarm
    assert {read.changed_ns, read.acknowledged_ns, read.cleared_ns} == {seconds * SECOND + nanos}
    assert read.raised_ns == 0


@pytest.mark.parametrize(("seconds", "nanos"), [(1, SECOND), (1, -1), (1 << 40, 0), (-(1 << 40), 0)])
def test_a_time_that_is_none_is_refused(seconds: int, nanos: int) -> None:
    event = pb.OnAlarmTransitionEvent(alarm_full_reference="Galaxy!A.B.C", transition_kind=1)
    event.transition_timestamp.seconds, event.transition_timestamp.nanos = seconds, nanos
    with pytest.raises(ValueError, match="Timestamp"):
        decoder().report(event)


def test_case_53_a_state_or_kind_that_is_not_known_is_kept_in_its_own_words() -> None:
    event = pb.OnAlarmTransitionEvent(alarm_full_reference="Galaxy!A.B.C", transition_kind=77, state=88)  # type: ignore[arg-type]
    report = decoder().report(event)
    assert (report.kind, report.alarm.state, report.alarm.raw_state) == (
        Kind.UNKNOWN,
        State.UNKNOWN,
        "transition kind 77",
    )
    old = pb.ActiveAlarmSnapshot(alarm_full_reference="Galaxy!A.B.C", current_state=2)
    assert decoder().alarm(old).state is State.ACK_ALM


def test_pages_of_one_cut_are_one_list() -> None:
    pages = [
        pb.QueryActiveAlarmsReplyPayload(mode=2, as_of_worker_sequence=7, truncated=number == 0) for number in range(2)
    ]
    for number, page in enumerate(pages):
        page.snapshots.add(alarm_full_reference=f"Galaxy!A.B{number}.C", state=1)
    pages[-1].poll.returned_are_invisible = True
    found = decoder().snapshot(pages, frozenset({"x"}))
    assert (len(found.alarms), found.as_of, found.is_truncated, found.watched) == (2, 7, True, frozenset({"x"}))
    assert (found.provider, found.returned_are_visible) == (Provider.SUBTAG, False)
    pages[-1].mode = 1
    assert decoder().snapshot(pages, frozenset({"x"})).watched is None


def test_messages_carry_their_positions_one_by_one_and_a_batch_carries_one() -> None:
    change = Change(9, Kind.REMOVE, Origin.LIVE, FULL, None, False)
    status = ProviderStatus(state=MonitorState.LOST, reason=Reason.POLL_FAILED, text="E_FAIL", hresult=-5, since_ns=T0)
    gap = ToldGap(Position("f" * 32, 3, 4), Position(EPOCH, 8), 5, GapReason.LAGGED)
    items = [
        (gap, None),
        (ToldAlarm(FULL, True), None),
        (ToldMarker(), 8),
        (ToldStatus(status), 8),
        (ToldChange(change, Kind.CLEAR), 9),
        (ToldLeft("Galaxy!A.B.C", LeftReason.HIDDEN), 9),
        (ToldFlood("north", T0, T0 + SECOND, 12), 9),
        (ToldPosition(), 9),
    ]
    portion = Portion(items, EPOCH, 77)
    messages = [pb.AlarmFeedMessage.FromString(each) for each in messages_of(portion)]
    assert [each.WhichOneof("payload") for each in messages] == [
        *("gap", "active_alarm", "snapshot_complete", "provider_status", "transition", "left", "flood", "position")
    ]
    assert [each.at.sequence if each.HasField("at") else None for each in messages] == [None, None, 8, 8, 9, 9, 9, 9]
    assert messages[2].at == pb.AlarmPosition(epoch=EPOCH, sequence=8, filter_hash=77)
    assert messages[1].active_alarm.uncertain
    assert (messages[4].transition.transition_kind, messages[4].transition.state) == (3, pb.ALARM_STATE_ACK_ALM)
    assert (messages[0].gap.reason, messages[0].gap.lost, messages[0].gap.requested.filter_hash) == ("lagged", 5, 4)
    assert messages[3].provider_status == status_message(status)
    assert (messages[3].provider_status.reason, messages[3].provider_status.hresult) == ("E_FAIL", -5)
    assert messages[6].flood.ended.seconds - messages[6].flood.began.seconds == 1
    batch = pb.AlarmFeedBatch.FromString(batch_of(portion))
    for message in messages:
        message.ClearField("at")
    assert list(batch.messages) == messages
    assert batch.at == pb.AlarmPosition(epoch=EPOCH, sequence=9, filter_hash=77)
    assert batch_of(portion) is batch_of(portion)


def test_the_gateways_own_enums_have_the_numbers_of_the_contract() -> None:
    for ours, theirs, prefix in (
        (model.State, pb.AlarmState, "ALARM_STATE_"),
        (model.Kind, pb.AlarmTransitionKind, "ALARM_TRANSITION_KIND_"),
        (model.Mode, pb.AlarmMode, "ALARM_MODE_"),
        (model.Origin, pb.AlarmOrigin, "ALARM_ORIGIN_"),
        (model.Provider, pb.AlarmProviderMode, "ALARM_PROVIDER_MODE_"),
        (telling.MonitorState, pb.AlarmMonitorState, "ALARM_MONITOR_STATE_"),
        (telling.Reason, pb.AlarmProviderReason, "ALARM_PROVIDER_REASON_"),
        (telling.LeftReason, pb.AlarmLeftReason, "ALARM_LEFT_REASON_"),
        (LagPolicy, pb.AlarmLagPolicy, "ALARM_LAG_POLICY_"),
    ):
        names = {each.name: each.value for each in ours if each.value}  # type: ignore[attr-defined]
        wanted = {name.removeprefix(prefix): number for name, number in theirs.items() if number}  # type: ignore[attr-defined]
        assert names == wanted


def test_a_change_of_the_provider_is_read_with_its_hresult() -> None:
    """Edge case 3."""
    event = pb.OnAlarmProviderModeChangedEvent(mode=2, reason="SetXmlAlarmQuery", hresult=-2147467259, reason_code=4)
    speaker = speaker_of(event)
    assert (speaker.provider, speaker.reason, speaker.hresult) == (Provider.SUBTAG, Reason.POLL_FAILED, -2147467259)
    assert speaker_of(pb.OnAlarmProviderModeChangedEvent(mode=9)).provider is Provider.NONE  # type: ignore[arg-type]


def test_case_37_only_the_reference_is_taken_apart() -> None:
    assert split_reference("Galaxy!Area$1.Tank_001.Level.Hi") == ("Galaxy", "Area$1", "Tank_001.Level.Hi")
    assert split_reference("Galaxy!Area.A!B.C") == ("Galaxy", "Area", "A!B.C")
    for text in ("", "Galaxy", "Galaxy!Area", "!Area.Tag", "Galaxy!.Tag", "Galaxy!Area.", "Area.Tag"):
        assert split_reference(text) is None
    plain = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    for text in (plain, f"{{{plain.upper()}}}", plain.replace("-", ""), f" {plain} "):
        assert normal_guid(text) == plain
    for text in ("", "Galaxy!A.B", plain[:-1], plain + "0"):
        assert normal_guid(text) == ""
    assert alarm().key == "galaxy!line1.tank.hi"
