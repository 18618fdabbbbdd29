"""SIGINT while a command runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from tests.support.clock import ManualClock

from mxgateway import MxGatewayTimeoutError
from mxgateway_cli.interrupts import Terminated, graceful_end, run


def interrupted(clock: ManualClock, later: float) -> tuple[list[str], Callable[[], list[str]]]:
    """A run that gets SIGINT, and while it closes another one `later` seconds after that."""
    done: list[str] = []

    async def work() -> list[str]:
        with graceful_end():
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()
        clock.advance(later)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
        done.append("closed")
        return done

    return done, lambda: run(work(), clock.monotonic)


def test_a_signal_that_comes_twice_is_one() -> None:
    """`timeout` and shells signal the process and its group: the orderly end goes on."""
    done, start = interrupted(ManualClock(), 0.1)
    assert start() == ["closed"]
    assert done == ["closed"]


def test_a_second_one_later_interrupts_the_end_itself() -> None:
    """A user who presses Ctrl-C again does not want to wait."""
    done, start = interrupted(ManualClock(), 2.0)
    with pytest.raises(KeyboardInterrupt):
        start()
    assert done == []


def test_without_a_graceful_end_it_is_an_interrupt() -> None:
    """Work that does not expect SIGINT is cancelled and ends as KeyboardInterrupt; the handler is put back."""
    former = signal.getsignal(signal.SIGINT)

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert signal.getsignal(signal.SIGINT) is former


def test_sigterm_is_what_sigint_is() -> None:
    """It ends what may end in order, and is told apart from Ctrl-C where nothing may."""
    before = signal.getsignal(signal.SIGTERM)

    async def work(is_graceful: bool) -> str:
        with graceful_end() if is_graceful else nullcontext():
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        return "closed"

    assert run(work(True)) == "closed"
    with pytest.raises(Terminated) as end:
        run(work(False))
    assert end.value.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_host_keeps_its_handlers() -> None:
    """A program that runs commands in its own process has its own way with signals."""
    came: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:

        async def work() -> str:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0)
            return "goes on"

        assert run(work()) == "goes on"
    finally:
        signal.signal(signal.SIGTERM, former)
    assert came == [signal.SIGTERM]


def test_a_call_that_timed_out_is_no_ordinary_end() -> None:
    """Its error is a TimeoutError as well, but nobody asked for that end; the time that was asked for is one."""
    with pytest.raises(MxGatewayTimeoutError), graceful_end():
        raise MxGatewayTimeoutError("no reply")
    with graceful_end():
        raise TimeoutError
