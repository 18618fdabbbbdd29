"""A process whose pipes are the gateway's own: what it says, how it ends, and that another program can take it over."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from tests.support.waiting import eventually

from mxgateway_server.workers.own_pipes import STDERR, STDIN, STDOUT, Descriptors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfds are Linux's")

if sys.platform == "linux":
    from mxgateway_server.workers.own_pipes import OwnPipes, start, take_over


class Told:
    """What a protocol is told, in order."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.calls: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.calls.append("made")

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == STDOUT:
            self.out += data
        else:
            assert fd == STDERR
            self.err += data

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self.calls.append(f"lost {fd}")

    def process_exited(self) -> None:
        self.calls.append("exited")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("over")

    async def is_over(self) -> None:
        await eventually(lambda: "over" in self.calls, failure=lambda: str(self.calls))
        assert self.calls[0] == "made"
        assert sorted(self.calls[1:-1]) == ["exited", "lost 0", "lost 1", "lost 2"]


async def shell(script: str, told: Told) -> OwnPipes:
    return await start(told, ["/bin/sh", "-c", script], {"PATH": os.environ["PATH"]}, None, start_new_session=True)


async def test_both_its_outputs_and_its_exit_code_come() -> None:
    told = Told()
    made = await shell("read line; echo got $line; echo oops >&2; exit 3", told)
    made.get_pipe_transport(STDIN).write(b"hello\n")
    await eventually(lambda: "exited" in told.calls)
    made.close()
    await told.is_over()
    assert (told.out, told.err, made.get_returncode()) == (b"got hello\n", b"oops\n", 3)


@pytest.mark.parametrize("way", ["terminate", "close"])
async def test_a_signal_is_told_as_a_negative_code(way: str) -> None:
    told = Told()
    made = await shell("exec sleep 1000", told)
    assert made.get_returncode() is None
    getattr(made, way)()
    await eventually(lambda: made.get_returncode() is not None)
    made.close()
    made.close()
    await told.is_over()
    assert made.get_returncode() == (-signal.SIGTERM if way == "terminate" else -signal.SIGKILL)


async def test_what_cannot_be_started_leaves_nothing_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        await start(Told(), ["/nowhere/at/all"], {}, None)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_nothing_is_read_while_it_is_held_and_nothing_is_lost() -> None:
    told = Told()
    made = await shell("echo one; read line; echo two; read line", told)
    await eventually(lambda: told.out == b"one\n")
    made.pause_reading()
    made.get_pipe_transport(STDIN).write(b"go on\n")
    # Its answer is in the pipe, where it can be seen without being taken.
    await eventually(lambda: waiting(made.descriptors.stdout) == len(b"two\n"))
    assert told.out == b"one\n"
    made.resume_reading()
    await eventually(lambda: told.out == b"one\ntwo\n")
    made.close()
    await told.is_over()


def waiting(descriptor: int) -> int:
    import fcntl
    import struct
    import termios

    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0])


def child(script: str) -> tuple[subprocess.Popen[bytes], Descriptors]:
    """A process that was started by somebody else, as an earlier program of this process would have."""
    pipes = [os.pipe() for _ in range(3)]
    popen = subprocess.Popen(
        ["/bin/sh", "-c", script], stdin=pipes[0][0], stdout=pipes[1][1], stderr=pipes[2][1], start_new_session=True
    )
    for end in (pipes[0][0], pipes[1][1], pipes[2][1]):
        os.close(end)
    return popen, Descriptors(pipes[0][1], pipes[1][0], pipes[2][0])


async def test_a_process_that_an_earlier_program_has_started_is_taken_over() -> None:
    popen, descriptors = child("echo early; read line; echo got $line; exit 7")
    for descriptor in descriptors.all:
        os.set_inheritable(descriptor, True)
    told = Told()
    made = take_over(told, popen.pid, descriptors)
    assert not any(map(os.get_inheritable, descriptors.all))
    await made.connect()
    made.get_pipe_transport(STDIN).write(b"late\n")
    await eventually(lambda: made.get_returncode() is not None)
    popen.returncode = made.get_returncode()
    made.close()
    await told.is_over()
    assert (told.out, made.get_returncode()) == (b"early\ngot late\n", 7)


async def test_one_that_ended_between_two_programs_is_seen_to_have_ended_and_what_it_said_is_read() -> None:
    popen, descriptors = child("echo last words; exit 9")
    await asyncio.to_thread(os.waitid, os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    told = Told()
    made = take_over(told, popen.pid, descriptors)
    await made.connect()
    await eventually(lambda: made.get_returncode() is not None)
    popen.returncode = made.get_returncode()
    made.close()
    await told.is_over()
    assert (told.out, made.get_returncode()) == (b"last words\n", 9)


async def test_who_is_no_child_cannot_be_taken_over_and_its_pipes_are_closed() -> None:
    pipes = [os.pipe() for _ in range(3)]
    ours = Descriptors(pipes[0][1], pipes[1][0], pipes[2][0])
    with pytest.raises(OSError, match="child"):
        take_over(Told(), os.getppid(), ours)
    for end in (pipes[0][0], pipes[1][1], pipes[2][1]):
        os.close(end)
    for end in ours.all:
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(end)


async def test_a_pipe_that_is_closed_is_an_error_and_ends_the_process() -> None:
    popen, descriptors = child("exec sleep 1000")
    os.close(descriptors.stdout)
    with pytest.raises(OSError, match="descriptor"):
        take_over(Told(), popen.pid, descriptors)
    popen.kill()
    assert await asyncio.to_thread(popen.wait) == -signal.SIGKILL
