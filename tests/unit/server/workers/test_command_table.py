"""Commands under way on a worker: who is told of a reply, when, and what is left when none comes."""

from __future__ import annotations

import asyncio
import gc
import weakref
from functools import partial

import pytest
from tests.support.clock import ManualClock

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_protocol.frames import FrameDecoder
from mxgateway_server.counters import CommandCounters
from mxgateway_server.errors import CommandTimeoutError, MessageLimitError, PendingLimitError, SessionClosedError
from mxgateway_server.workers.command_table import CommandTable, ReplyFuture

SESSION = "session-x"
OK = pb.PROTOCOL_STATUS_CODE_OK


class Rig:
    def __init__(self, limit: int = 10, max_bytes: int = 10_000) -> None:
        self.clock = ManualClock()
        self.written: list[bytes] = []
        self.canceled: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.counters = CommandCounters()
        self.table = CommandTable(
            limit=limit,
            envelopes=EnvelopeWriter(SESSION, max_bytes=max_bytes),
            write=self.written.append,
            send_cancel=lambda *what: self.canceled.append(what),
            clock=self.clock,
            counters=self.counters,
        )

    def submit(self, text: str = "x", timeout: float = 30.0) -> ReplyFuture:
        ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message=text))
        future = self.table.submit(ping, timeout)
        future.on_end.append(lambda: self.told.append(text))
        return future

    def reply(self, correlation_id: str, code: pb.ProtocolStatusCode.ValueType = OK) -> None:
        data = pb.MxCommandReply(diagnostic_message="done").SerializeToString()
        self.table.reply(correlation_id, wpb.WorkerCommandReply(reply_data=data, status_code=code))


async def test_a_command_is_written_as_the_envelope_that_protobuf_would_make() -> None:
    rig = Rig()
    future = rig.submit("hello", 1.5)
    (payload,) = FrameDecoder().feed(rig.written[0])
    envelope = EnvelopeReader(SESSION).parse(payload)
    assert (envelope.correlation_id, envelope.sequence) == ("1", 1)
    body = envelope.worker_command
    assert body.command.ping.message == "hello"
    assert body.enqueue_timestamp.ToNanoseconds() == rig.clock.unix_ns()
    assert body.time_left.ToNanoseconds() == 1_500_000_000
    rig.reply("1")
    assert (await future).message.diagnostic_message == "done"


async def test_each_command_goes_with_its_own_time_limit() -> None:
    rig = Rig()
    limits = (1.5, 1.5, 30.0, 0.25, 1.5)
    for limit in limits:
        rig.submit(timeout=limit)
    reader, decoder = EnvelopeReader(SESSION), FrameDecoder()
    sent = [reader.parse(payload).worker_command for data in rig.written for payload in decoder.feed(data)]
    assert tuple(command.time_left.ToNanoseconds() / 1e9 for command in sent) == limits
    rig.table.fail_all(SessionClosedError("the test is over"))


async def test_who_asked_is_told_of_a_reply_before_the_loop_turns() -> None:
    rig = Rig()
    future = rig.submit("a")
    rig.reply("1")
    assert rig.told == ["a"]
    assert future.done()
    assert rig.table.in_flight == 0


async def test_every_ending_is_told_once() -> None:
    rig = Rig()
    slow, given_up, left = rig.submit("slow", 0.0), rig.submit("given up"), rig.submit("left")
    assert given_up.cancel()
    assert not given_up.cancel()
    assert rig.told == ["given up"]
    with pytest.raises(CommandTimeoutError):
        await slow
    assert rig.told == ["given up", "slow"]
    assert sorted(rig.canceled) == [("1", "timeout"), ("2", "canceled")]
    # The worker may still be at work on both, so their places are taken until it answers.
    assert rig.table.in_flight == 3
    rig.reply("1")
    rig.reply("2")
    assert (rig.table.in_flight, rig.table.late_replies) == (1, 2)
    rig.table.fail_all(SessionClosedError("over"))
    with pytest.raises(SessionClosedError):
        await left
    assert rig.told == ["given up", "slow", "left"]
    assert rig.table.in_flight == 0


async def test_a_task_that_is_cancelled_takes_its_command_back() -> None:
    rig = Rig()
    future = rig.submit("a")
    waiting = asyncio.ensure_future(asyncio.wait_for(future, None))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert rig.canceled == [("1", "canceled")]


async def test_one_timer_serves_every_deadline() -> None:
    """A shorter time limit that comes later ends first; afterwards the timer is the next one's."""
    rig = Rig()
    long = rig.submit("long", 30.0)
    answered = rig.submit("answered", 0.0)
    short = rig.submit("short", 0.01)
    rig.reply("2")
    assert (await answered).message.diagnostic_message == "done"
    with pytest.raises(CommandTimeoutError, match=r"within 0\.01 s"):
        await short
    assert not long.done()
    assert rig.told == ["answered", "short"]
    ((_, waiter),) = rig.table._pending.waiters()
    assert rig.table._timer_at == waiter.deadline
    rig.table.fail_all(SessionClosedError("over"))
    assert rig.table._timer is None
    with pytest.raises(SessionClosedError):
        await long


async def test_one_who_cannot_be_told_keeps_nobody_else_waiting() -> None:
    """Neither those who asked for the same command, nor other commands, nor whoever ended it."""
    rig = Rig()
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    broken, other = rig.submit("broken"), rig.submit("other")
    wrong = ZeroDivisionError()

    def fail() -> None:
        raise wrong

    broken.on_end.insert(0, fail)
    rig.table.fail_all(SessionClosedError("over"))
    assert reported == [wrong]
    assert rig.told == ["broken", "other"]
    for future in (broken, other):
        with pytest.raises(SessionClosedError):
            await future


@pytest.mark.parametrize("end", ["reply", "fail", "cancel"])
async def test_a_command_that_has_ended_is_gone_at_once_whoever_was_told(end: str) -> None:
    """Circles would wait for the collector, which would have much to do for every thousand commands."""
    rig = Rig()
    future = rig.submit()
    seen = weakref.ref(future)
    future.on_end.append(partial(list.append, rig.told, future))  # type: ignore[arg-type]
    gc.disable()
    try:
        if end == "reply":
            rig.reply("1")
        elif end == "cancel":
            future.cancel()
        else:
            rig.table.fail_all(SessionClosedError("over"))
            with pytest.raises(SessionClosedError):
                await future
        assert len(rig.told) == 2
        rig.told.clear()
        del future
        await asyncio.sleep(0)
        assert seen() is None
    finally:
        gc.enable()


async def test_what_cannot_be_sent_leaves_nothing_behind() -> None:
    rig = Rig(limit=1, max_bytes=100)
    with pytest.raises(MessageLimitError, match="max_message_bytes"):
        rig.submit("x" * 200)
    assert rig.table.in_flight == 0
    future = rig.submit("fits")
    with pytest.raises(PendingLimitError):
        rig.submit("too many")
    assert len(rig.written) == 1
    rig.reply("2")
    await future


async def test_each_command_is_counted_once_by_how_it_ended() -> None:
    rig = Rig(limit=7, max_bytes=1000)
    ended = [rig.submit() for _ in range(4)]
    rig.reply("1")
    rig.reply("2", pb.PROTOCOL_STATUS_CODE_UNSPECIFIED)
    rig.reply("3", pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE)
    rig.reply("4", pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST)
    assert all(future.done() for future in ended)
    late, canceled, *_ = [rig.submit(timeout=0.001), rig.submit(), *(rig.submit() for _ in range(3))]
    canceled.cancel()
    with pytest.raises(CommandTimeoutError):
        await late
    with pytest.raises(MessageLimitError):
        rig.submit("x" * 2000)
    for _ in range(2):
        rig.submit()
    with pytest.raises(PendingLimitError):
        rig.submit()
    rig.table.fail_all(SessionClosedError("the test is over"))
    rig.reply("5")
    counts = rig.counters.of(pb.MX_COMMAND_KIND_PING)
    assert (counts.started, counts.succeeded, counts.mxaccess) == (11, 2, 1)
    assert (counts.refused, counts.timeout, counts.canceled, counts.worker) == (3, 1, 1, 5)
    assert counts.seconds.count == 4


async def test_times_are_asked_for_and_told_of_the_command_that_is_traced() -> None:
    rig = Rig()
    ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING)
    asked, silent = rig.table.submit(ping, 1.0, wants_times=True), rig.table.submit(ping, 1.0, wants_times=True)
    plain = rig.table.submit(ping, 1.0)
    reader, decoder = EnvelopeReader(SESSION), FrameDecoder()
    sent = [reader.parse(payload).worker_command for frame in rig.written for payload in decoder.feed(frame)]
    assert [each.wants_times for each in sent] == [True, True, False]
    told = wpb.WorkerCommandReply(reply_data=pb.MxCommandReply().SerializeToString(), status_code=OK)
    rig.table.reply("2", told)
    told.wait_time.FromNanoseconds(1_500_000_000)
    told.work_time.FromNanoseconds(250_000)
    rig.table.reply("1", told)
    rig.table.reply("3", told)
    assert (asked.times, silent.times, plain.times) == ((1.5, 0.00025), None, None)
