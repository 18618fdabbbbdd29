"""The scripted alarm worker of the benches: its list is what its changes come to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benches.alarm_parts import measure_poll
from benches.alarm_past import measure_history
from benches.alarm_readers import Reader, _latencies
from benches.alarm_server import ScriptedWorker, at_rate
from benches.alarms import Size, _client, _slowest

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.decoding import AlarmDecoder
from mxgateway_server.alarms.log import ChangeLog, LogLimits
from mxgateway_server.events.chunks import EventChunk


async def listed(worker: ScriptedWorker) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    after = ""
    while True:
        query = pb.QueryActiveAlarmsCommand(after_reference=after)
        reply = await worker.call(pb.MxCommand(query_active_alarms=query), 1.0)
        page = reply.query_active_alarms
        found |= {each.alarm_full_reference: (each.state, each.alarm_guid) for each in page.snapshots}
        after = page.next_after
        if not after:
            return found


def transitions(chunks: list[EventChunk]) -> Iterator[pb.OnAlarmTransitionEvent]:
    for chunk in chunks:
        for data in chunk.events():
            yield pb.MxEvent.FromString(data).on_alarm_transition


@pytest.mark.parametrize("steps", [(1,), (7, 7), (10,), (3, 30, 30), (13, 13, 13, 13, 13)])
async def test_the_list_is_what_the_changes_come_to(steps: tuple[int, ...]) -> None:
    worker = ScriptedWorker(10)
    chunks: list[EventChunk] = []
    await worker.open(chunks.append, lambda _: None)
    expected = await listed(worker)
    assert len(expected) == 10
    for count in steps:
        worker.tell(count)
    for event in transitions(chunks):
        expected.pop(event.alarm_full_reference, None)
        if event.state != pb.ALARM_STATE_ACK_RTN:
            expected[event.alarm_full_reference] = (event.state, event.alarm_guid)
    assert await listed(worker) == expected
    assert [chunk.first_sequence for chunk in chunks] == [1 + sum(steps[:n]) for n in range(len(steps))]


async def test_a_report_is_one_change_of_the_gateways_list() -> None:
    """Else the figures would be of more changes than are told."""
    worker, decoder = ScriptedWorker(10), AlarmDecoder(lambda area: (area,))
    chunks: list[EventChunk] = []
    await worker.open(chunks.append, lambda _: None)
    book = AlarmBook(ChangeLog(LogLimits(), "e" * 32))
    query = pb.QueryActiveAlarmsCommand()
    reply = await worker.call(pb.MxCommand(query_active_alarms=query), 1.0)
    book.adopt(decoder.snapshot([reply.query_active_alarms], frozenset()))
    worker.tell(80)
    for event in transitions(chunks):
        assert len(book.report(decoder.report(event), 0)) == 1
    assert not book.counters.repeated


async def test_a_rate_is_kept_however_long_a_step_takes() -> None:
    told: list[int] = []
    now = 5.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += 3.7 * seconds

    found = await at_rate(1000, 0.1, 0.01, told.append, lambda: now, sleep)
    assert found["told"] == sum(told) == 80, "all that was due when it last looked, in whole steps"
    assert set(told) == {10}


def test_a_latency_of_too_few_is_none_and_not_zero() -> None:
    few, many = Reader(), Reader()
    few.latencies, many.latencies = [0.1] * 19, [0.1] * 20
    assert _latencies([few]) is None
    found = _latencies([many])
    assert found is not None
    assert _slowest([found, {"p50": 7.0, "p99": 9.0}]) == {"p50": 100.0, "p99": 100.0}
    assert _slowest([found, None]) == {"p50": None, "p99": None}


def test_the_figures_of_history_and_client_come_at_any_size(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = measure_history(tmp_path, 8000, 0.01)
    assert found["rows"] == 8000 + found["written"]
    assert found["firstPageMs"]["p95"] > 0
    assert measure_poll(100)["changes"] == 50
    assert _client(Size(seconds=0.01))["changesPerSecond"] > 0
