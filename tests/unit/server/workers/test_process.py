"""A worker's pipes as the event loop sees them: frames, log lines, and when it has ended for good."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import structlog

from mxgateway_protocol.errors import PipeProtocolError
from mxgateway_protocol.frames import encode_frame
from mxgateway_server.errors import PendingLimitError
from mxgateway_server.workers import process as module
from mxgateway_server.workers.kept import KeptWorker
from mxgateway_server.workers.process import LAST_LINES, LINES_PER_SECOND, MAX_LINE, STDERR, STDOUT, WorkerProcess


class Pipe:
    """The worker's input."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.waiting = 0
        self.is_closed = False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.is_closed

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True


class Transport:
    def __init__(self) -> None:
        self.stdin = Pipe()
        self.code: int | None = None
        self.asked: list[str] = []

    def get_pid(self) -> int:
        return 4711

    def get_returncode(self) -> int | None:
        return self.code

    def get_pipe_transport(self, fd: int) -> Pipe:
        assert fd == module.STDIN
        return self.stdin

    def terminate(self) -> None:
        self.asked.append("terminate")

    def close(self) -> None:
        self.asked.append("close")


class Rig:
    def __init__(self, max_frame_bytes: int = 1000) -> None:
        self.process = WorkerProcess("session-x", max_frame_bytes)
        self.transport = Transport()
        self.process.connection_made(cast(asyncio.BaseTransport, self.transport))
        self.frames: list[bytes] = []
        self.broken: list[PipeProtocolError] = []
        self.ends: list[int | None] = []
        self.process.on_frame = self.frames.append
        self.process.on_broken = self.broken.append
        self.process.on_end = self.ends.append

    @property
    def written(self) -> list[bytes]:
        return self.transport.stdin.written

    def out(self, data: bytes) -> None:
        self.process.pipe_data_received(STDOUT, data)

    def err(self, data: bytes) -> None:
        self.process.pipe_data_received(STDERR, data)


async def test_frames_come_whole_however_the_pipe_cuts_them() -> None:
    rig = Rig()
    data = encode_frame(b"one") + encode_frame(b"two") + encode_frame(b"three")
    for index in range(len(data)):
        rig.out(data[index : index + 1])
    assert rig.frames == [b"one", b"two", b"three"]
    assert rig.broken == []


async def test_the_first_violation_is_told_once_and_nothing_is_read_after_it() -> None:
    rig = Rig(max_frame_bytes=10)
    rig.out(encode_frame(b"good") + b"\xff\xff\xff\x7f")
    rig.out(encode_frame(b"late"))
    assert rig.frames == [b"good"]
    assert len(rig.broken) == 1


async def test_handling_a_frame_may_end_the_reading_of_those_that_came_with_it() -> None:
    rig = Rig()

    def first_is_enough(payload: bytes) -> None:
        rig.frames.append(payload)
        rig.process.stop_reading()

    rig.process.on_frame = first_is_enough
    rig.out(encode_frame(b"one") + encode_frame(b"two"))
    assert rig.frames == [b"one"]


@pytest.mark.parametrize("order", ["out err exit", "exit out err", "err exit out"])
async def test_it_has_ended_when_the_process_is_gone_and_its_output_is_read_in_whatever_order(order: str) -> None:
    rig = Rig()
    rig.transport.code = 3
    steps = {
        "out": lambda: rig.process.pipe_connection_lost(STDOUT, None),
        "err": lambda: rig.process.pipe_connection_lost(STDERR, None),
        "exit": rig.process.process_exited,
    }
    first, second, last = order.split()
    steps[first]()
    steps[second]()
    assert rig.ends == []
    steps[last]()
    rig.process.connection_lost(None)
    assert rig.ends == [3]
    assert rig.process.ended.result() == 3


async def test_what_is_written_in_one_turn_of_the_loop_goes_out_in_one_piece() -> None:
    rig = Rig()
    for part in (b"a", b"b", b"c"):
        rig.process.write(part)
    assert (rig.written, rig.process.unsent_bytes) == ([], 3)
    await asyncio.sleep(0)
    assert (rig.written, rig.process.unsent_bytes) == ([b"abc"], 0)
    rig.process.write(b"d")
    rig.process.flush()
    rig.process.flush()
    await asyncio.sleep(0)
    assert rig.written == [b"abc", b"d"], "nothing goes out twice"


async def test_a_long_frame_goes_out_in_its_parts_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe copies what it cannot send at once; to put the parts together before would be a copy more."""
    monkeypatch.setattr(module, "_LONG", 100)
    monkeypatch.setattr(module, "MAX_UNSENT", 200)
    rig = Rig()
    rig.process.write(b"before")
    rig.process.write(b"front", b"x" * 100, b"tail")
    assert rig.process.unsent_bytes == 115
    with pytest.raises(PendingLimitError):
        rig.process.write(b"front", b"x" * 100, b"tail")
    rig.process.write(b"behind")
    rig.process.flush()
    assert rig.written == [b"before", b"front", b"x" * 100, b"tail", b"behind"]
    assert rig.process.unsent_bytes == 0


async def test_a_worker_that_does_not_read_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNSENT", 100)
    rig = Rig()
    rig.transport.stdin.waiting = 90
    rig.process.write(b"x" * 10)
    with pytest.raises(PendingLimitError):
        rig.process.write(b"x")
    rig.transport.stdin.waiting = 0
    rig.process.write(b"x")
    rig.process.flush()
    assert rig.written == [b"x" * 11], "what was refused is not sent, what was taken is"


async def test_closing_the_input_sends_what_waits_first() -> None:
    rig = Rig()
    rig.process.write(b"last words")
    rig.process.close_input()
    assert rig.written == [b"last words"]
    assert rig.transport.stdin.is_closed
    rig.process.write(b"nobody reads this")
    rig.process.flush()
    assert rig.written == [b"last words"]


async def test_asking_a_process_that_has_ended_to_end_is_no_error() -> None:
    rig = Rig()
    rig.process.terminate()
    rig.process.process_exited()
    rig.process.terminate()
    assert rig.transport.asked == ["terminate"]
    rig.process.close()
    assert rig.transport.asked == ["terminate", "close"]


def logged(rig: Rig, *parts: bytes) -> list[str]:
    with structlog.testing.capture_logs() as lines:
        for part in parts:
            rig.err(part)
    return [line["line"] for line in lines if line["event"] == "worker_log"]


async def test_log_lines_are_told_whole_without_secrets_and_the_last_ones_are_kept() -> None:
    rig = Rig()
    assert logged(rig, b"level=info ev", b"ent=ready\n\n   \npassword=hunter2 x\n\xff\xfe\n") == [
        "level=info event=ready",
        rig.process.last_lines[1],
        "\ufffd\ufffd",
    ]
    assert "hunter2" not in "".join(rig.process.last_lines)
    rig.err(b"".join(b"line %d\n" % n for n in range(100)))
    assert list(rig.process.last_lines) == [f"line {n}" for n in range(100 - LAST_LINES, 100)]


async def test_a_workers_own_stamps_are_left_out_and_its_warnings_are_warnings() -> None:
    rig = Rig()
    with structlog.testing.capture_logs() as lines:
        rig.err(b'time=2026-01-01T00:00:00.000Z level=info session=s-1 logger=w msg="ready"\n')
        rig.err(b'time=2026-01-01T00:00:00.000Z level=warning session=s-1 logger=w msg="time=1 slow"\nTraceback\n')
    assert [(line["log_level"], line["line"]) for line in lines] == [
        ("debug", 'level=info logger=w msg="ready"'),
        ("warning", 'level=warning logger=w msg="time=1 slow"'),
        ("info", "Traceback"),
    ]


async def test_a_line_without_end_is_cut_and_the_last_one_is_told_at_the_end() -> None:
    rig = Rig()
    assert logged(rig, b"x" * (MAX_LINE + 1), b"y") == ["x" * MAX_LINE]
    with structlog.testing.capture_logs() as lines:
        rig.process.pipe_connection_lost(STDERR, None)
        rig.process.pipe_connection_lost(STDERR, None)
    assert [line["line"] for line in lines] == ["y"]


async def test_a_worker_that_floods_its_log_is_cut_short_and_the_rest_is_counted() -> None:
    rig = Rig()
    extra = 25
    told = logged(rig, b"noise\n" * (LINES_PER_SECOND + extra))
    assert len(told) + rig.process.suppressed_lines == LINES_PER_SECOND + extra
    assert len(told) >= LINES_PER_SECOND
    assert rig.process.suppressed_lines > 0


async def test_before_it_is_connected_there_is_nothing_to_close_or_send() -> None:
    process = WorkerProcess("session-x", 100)
    process.write(b"x")
    process.close_input()
    process.terminate()
    process.close()
    assert (process.returncode, process.unsent_bytes) == (None, cast(Any, 0))


async def test_a_pipe_that_something_else_holds_open_does_not_keep_a_dead_worker_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the worker has started may have inherited its output; after a moment the process has ended all the same."""
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.0)
    rig = Rig()
    rig.transport.code = 5
    rig.process.pipe_connection_lost(STDERR, None)
    rig.process.process_exited()
    assert rig.ends == []
    assert await rig.process.ended == 5
    assert (rig.ends, rig.transport.asked) == ([5], ["close"])


async def test_what_another_program_has_half_read_is_gone_on_with() -> None:
    rig = Rig()
    data = encode_frame(b"one") + encode_frame(b"two")
    rig.out(data[:-2])
    rig.err(b"level=info half a li")
    partial, line = rig.process.half_read
    assert (partial, line) == (encode_frame(b"two")[:-2], b"level=info half a li")
    kept = KeptWorker(
        pid=4711, stdin=10**6, stdout=10**6 + 1, stderr=10**6 + 2, unparsed=partial, unlogged=line, sent_envelopes=0,
        seen_envelopes=0, next_command=1, max_frame_bytes=1000, version="", backend_name="", prog_id="", class_id="",
        heartbeats=0, last_heartbeat=b"", late_replies=0, unknown_replies=0, suppressed_lines=3, last_lines=("before",),
    )  # fmt: skip
    process = WorkerProcess.kept("session-x", kept)
    frames: list[bytes] = []
    process.on_frame = frames.append
    process.pipe_data_received(STDOUT, data[-2:] + encode_frame(b"three"))
    process.pipe_data_received(STDERR, b"ne\n")
    assert frames == [b"two", b"three"]
    assert list(process.last_lines) == ["before", "level=info half a line"]
    assert (process.pid, process.suppressed_lines, process.can_be_kept) == (4711, 3, False)
    with pytest.raises(OSError, match=r"process|child|descriptor"):
        await process.take_over(b"", b"")
