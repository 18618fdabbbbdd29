"""The alarms behind a gateway: the feed, what breaks it, and what becomes of what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, ok, running_fake
from tests.support.waiting import eventually
from tests.unit.client.test_alarm_feed import batch
from tests.unit.client.test_alarm_reader import marker, snapshot, transition

from mxgateway import (
    AckOutcome,
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmFeedState,
    AlarmState,
    ClientOptions,
    MxGatewayError,
    ShelveOutcome,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.tui import gateway_alarms
from mxgateway_cli.tui.gateway_alarms import GatewayAlarms
from mxgateway_cli.tui.plant import PlantAlarms

KEY = "mxgw_test_sentinelsecret"
K, S = AlarmChangeKind, AlarmState
PUMP = Alarm(reference="Galaxy!Area.A", guid="1")
BROKEN = Abort(grpc.StatusCode.UNAVAILABLE, "gone")


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running_fake() as fake:
        yield fake


class Notes:
    def __init__(self) -> None:
        self.changes: list[AlarmChange] = []

    def alarm_changed(self, change: AlarmChange) -> None:
        self.changes.append(change)


@asynccontextmanager
async def running(
    gateway: FakeGateway, notes: Notes | None = None, pauses: asyncio.Semaphore | None = None, **more: bool
) -> AsyncIterator[GatewayAlarms]:
    async def pause(_: float) -> None:
        await (asyncio.sleep(0) if pauses is None else pauses.acquire())

    options = ClientOptions(endpoint=gateway.endpoint, plaintext=True, api_key=KEY)
    alarms = GatewayAlarms(options, sleep=pause, **more)
    seam: PlantAlarms = alarms
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(seam.run(notes or Notes()))
        try:
            yield alarms
        finally:
            task.cancel()


async def test_the_list_is_kept_over_a_break_and_says_how_good_it_is(gateway: FakeGateway) -> None:
    gateway.alarm_streams = [[batch(snapshot("A"), marker(1))], [batch(transition("B", K.RAISE, S.UNACK_ALM, 2))]]
    notes = Notes()
    async with running(gateway, notes) as alarms:
        assert (alarms.state, dict(alarms.alarms)) == (AlarmFeedState.CONNECTING, {})
        await eventually(lambda: alarms.state is AlarmFeedState.SYNCED)
        before = alarms.revision
        assert set(alarms.alarms) == {"Galaxy!Area.A"}
        gateway.alarms_live.put_nowait(BROKEN)
        await eventually(lambda: len(notes.changes) == 1)
        assert set(alarms.alarms) == {"Galaxy!Area.A", "Galaxy!Area.B"}
        assert alarms.revision > before
        assert alarms.problem == ""


async def test_what_ends_a_feed_is_told_and_tried_again(gateway: FakeGateway) -> None:
    """Alarms that are off, and a key that was taken away: the list that was known stays, and is not called live."""
    off = Abort(grpc.StatusCode.FAILED_PRECONDITION, f"no alarm provider {KEY}")
    gateway.script("StreamAlarmBatches", off, off)
    gateway.alarm_streams = [
        [batch(snapshot("A"), marker(1))],
    ]
    pauses = asyncio.Semaphore(0)
    async with running(gateway, pauses=pauses) as alarms:
        await eventually(lambda: "no alarm provider" in alarms.problem)
        assert KEY not in alarms.problem
        pauses.release()
        pauses.release()
        await eventually(lambda: alarms.state is AlarmFeedState.SYNCED)
        gateway.script("StreamAlarmBatches", *[Abort(grpc.StatusCode.PERMISSION_DENIED, "revoked")] * 10)
        gateway.alarms_live.put_nowait(Abort(grpc.StatusCode.PERMISSION_DENIED, "revoked"))
        await eventually(lambda: alarms.state is AlarmFeedState.RECONNECTING)
        assert set(alarms.alarms) == {"Galaxy!Area.A"}
        await eventually(lambda: "revoked" in alarms.problem)


async def test_acknowledging_means_the_occurrence_and_tells_each_outcome(gateway: FakeGateway) -> None:
    reply = pb.AcknowledgeAlarmReply(protocol_status=ok(), outcome=pb.ALARM_ACK_OUTCOME_ACKNOWLEDGED)
    gateway.script("AcknowledgeAlarm", reply)
    results = [
        pb.AcknowledgeAlarmReply(outcome=pb.ALARM_ACK_OUTCOME_SUPERSEDED, diagnostic_message="guid 2"),
        pb.AcknowledgeAlarmReply(outcome=pb.ALARM_ACK_OUTCOME_TIMED_OUT),
    ]
    gateway.script("AcknowledgeAlarms", pb.AcknowledgeAlarmsReply(protocol_status=ok(), results=results))
    async with running(gateway) as alarms:
        await eventually(lambda: "StreamAlarmBatches" in gateway.calls)
        (one,) = await alarms.acknowledge([PUMP], "seen", "anna")
        assert (one.succeeded, one.text) == (True, "acknowledged")
        asked = gateway.requests[-1]
        assert (asked.expected_guid, asked.comment, asked.operator_user) == ("1", "seen", "anna")
        several = await alarms.acknowledge([PUMP, PUMP, PUMP], "", "")
        assert [each.succeeded for each in several] == [False, None, None]
        assert "has come up again since you looked" in several[0].text
        assert several[0].text.endswith("guid 2")
        assert "said nothing of this one" in several[2].text


async def test_shelving_and_its_end(gateway: FakeGateway) -> None:
    async with running(gateway) as alarms:
        await eventually(lambda: "StreamAlarmBatches" in gateway.calls)
        (done,) = await alarms.shelve([PUMP], 0.5, "in repair", "anna")
        assert (done.succeeded, gateway.requests[-1].duration.seconds) == (True, 1800)
        await alarms.shelve([PUMP], 0, "", "anna")
        assert gateway.requests[-1].duration.seconds == 0


@pytest.mark.parametrize(
    ("code", "succeeded", "text"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, False, "the gateway refused it"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None, "outcome unknown"),
        (grpc.StatusCode.UNAVAILABLE, None, "outcome unknown"),
        (grpc.StatusCode.INVALID_ARGUMENT, False, "the gateway refused it"),
    ],
)
async def test_a_call_that_fails_never_claims_an_outcome_it_does_not_know(
    gateway: FakeGateway, code: grpc.StatusCode, succeeded: bool | None, text: str
) -> None:
    gateway.script("AcknowledgeAlarms", *[Abort(code, f"no {KEY}")] * 5)
    async with running(gateway) as alarms:
        await eventually(lambda: "StreamAlarmBatches" in gateway.calls)
        outcomes = await alarms.acknowledge([PUMP, PUMP], "", "")
        assert [each.succeeded for each in outcomes] == [succeeded] * 2
        assert text in outcomes[0].text
        assert KEY not in outcomes[0].text


async def test_read_only_and_without_a_connection_nothing_is_sent(gateway: FakeGateway) -> None:
    async with running(gateway, read_only=True) as alarms:
        await eventually(lambda: "StreamAlarmBatches" in gateway.calls)
        (refused,) = await alarms.acknowledge([PUMP], "", "")
        assert (refused.succeeded, "read-only" in refused.text) == (False, True)
    assert "AcknowledgeAlarm" not in gateway.calls
    alone = GatewayAlarms(ClientOptions(endpoint=gateway.endpoint, plaintext=True))
    (refused,) = await alone.shelve([PUMP], 1, "x", "")
    assert (refused.succeeded, "no connection" in refused.text) == (False, True)
    with pytest.raises(MxGatewayError, match="no connection"):
        await alone.history(PUMP)


async def test_the_past_of_one_alarm_is_that_of_no_other(gateway: FakeGateway) -> None:
    """A reference with a wildcard in it finds more than itself."""
    odd = Alarm(reference="Galaxy!Area.A?")
    events = [transition(name, K.RAISE, S.UNACK_ALM).transition for name in ("A?", "AB", "a?")]
    gateway.script("QueryAlarmHistory", pb.AlarmHistoryPage(changes=events))
    async with running(gateway) as alarms:
        await eventually(lambda: "StreamAlarmBatches" in gateway.calls)
        assert [each.alarm.reference for each in await alarms.history(odd)] == ["Galaxy!Area.A?", "Galaxy!Area.a?"]
    assert gateway.requests[-1].limit == gateway_alarms.HISTORY


def test_every_outcome_has_its_words() -> None:
    asked = {AckOutcome.UNKNOWN, AckOutcome.DRY_RUN}
    assert set(AckOutcome) - asked == set(gateway_alarms._ACK_WORDS)
    assert set(ShelveOutcome) - {ShelveOutcome.UNKNOWN, ShelveOutcome.DRY_RUN} == set(gateway_alarms._SHELVE_WORDS)
