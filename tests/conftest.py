"""Every test ends with a leak check: tasks, threads, child processes, open files and logging are as before."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.support.logging_left import logging_now, take_back
from tests.support.process_leaks import living_children
from tests.support.task_leaks import check_tasks
from tests.support.waiting import wait_until

pytest_plugins: list[str] = ["tests.support.failed_tests", "tests.support.shared_rewriting"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A background job inherits an ignored SIGINT and hands it on; here and in children Ctrl+C has to work.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples at each run, and no clock that judges: a slow machine is no fault.
settings.load_profile("ci")

# Threads of libraries that live as long as the process does.
_LASTING_THREADS = (
    "asyncio-waitpid",
    "grpc",
    "_poll_wrapper",
    "ThreadPoolExecutor",
    "asyncio_",
    "execnet",
    "pytest_timeout",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Nothing of the tests themselves is garbage before the end: nobody looks for any among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def _threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.is_alive() and not any(name in t.name for name in _LASTING_THREADS)}


def _files() -> set[str]:
    if sys.platform != "linux":
        return set()
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/sys/")):
            found.add(target)
    return found


@pytest.fixture(autouse=True)
def leak_check(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a thread, a process, an open file or (when async) a task behind."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("task_leak_check")
    logged = logging_now()
    if request.node.get_closest_marker("shares_processes"):
        yield
        take_back(logged)
        return
    threads, processes, files = _threads(), living_children(), _files()
    yield
    take_back(logged)
    wait_until(lambda: not (_threads() - threads), 20, lambda: f"threads left behind: {_threads() - threads}")
    wait_until(
        lambda: not (living_children() - processes),
        20,
        lambda: f"processes left behind: {living_children() - processes}",
    )
    wait_until(lambda: not (_files() - files), 20, lambda: f"files left open: {_files() - files}")


@pytest.fixture
async def task_leak_check() -> AsyncIterator[None]:
    """Fails an async test that leaves a task behind."""
    before = asyncio.all_tasks()
    yield
    await check_tasks(before)
