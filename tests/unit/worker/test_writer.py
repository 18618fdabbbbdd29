"""The writer's lanes: control first, replies next, then one batch of events a turn."""

from __future__ import annotations

import os
import threading

import pytest
from tests.support.clock import ManualClock
from tests.support.waiting import wait_until

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.batches import count_events
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_protocol.frames import FrameDecoder
from mxgateway_worker import stdio
from mxgateway_worker.event_queue import EventQueue, Policy
from mxgateway_worker.writer import BATCH_EVENTS, RawFrame, SessionChange, Writer, reply_times

SESSION = "session-x"


class Beat:
    """A pulse with a heartbeat each second."""

    def __init__(self, now: float) -> None:
        self.next = now

    def next_due(self) -> float:
        return self.next

    def due(self, now: float) -> list[wpb.WorkerEnvelope]:
        self.next = now + 1
        return [wpb.WorkerEnvelope(worker_heartbeat=wpb.WorkerHeartbeat(worker_process_id=1))]


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.writes: list[bytes] = []
        self.broken: list[Exception] = []
        self.writer = Writer(self.writes.append, EnvelopeWriter(SESSION), self.clock, self.broken.append)
        self.events = EventQueue(Policy.FAIL_FAST, self.writer.events_waiting, lambda _: None, 10**6)
        self.reader = EnvelopeReader(SESSION)
        self.decoder = FrameDecoder()

    def turn(self) -> list[wpb.WorkerEnvelope]:
        """One turn; what it wrote, which is one write."""
        self.writes.clear()
        self.writer._turn()
        assert len(self.writes) <= 1
        return [self.reader.parse(payload) for data in self.writes for payload in self.decoder.feed(data)]


def bodies(envelopes: list[wpb.WorkerEnvelope]) -> list[str | None]:
    return [envelope.WhichOneof("body") for envelope in envelopes]


def test_each_turn_sends_control_beats_replies_and_one_batch_in_one_write() -> None:
    """A flood of events leaves a turn for what matters more after each batch."""
    rig = Rig()
    for number in range(BATCH_EVENTS * 3):
        rig.events.put(b"\x18\x01", number, True)
    rig.writer.start_events(rig.events)
    rig.writer.start_pulse(Beat(rig.clock.monotonic()))
    rig.writer.reply("c1", pb.MxCommandReply(correlation_id="c1").SerializeToString())
    rig.writer.send(wpb.WorkerEnvelope(worker_ready=wpb.WorkerReady()))
    assert bodies(rig.turn()) == ["worker_ready", "worker_heartbeat", "worker_command_reply", "worker_event_batch"]
    rig.clock.advance(1)
    assert bodies(rig.turn()) == ["worker_heartbeat", "worker_event_batch"]
    rig.writer.reply("c2", b"")
    third = rig.turn()
    assert bodies(third) == ["worker_command_reply", "worker_event_batch"]
    assert third[0].correlation_id == "c2"
    assert third[0].worker_command_reply.completed_timestamp.ToNanoseconds() == rig.clock.unix_ns()
    batch = third[1].worker_event_batch
    assert (batch.first_sequence, batch.event_count) == (2 * BATCH_EVENTS + 1, BATCH_EVENTS)
    assert count_events(batch.batch) == BATCH_EVENTS


def test_drops_are_told_with_the_batch_after_them() -> None:
    """`dropped_events` is set exactly when something was dropped."""
    rig = Rig()
    events = EventQueue(Policy.DROP_OLDEST, rig.writer.events_waiting, lambda _: None, 2)
    for number in range(5):
        events.put(b"\x18\x01", number, True)
    rig.writer.start_events(events)
    (envelope,) = rig.turn()
    assert (envelope.worker_event_batch.event_count, envelope.worker_event_batch.dropped_events) == (2, 3)


def test_the_session_changes_between_two_frames() -> None:
    """What was put before the change carries the old id, what comes after it the new one."""
    rig = Rig()
    rig.writer.send(wpb.WorkerEnvelope(worker_assigned=wpb.WorkerAssigned()), SessionChange("session-y"))
    rig.writer.reply("c1", b"")
    rig.writer._turn()
    payloads = list(rig.decoder.feed(rig.writes[0]))
    assert rig.reader.parse(payloads[0]).session_id == SESSION
    rig.reader.session_id = "session-y"
    assert rig.reader.parse(payloads[1]).session_id == "session-y"


def test_the_last_words_come_after_all_that_waited() -> None:
    """`finish` empties the lanes and the queue, then sends the acknowledgement and ends the thread."""
    rig = Rig()
    for number in range(BATCH_EVENTS + 1):
        rig.events.put(b"\x18\x01", number, True)
    rig.writer.start_events(rig.events)
    rig.writer.reply("c1", b"")
    rig.writer.start()
    assert rig.writer.finish(wpb.WorkerEnvelope(worker_shutdown_ack=wpb.WorkerShutdownAck()), 10)
    envelopes = [rig.reader.parse(payload) for data in rig.writes for payload in rig.decoder.feed(data)]
    assert bodies(envelopes) == [
        "worker_command_reply", "worker_event_batch", "worker_event_batch", "worker_shutdown_ack",
    ]  # fmt: skip
    assert rig.broken == []


def test_a_broken_pipe_is_told_once() -> None:
    """When writing fails the thread ends and says why."""
    rig = Rig()

    def fail(data: bytes) -> None:
        raise BrokenPipeError

    rig.writer._write = fail  # type: ignore[method-assign]
    rig.writer.send(RawFrame(b"x"))
    rig.writer.start()
    assert rig.writer.finish(None, 10)
    assert [type(error) for error in rig.broken] == [BrokenPipeError]


class Pipe:
    """A pipe that takes so many bytes at once."""

    def __init__(self, room: int = 10**6) -> None:
        self.room = room
        self.taken: list[bytes] = []

    def write_some(self, data: bytes) -> int:
        count = min(self.room, len(data))
        self.taken.append(data[:count])
        return count


def rig_with(pipe: Pipe) -> Rig:
    rig = Rig()
    rig.writer._write_some = pipe.write_some
    return rig


def test_a_reply_that_nothing_precedes_is_written_by_its_own_thread() -> None:
    """No turn of the writer is needed; sequences go on across both ways."""
    pipe = Pipe()
    rig = rig_with(pipe)
    rig.writer.reply("c1", b"")
    assert rig.writer._idle() is None
    rig.writer.send(wpb.WorkerEnvelope(worker_ready=wpb.WorkerReady()))
    rig.writer.reply("c2", b"")
    rig.writer._turn()
    rig.writer.reply("c3", b"")
    sent = [pipe.taken[0], *rig.writes, pipe.taken[1]]
    envelopes = [rig.reader.parse(payload) for data in sent for payload in rig.decoder.feed(data)]
    assert bodies(envelopes) == [
        "worker_command_reply", "worker_ready", "worker_command_reply", "worker_command_reply",
    ]  # fmt: skip
    assert [envelope.correlation_id for envelope in envelopes] == ["c1", "", "c2", "c3"]


@pytest.mark.parametrize("room", [0, 1, 20])
def test_what_the_pipe_does_not_take_at_once_goes_first_in_the_next_turn(room: int) -> None:
    pipe = Pipe(room)
    rig = rig_with(pipe)
    rig.writer.reply("c1", b"")
    rig.writer.reply("c2", b"")
    assert len(pipe.taken) == 1, "the second reply may not overtake the rest of the first"
    rig.writer._turn()
    data = b"".join([*pipe.taken, *rig.writes])
    envelopes = [rig.reader.parse(payload) for payload in rig.decoder.feed(data)]
    assert [envelope.correlation_id for envelope in envelopes] == ["c1", "c2"]


@pytest.mark.parametrize("why", ["the pipe is full", "another writes", "more follow"])
def test_the_writers_thread_takes_over_what_a_reply_leaves(why: str) -> None:
    """It sleeps until it is told: nothing else is there to send."""
    pipe = Pipe(3 if why == "the pipe is full" else 10**6)
    rig = rig_with(pipe)
    rig.writer.start()
    if why == "another writes":
        with rig.writer._sending:
            rig.writer.reply("c1", b"")
    else:
        rig.writer.reply("c1", b"", more_follow=why == "more follow")
    wait_until(lambda: bool(rig.writes))
    data = b"".join([*pipe.taken, *rig.writes])
    assert [rig.reader.parse(payload).correlation_id for payload in rig.decoder.feed(data)] == ["c1"]
    assert rig.writer.finish(None, 10)


def test_the_writers_thread_writes_alone() -> None:
    """Whoever numbers frames meanwhile would put them out of sequence."""
    rig = Rig()
    alone: list[bool] = []
    rig.writer._write = lambda _: alone.append(rig.writer._sending.locked())  # type: ignore[method-assign]
    rig.writer.send(RawFrame(b"x"))
    rig.writer._turn()
    assert alone == [True]


def test_replies_of_a_burst_leave_together() -> None:
    """While more follow they gather, for the writer or for the last of them, whichever is first."""
    pipe = Pipe()
    rig = rig_with(pipe)
    rig.writer.reply("c1", b"", more_follow=True)
    rig.writer.reply("c2", b"", more_follow=True)
    assert pipe.taken == []
    assert [envelope.correlation_id for envelope in rig.turn()] == ["c1", "c2"]
    rig.writer.reply("c3", b"", more_follow=True)
    rig.writer.reply("c4", b"")
    (together,) = pipe.taken
    envelopes = [rig.reader.parse(payload) for payload in rig.decoder.feed(together)]
    assert [envelope.correlation_id for envelope in envelopes] == ["c3", "c4"]
    assert rig.writer._idle() is None


@pytest.mark.parametrize("what", ["sending", "closing", "frozen"])
def test_a_reply_waits_while_it_may_not_be_written(what: str) -> None:
    pipe = Pipe()
    rig = rig_with(pipe)
    if what == "sending":
        rig.writer._sending.acquire()
    elif what == "closing":
        rig.writer._is_closing = True
    else:
        rig.writer.freeze()
    rig.writer.reply("c1", b"")
    assert pipe.taken == []
    assert [correlation_id for correlation_id, *_ in rig.writer._replies] == ["c1"]


def test_a_reply_into_a_broken_pipe_is_told_and_raises_nothing() -> None:
    rig = Rig()

    def fail(data: bytes) -> int:
        raise BrokenPipeError

    rig.writer._write_some = fail
    rig.writer.reply("c1", b"")
    assert [type(error) for error in rig.broken] == [BrokenPipeError]
    assert rig.writer._sending.acquire(blocking=False), "the lock is free again"


@pytest.mark.parametrize("gathers", [False, True])
def test_frames_stay_whole_and_in_sequence_when_threads_meet_a_full_pipe(gathers: bool) -> None:
    """Replies of two threads, events and a reader that takes its time: every frame arrives, in one sequence."""
    read_fd, write_fd = os.pipe()
    assert stdio.make_nonblocking(write_fd)
    clock = ManualClock()
    broken: list[Exception] = []
    writer = Writer(
        write=lambda data: stdio.write_all(write_fd, data),
        envelopes=EnvelopeWriter(SESSION),
        clock=clock,
        on_broken=broken.append,
        write_some=lambda data: stdio.write_some(write_fd, data),
    )
    events = EventQueue(Policy.FAIL_FAST, writer.events_waiting, lambda _: None, 10**6)
    writer.start_events(events)
    writer.start()
    each = 300

    def answer(name: str) -> None:
        for number in range(each):
            writer.reply(f"{name}{number}", b"\x42\x03abc" * (1 + number * 7 % 900), more_follow=number % 5 == 0)

    def happen() -> None:
        for number in range(each):
            if gathers:
                writer.gather()
            events.put(b"\x18\x01" * 50, number, True)
            if gathers:
                writer.send_gathered()

    threads = [threading.Thread(target=answer, args=(name,)) for name in "ab"] + [threading.Thread(target=happen)]
    ending = threading.Thread(
        target=lambda: [*(t.join() for t in threads), writer.finish(None, 20), os.close(write_fd)]
    )
    for thread in (*threads, ending):
        thread.start()
    reader, decoder = EnvelopeReader(SESSION), FrameDecoder()
    envelopes = []
    while data := os.read(read_fd, 3000):
        envelopes += [reader.parse(payload) for payload in decoder.feed(data)]
    ending.join()
    os.close(read_fd)
    assert broken == []
    replies = [
        envelope.correlation_id for envelope in envelopes if envelope.WhichOneof("body") == "worker_command_reply"
    ]
    for name in "ab":
        assert [reply for reply in replies if reply[0] == name] == [f"{name}{number}" for number in range(each)]
    assert sum(envelope.worker_event_batch.event_count for envelope in envelopes) == each


@pytest.mark.parametrize("correlation_id", ["", "c1", "x" * 200])
def test_replies_written_by_hand_are_the_envelopes_of_protobuf(correlation_id: str) -> None:
    """`frame_body` gives the very bytes of an envelope that protobuf serialises."""
    reply = pb.MxCommandReply(diagnostic_message="y" * 300).SerializeToString()
    body = wpb.WorkerCommandReply(reply=pb.MxCommandReply.FromString(reply)).SerializeToString()
    by_hand = EnvelopeWriter(SESSION).frame_body(14, body, correlation_id)
    envelope = wpb.WorkerEnvelope(correlation_id=correlation_id)
    envelope.worker_command_reply.reply.ParseFromString(reply)
    assert by_hand == EnvelopeWriter(SESSION).frame(envelope)


class Narrow:
    """A pipe that takes so many bytes at once."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = b""

    def write_some(self, data: bytes) -> int:
        taken = data[: self.room]
        self.taken += taken
        return len(taken)


@pytest.mark.parametrize(("room", "is_all"), [(1 << 20, True), (7, False), (0, False)])
def test_the_few_events_of_a_pump_are_sent_by_who_pumped(room: int, is_all: bool) -> None:
    """In one frame; what the pipe does not take is left to the writer's thread, in order."""
    pipe, rest = Narrow(room), []
    writer = Writer(rest.append, EnvelopeWriter(SESSION), ManualClock(), lambda _: None, pipe.write_some)
    events = EventQueue(Policy.FAIL_FAST, writer.events_waiting, lambda _: None, 10**6)
    writer.start_events(events)
    writer._wakeup.wait(0)
    writer.gather()
    for number in range(3):
        events.put(b"\x18\x01", number, True)
    assert writer._wakeup._asleep.locked()
    writer.send_gathered()
    assert writer._wakeup._asleep.locked() == is_all
    if not is_all:
        writer._turn()
    payloads = list(FrameDecoder().feed(pipe.taken + b"".join(rest)))
    assert [EnvelopeReader(SESSION).parse(data).worker_event_batch.event_count for data in payloads] == [3]


def test_what_waits_in_other_lanes_goes_before_the_events_of_a_pump() -> None:
    """Then all is the writer's thread's to send."""
    pipe, rest = Narrow(1 << 20), []
    writer = Writer(rest.append, EnvelopeWriter(SESSION), ManualClock(), lambda _: None, pipe.write_some)
    events = EventQueue(Policy.FAIL_FAST, writer.events_waiting, lambda _: None, 10**6)
    writer.start_events(events)
    writer.send(wpb.WorkerEnvelope(worker_ready=wpb.WorkerReady()))
    writer._wakeup.wait(0)
    writer.gather()
    events.put(b"\x18\x01", 1, True)
    writer.send_gathered()
    assert pipe.taken == b""
    assert not writer._wakeup._asleep.locked()
    writer._turn()
    reader = EnvelopeReader(SESSION)
    assert bodies([reader.parse(data) for data in FrameDecoder().feed(b"".join(rest))]) == [
        "worker_ready",
        "worker_event_batch",
    ]


def test_many_events_of_a_pump_are_sent_beside_the_next() -> None:
    """A flood is not held back until its pump is over."""
    pipe = Narrow(1 << 20)
    writer = Writer(lambda _: None, EnvelopeWriter(SESSION), ManualClock(), lambda _: None, pipe.write_some)
    events = EventQueue(Policy.FAIL_FAST, writer.events_waiting, lambda _: None, 10**6)
    writer.start_events(events)
    for number in range(500):
        events.put(b"\x18\x01", number, True)
    writer.send_gathered()
    events.take_batch(BATCH_EVENTS, 1 << 20)
    writer._wakeup.wait(0)
    writer.gather()
    events.put(b"\x18\x01", 1, True)
    assert not writer._wakeup._asleep.locked()


def test_a_broken_pipe_is_told_by_who_pumped_too() -> None:
    broken: list[Exception] = []

    def fail(_: bytes) -> int:
        raise BrokenPipeError

    writer = Writer(lambda _: None, EnvelopeWriter(SESSION), ManualClock(), broken.append, fail)
    events = EventQueue(Policy.FAIL_FAST, writer.events_waiting, lambda _: None, 10**6)
    writer.start_events(events)
    writer.gather()
    events.put(b"\x18\x01", 1, True)
    writer.send_gathered()
    assert [type(error) for error in broken] == [BrokenPipeError]


def test_a_body_in_parts_makes_the_same_frame_as_one_in_one_piece() -> None:
    body = bytes(range(256)) * 400
    whole = EnvelopeWriter(SESSION).frame_body(14, body, "7")
    parts = EnvelopeWriter(SESSION).frame_parts(14, (body[:3], body[3:90_000], body[90_000:]), "7")
    assert b"".join(parts) == whole


class Paced:
    """A writer whose events leave when a pump ends, as on Windows."""

    def __init__(self) -> None:
        self.pipe = Pipe()
        self.rig = rig_with(self.pipe)
        self.rig.writer._is_paced = True
        self.rig.writer.start_events(self.rig.events)
        # What starting the events has told.
        self.rig.writer._wakeup.wait(0)

    def put(self, count: int) -> None:
        for number in range(count):
            self.rig.events.put(b"\x18\x01", number, True)

    @property
    def is_told(self) -> bool:
        """Whether the writer's thread was woken; takes the wake with it."""
        return self.rig.writer._wakeup._asleep.acquire(blocking=False)


def test_a_paced_writer_is_woken_once_a_pump_however_many_events_it_has() -> None:
    paced = Paced()
    writer = paced.rig.writer
    for _ in range(3):
        writer.gather()
        paced.put(300)
        assert not paced.is_told
        writer.send_gathered()
        assert paced.is_told
        # Their pump is over, so nothing is waited for.
        with writer._lock:
            assert writer._idle() == 0
        # The executor's thread has no time to write that many.
        assert paced.pipe.taken == []
        (envelope,) = paced.rig.turn()
        assert envelope.worker_event_batch.event_count == 300


def test_a_paced_pump_with_few_events_writes_them_itself() -> None:
    paced = Paced()
    for _ in range(2):
        paced.rig.writer.gather()
        paced.put(3)
        paced.rig.writer.send_gathered()
        assert not paced.is_told
    assert len(paced.pipe.taken) == 2


def test_events_of_a_pump_that_does_not_end_leave_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call inside it may hang for ever; what came before is the client's."""
    waits: list[float | None] = []
    paced = Paced()
    writer = paced.rig.writer
    writer.gather()
    paced.put(5)
    with writer._lock:
        assert writer._idle() == pytest.approx(0.02)
    for _ in range(2):
        (envelope,) = paced.rig.turn()
        assert envelope.worker_event_batch.event_count == 5
        # Each turn waits for it anew.
        assert writer._has_waited
        paced.put(5)
        monkeypatch.setattr(writer._wakeup, "wait", lambda timeout: waits.append(timeout))
    assert waits == [pytest.approx(0.02)]


def test_a_heartbeat_does_not_wait_for_a_pump() -> None:
    paced = Paced()
    writer = paced.rig.writer
    beat = Beat(paced.rig.clock.monotonic() + 0.005)
    writer.start_pulse(beat)
    writer.gather()
    paced.put(500)
    with writer._lock:
        assert writer._idle() == pytest.approx(0.005)
    beat.next -= 0.005
    with writer._lock:
        assert writer._idle() == 0


@pytest.mark.parametrize(("length", "written"), [(1, 1), (4096, 4096), (4097, 0)])
def test_a_pipe_that_blocks_gets_short_pieces_whole_and_nothing_of_long_ones(length: int, written: int) -> None:
    read_fd, write_fd = os.pipe()
    try:
        assert stdio.write_short(write_fd, b"x" * length) == written
        os.close(write_fd)
        write_fd = -1
        assert os.read(read_fd, 10_000) == b"x" * written
    finally:
        os.close(read_fd)
        if write_fd >= 0:
            os.close(write_fd)


def test_a_reply_has_times_where_its_command_asked_for_them() -> None:
    rig = Rig()
    rig.writer.reply("c1", b"", times=reply_times(1.5, 0.25))
    rig.writer.reply("c2", b"", times=reply_times(0.0, -0.001))
    rig.writer.reply("c3", b"")
    first, second, third = (envelope.worker_command_reply for envelope in rig.turn())
    assert (first.wait_time.ToNanoseconds(), first.work_time.ToNanoseconds()) == (1_500_000_000, 250_000_000)
    assert (second.wait_time.ToNanoseconds(), second.work_time.ToNanoseconds()) == (0, 0)
    assert second.HasField("work_time")
    assert not third.HasField("work_time")
