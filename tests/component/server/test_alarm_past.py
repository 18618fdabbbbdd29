"""The history of the alarms and their figures over a whole gateway, and what a restart of it leaves of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.support.alarm_gateway import alarm_gateway
from tests.support.alarm_link import ScriptedLink
from tests.support.gateway import ALL_SCOPES, USUAL_SCOPES, LiveGateway, bearer, create_key

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server import making
from mxgateway_server.access.constraints import Constraints, NoLookup

K = pb.AlarmTransitionKind


async def history(gateway: LiveGateway, key: str = "", **request: Any) -> list[pb.AlarmHistoryPage]:
    call = gateway.stub.QueryAlarmHistory(
        pb.QueryAlarmHistoryRequest(**request), metadata=bearer(key) if key else gateway.auth
    )
    return [page async for page in call]


def everything(**request: Any) -> pb.GetAlarmStatisticsRequest:
    """The scripted plant lives by a clock of its own, so a window that reaches it is asked for."""
    asked = pb.GetAlarmStatisticsRequest(**request)
    asked.window.FromSeconds(10 * 365 * 86_400)
    return asked


def sequences(pages: list[pb.AlarmHistoryPage]) -> list[int]:
    return [change.sequence for page in pages for change in page.changes]


async def status(gateway: LiveGateway) -> pb.GetAlarmMonitorStatusReply:
    reply: pb.GetAlarmMonitorStatusReply = await gateway.stub.GetAlarmMonitorStatus(
        pb.GetAlarmMonitorStatusRequest(), metadata=gateway.auth
    )
    return reply


async def reached(gateway: LiveGateway, sequence: int) -> pb.AlarmPosition:
    """The position when so many changes have been told."""
    call = gateway.stub.StreamAlarms(
        pb.StreamAlarmsRequest(include_extended=True, snapshot=pb.ALARM_SNAPSHOT_MODE_FULL), metadata=gateway.auth
    )
    position = pb.AlarmPosition()
    while position.sequence < sequence:
        message = await call.read()
        position = message.at if message.HasField("at") else position
    call.cancel()
    return position


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """State of a gateway, and of another one after it: keys are made for each."""
    (tmp_path / "first").mkdir()
    return tmp_path / "first"


@pytest.fixture
def second(tmp_path: Path) -> Path:
    (tmp_path / "second").mkdir()
    return tmp_path / "second"


def kept(state: Path) -> dict[str, Any]:
    """One history for both."""
    return {"alarms.history.path": str(state / "alarms.db")}


async def test_what_happened_is_told_in_pages(tmp_path: Path) -> None:
    link = ScriptedLink()
    async with alarm_gateway(tmp_path, link) as gateway:
        for number in range(30):
            link.happen(number % 3, ("on", "ack", "off")[number // 3 % 3])
        await reached(gateway, 30)
        assert sequences(await history(gateway)) == list(range(30, 0, -1))
        pages = await history(gateway, oldest_first=True, page_size=8, limit=20)
        assert [len(page.changes) for page in pages] == [8, 8, 4]
        assert sequences(pages) == list(range(1, 21))
        assert pages[-1].next_page_token, "there are more, and this is where they begin"
        rest = await history(gateway, oldest_first=True, page_size=8, page_token=pages[-1].next_page_token)
        assert sequences(rest) == list(range(21, 31))
        acknowledged = await history(gateway, kinds=[K.Value("ALARM_TRANSITION_KIND_ACKNOWLEDGE")])
        assert {change.state for page in acknowledged for change in page.changes} == {pb.ALARM_STATE_ACK_ALM}
        one = await history(gateway, filter=pb.AlarmFilter(references=[link.reference(1)]))
        assert {change.alarm_full_reference for page in one for change in page.changes} == {link.reference(1)}
        assert any(note.event == "provider" for page in pages for note in page.notes)
        told = await status(gateway)
        assert (told.history.changes, told.history.lost) == (30, 0)
        assert set(told.capabilities) >= {"alarm-history", "alarm-statistics"}


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"page_token": "abc"}, "page_token"),
        ({"page_size": 1001}, "page_size is 1000 at most"),
        ({"kinds": [77]}, "kinds"),
        ({"from_time": {"seconds": 20}, "until_time": {"seconds": 10}}, "from_time is after until_time"),
        ({"from_time": {"seconds": -1}}, "from_time is no time"),
        ({"filter": {"priority_min": 5000}}, "filter.priority_min"),
    ],
)
async def test_what_makes_no_sense_is_refused(tmp_path: Path, request_: dict[str, Any], text: str) -> None:
    async with alarm_gateway(tmp_path, ScriptedLink()) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await history(gateway, **request_)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert text in (refused.value.details() or "")


async def test_a_stream_goes_on_after_a_restart_of_the_gateway(first: Path, second: Path) -> None:
    """Resumed clients get what they missed and no more; nothing is announced again."""
    link = ScriptedLink()
    async with alarm_gateway(first, link, **kept(first)) as gateway:
        for number in (0, 1, 2):
            link.happen(number, "on")
        position = await reached(gateway, 3)
        link.happen(1, "ack")
        await reached(gateway, 4)
        before = await status(gateway)
    async with alarm_gateway(second, link, **kept(first)) as gateway:
        after = await status(gateway)
        assert (after.epoch, after.newest_sequence) == (before.epoch, before.newest_sequence)
        call = gateway.stub.StreamAlarms(
            pb.StreamAlarmsRequest(
                include_extended=True, resume_after=position, snapshot=pb.ALARM_SNAPSHOT_MODE_ON_GAP
            ),
            metadata=gateway.auth,
        )
        told = [await call.read()]
        while told[-1].WhichOneof("payload") != "position":
            told.append(await call.read())
        assert {each.WhichOneof("payload") for each in told} <= {"transition", "position", "provider_status"}
        (missed,) = [each.transition for each in told if each.HasField("transition")]
        assert (missed.sequence, missed.state) == (4, pb.ALARM_STATE_ACK_ALM)
        call.cancel()


async def test_what_changed_while_the_gateway_was_away_is_found(first: Path, second: Path) -> None:
    link = ScriptedLink()
    async with alarm_gateway(first, link, **kept(first)) as gateway:
        link.happen(0, "on")
        await reached(gateway, 1)
    link.happen(0, "off")
    async with alarm_gateway(second, link, **kept(first)) as gateway:
        await reached(gateway, 2)
        (change, *_) = [each for page in await history(gateway) for each in page.changes]
        assert (change.sequence, change.origin) == (2, pb.ALARM_ORIGIN_RESTART)


async def test_a_limited_key_sees_its_part_of_the_past_and_no_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "GalaxyLookup", lambda _: NoLookup())
    link = ScriptedLink()
    async with alarm_gateway(tmp_path, link) as gateway:
        for number in range(4):
            link.happen(number, "on")
        await reached(gateway, 4)
        source = link.reference(2).partition("!")[2].partition(".")[2]
        limited = await create_key(
            gateway.settings, "limited", USUAL_SCOPES, Constraints(read_tag_globs=(f"{source}.InAlarm",))
        )
        pages = await history(gateway, limited)
        assert {change.alarm_full_reference for page in pages for change in page.changes} == {link.reference(2)}
        assert not any(page.notes for page in pages)
        figures = await gateway.stub.GetAlarmStatistics(everything(), metadata=bearer(limited))
        assert figures.figures[0].annunciated == 1
        assert figures.figures[0].standing == 1


async def test_a_key_with_limits_on_alarms_gets_no_count_and_no_text_of_the_others(tmp_path: Path) -> None:
    """Lists, streams, history, figures, status and acting calls alike."""
    link = ScriptedLink(12)
    area = link.alarm(0).source.area
    alarms = [link.alarm(number) for number in range(12)]
    least = sorted(alarm.priority for alarm in alarms if alarm.source.area == area)[1]
    seen = {alarm.source.reference for alarm in alarms if alarm.source.area == area and alarm.priority <= least}
    assert len(seen) == 2
    hidden = [alarm.source.reference for alarm in alarms if alarm.source.reference not in seen]
    async with alarm_gateway(tmp_path, link, **kept(tmp_path)) as gateway:
        for number in range(12):
            link.happen(number, "on")
        await reached(gateway, 12)
        limits = Constraints(alarm_areas=(area.upper(),), alarm_min_priority=least)
        auth = bearer(key := await create_key(gateway.settings, "limited", ALL_SCOPES, limits))
        listed = gateway.stub.QueryActiveAlarms(pb.QueryActiveAlarmsRequest(), metadata=auth)
        assert {row.alarm_full_reference async for row in listed} == seen
        pages = await history(gateway, key)
        assert {change.alarm_full_reference for page in pages for change in page.changes} == seen
        status = await gateway.stub.GetAlarmMonitorStatus(pb.GetAlarmMonitorStatusRequest(), metadata=auth)
        assert sum(each.count for each in status.states) == sum(each.count for each in status.priorities) == 2
        assert (status.history.changes, status.history.bytes, status.watched) == (0, 0, 0)
        figures = await gateway.stub.GetAlarmStatistics(everything(top=100), metadata=auth)
        (figure,) = figures.figures
        assert (figure.annunciated, figure.standing, figure.unacknowledged, len(figure.floods)) == (2, 2, 2, 0)
        assert {each.alarm_full_reference for each in figure.most_frequent} == seen
        assert sum(each.count for each in figure.priorities) == 2
        told = [listed, *pages, status, figures]
        request = pb.AcknowledgeAlarmsRequest(filter=pb.AlarmFilter(), expected_count=2, comment="mine")
        done = await gateway.stub.AcknowledgeAlarms(request, metadata=auth)
        assert {each.alarm_full_reference for each in done.results} == seen
        for name in (hidden[0], hidden[0].rpartition("!")[2].partition(".")[2]):
            one = pb.AcknowledgeAlarmRequest(alarm_full_reference=name)
            reply = await gateway.stub.AcknowledgeAlarm(one, metadata=auth)
            assert (reply.outcome, reply.alarm_full_reference) == (pb.ALARM_ACK_OUTCOME_NOT_FOUND, "")
        shelve = pb.ShelveAlarmsRequest(targets=[pb.AlarmTarget(alarm_full_reference=hidden[0])], reason="why")
        shelve.duration.FromSeconds(60)
        (refused,) = (await gateway.stub.ShelveAlarms(shelve, metadata=auth)).results
        assert refused.outcome == pb.ALARM_SHELVE_OUTCOME_NOT_FOUND
        assert not any(name in str(message) for name in hidden for message in told)


async def test_figures_of_positions_and_of_a_restart(first: Path, second: Path) -> None:
    link = ScriptedLink()
    flags = {
        "alarms.positions": {"control room": (link.alarm(0).source.area,), "nobody": ("Elsewhere",)},
        **kept(first),
    }
    for state in (first, second):
        async with alarm_gateway(state, link, **flags) as gateway:
            if state == first:
                for number in range(12):
                    link.happen(number % 6, ("on", "off")[number // 6])
                await reached(gateway, 12)
            reply = await gateway.stub.GetAlarmStatistics(everything(top=2), metadata=gateway.auth)
            by_name = {each.position: each for each in reply.figures}
            assert set(by_name) == {"all", "control room", "nobody"}
            assert (by_name["all"].annunciated, by_name["nobody"].annunciated) == (6, 0)
            assert 0 < by_name["control room"].annunciated < 6
            assert len(by_name["all"].most_frequent) == 2
            assert (by_name["all"].time_to_return.count, by_name["all"].unacknowledged) == (6, 6)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await gateway.stub.GetAlarmStatistics(
                    pb.GetAlarmStatisticsRequest(positions=["x"]), metadata=gateway.auth
                )
            assert "there are all, control room, nobody" in (refused.value.details() or "")


async def test_without_a_history_the_present_goes_on(tmp_path: Path) -> None:
    """Switched off, and with a file that cannot be had: alarms are told, the past is not."""
    for name, flags in (
        ("off", {"alarms.history.enabled": False}),
        ("folder", {"alarms.history.path": str(tmp_path)}),
    ):
        link = ScriptedLink()
        (tmp_path / name).mkdir()
        async with alarm_gateway(tmp_path / name, link, **flags) as gateway:
            link.happen(0, "on")
            await reached(gateway, 1)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await history(gateway)
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
            assert (
                await gateway.stub.GetAlarmStatistics(pb.GetAlarmStatisticsRequest(), metadata=gateway.auth)
            ).figures
