"""Signals around an upgrade: while they are held nobody hears them, and whoever runs then hears all of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from tests.support.waiting import eventually

if sys.platform == "linux":
    from mxgateway_server.upgrade.signals import numbers_in, signals_held

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a gateway replaces itself on Linux only")


@pytest.fixture
def somebody_else() -> Iterator[None]:
    """A thread that blocks no signals: one that comes to the process is taken by it."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield
    end.set()
    thread.join()


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Signals that this loop has heard."""
    numbers: list[int] = []
    loop = asyncio.get_event_loop()
    wanted = (signal.SIGTERM, signal.SIGHUP)
    for number in wanted:
        loop.add_signal_handler(number, numbers.append, int(number))
    yield numbers
    for number in wanted:
        loop.remove_signal_handler(number)


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_comes_while_they_are_held_is_heard_behind_it(somebody_else: None, heard: list[int]) -> None:
    with signals_held() as reader:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        await turns()
        assert heard == []
        assert not os.get_inheritable(reader), "whoever begins the next program says what is left to it"
    await eventually(lambda: sorted(heard) == [signal.SIGHUP, signal.SIGTERM])
    os.kill(os.getpid(), signal.SIGTERM)
    await eventually(lambda: len(heard) == 3)


async def test_the_next_program_can_read_what_another_thread_has_taken(somebody_else: None, heard: list[int]) -> None:
    with signals_held() as reader:
        left = os.dup(reader)
        os.kill(os.getpid(), signal.SIGTERM)
        # The thread takes it at some time; from then on it is in the pipe.
        await eventually(lambda: signal.SIGTERM not in signal.sigpending())
        await eventually(lambda: _is_readable(left))
        assert numbers_in(left) == (signal.SIGTERM,)
    assert numbers_in(os.open(os.devnull, os.O_RDONLY)) == ()


def _is_readable(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


NEXT_PROGRAM = """
import json, os, signal
from mxgateway_server.upgrade.signals import HELD, let_signals_in
heard = []
signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
for number in HELD:
    signal.signal(number, lambda number, _: heard.append(number))
for number in {pending}:
    os.kill(os.getpid(), number)
assert heard == []
another = let_signals_in({came})
print(json.dumps([sorted(set(heard)), another, len(signal.pthread_sigmask(signal.SIG_BLOCK, ()))]))
"""


@pytest.mark.parametrize(
    ("pending", "came", "heard", "another"),
    [
        ([], [], [], False),
        ([signal.SIGTERM], [], [signal.SIGTERM], False),
        ([], [signal.SIGTERM, signal.SIGHUP], [signal.SIGHUP, signal.SIGTERM], False),
        ([signal.SIGUSR2], [], [], True),
        ([], [signal.SIGUSR2], [], True),
        ([signal.SIGUSR2, signal.SIGINT], [signal.SIGINT, signal.SIGCHLD], [signal.SIGINT], True),
    ],
)
def test_who_takes_over_hears_all_but_another_upgrade(
    pending: list[int], came: list[int], heard: list[int], another: bool
) -> None:
    program = NEXT_PROGRAM.format(pending=list(map(int, pending)), came=list(map(int, came)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [list(map(int, heard)), another, 0]
