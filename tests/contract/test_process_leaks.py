"""The leak check of processes tells what a test left from what a shared gateway starts by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.support.process_leaks import LISTS_CHILDREN, SHARED, below, living_children, psutil_below

ROOT = Path(__file__).parents[2]

_PARENT = (
    "import subprocess, sys; c = subprocess.Popen(['cat'], stdin=subprocess.PIPE); print(c.pid, flush=True); input()"
)


@contextmanager
def parent_and_child() -> Iterator[tuple[int, int]]:
    """A process that has started another; both end with the block."""
    command = [sys.executable, "-S", "-c", _PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        yield parent.pid, child
        parent.communicate("\n")


def test_what_a_shared_gateway_starts_is_not_a_leak_and_all_else_is() -> None:
    before = {p.pid for p in living_children()}
    with parent_and_child() as of_a_gateway, parent_and_child() as of_a_test:
        SHARED.add(of_a_gateway[0])
        try:
            assert {p.pid for p in living_children()} - before == {*of_a_test}
        finally:
            SHARED.discard(of_a_gateway[0])
        assert {p.pid for p in living_children()} - before == {*of_a_gateway, *of_a_test}


@pytest.mark.skipif(not LISTS_CHILDREN, reason="this system does not list the children of a process")
def test_the_system_s_list_has_what_psutil_finds_whatever_thread_has_started_it() -> None:
    with ThreadPoolExecutor(1) as thread, ExitStack() as stack:
        mine = stack.enter_context(parent_and_child())
        of_a_thread = thread.submit(stack.enter_context, parent_and_child()).result()
        for found in (below(os.getpid()), psutil_below(os.getpid())):
            assert {*mine, *of_a_thread} <= found
    assert below(mine[0]) == set()


def test_the_checks_of_every_test_load_on_a_workers_python() -> None:
    """It runs suites under Wine and has protobuf, psutil and pytest, and nothing of the gateway's or the client's."""
    lacking = "('grpc', 'structlog', 'sqlalchemy', 'uvloop', 'click', 'httpx2', 'cryptography')"
    code = f"import sys\nfor name in {lacking}: sys.modules[name] = None\nimport tests.conftest"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
