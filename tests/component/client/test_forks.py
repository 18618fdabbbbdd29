"""Processes that fork: a clear error at once, or it works; never a wait without end, and never an abort."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mxgateway.testing import LocalGateway

pytestmark = [
    pytest.mark.shares_processes,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
]

PROGRAM = """
import asyncio, os, sys
from mxgateway import ClientOptions, GatewayClient as AsyncClient
from mxgateway.sync import GatewayClient

endpoint, ca_file, key = sys.argv[1:4]
OPTIONS = ClientOptions(endpoint=endpoint, ca_file=ca_file, api_key=key, call_timeout=10.0)
TAG = "TestChildObject.TestInt"


def in_child(work, leave=os._exit):
    sys.stdout.flush()
    child = os.fork()
    if child:
        print("child ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        return
    try:
        print("child:", work(), flush=True)
    except Exception as error:
        print("child:", type(error).__name__, str(error)[:60], flush=True)
    leave(0)


def own():
    with GatewayClient.connect(OPTIONS) as client, client.open_session() as session:
        return session.ping("mine")


def own_async():
    async def main():
        async with await AsyncClient.connect(OPTIONS) as client, await client.open_session() as session:
            return await session.ping("mine")

    return asyncio.run(main())


def inherited(session, subscription):
    def use():
        for call in (lambda: session.ping("x"), lambda: next(subscription), session.close, own, own_async):
            try:
                return call()
            except Exception as error:
                last = error
                print("refused:", type(error).__name__, flush=True)
        raise last

    return use
"""

CLOSED_BEFORE = "own(); own_async(); in_child(own); in_child(own_async); in_child(own, sys.exit); print(own())"
OPEN = """
client = GatewayClient.connect(OPTIONS)
session = client.open_session()
subscription = session.subscribe([TAG])
next(subscription)
in_child(inherited(session, subscription))
in_child(inherited(session, subscription), sys.exit)
print("parent:", session.ping("still there"), flush=True)
session.close()
client.close()
"""
OPEN_ASYNC = """
async def main():
    async with await AsyncClient.connect(OPTIONS) as client, await client.open_session() as session:
        async def use():
            return await session.ping("x")

        def in_this_loop():
            try:
                use().send(None)
            except StopIteration as end:
                return end.value

        async with session.subscribe([TAG]) as subscription:
            await anext(subscription)
            in_child(in_this_loop)
        print("parent:", await session.ping("still there"), flush=True)

asyncio.run(main())
"""


def outcome(gateway: LocalGateway, program: str, place: Path) -> list[str]:
    script = place / "forks.py"
    script.write_text(PROGRAM + program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), gateway.endpoint, str(gateway.ca_file), gateway.api_key],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_clients_of_their_own_work_when_the_parents_are_closed(local_gateway: LocalGateway, tmp_path: Path) -> None:
    """A server that preloads the application and then forks: clients closed before are no hindrance."""
    lines = outcome(local_gateway, CLOSED_BEFORE, tmp_path)
    assert lines == ["child: mine", "child ended with 0"] * 3 + ["mine"]


@pytest.mark.parametrize("attempt", [1, 2])
def test_an_open_client_is_refused_in_the_child(local_gateway: LocalGateway, tmp_path: Path, attempt: int) -> None:
    """The parent's client, and a new one in the child, give the error that says what to do; the parent goes on."""
    lines = outcome(local_gateway, OPEN, tmp_path)
    refused = ["refused: MxGatewayTransportError"] * 5
    child = [*refused, "child: MxGatewayTransportError this process was forked while its parent had an mxgateway cl"]
    assert lines == [*child, "child ended with 0", *child, "child ended with 0", "parent: still there"]


def test_an_open_asynchronous_client_is_refused_in_the_child(local_gateway: LocalGateway, tmp_path: Path) -> None:
    """Likewise where the child was forked in the middle of an event loop."""
    lines = outcome(local_gateway, OPEN_ASYNC, tmp_path)
    child = ["child: MxGatewayTransportError this process was forked while its parent had an mxgateway cl"]
    assert lines == [*child, "child ended with 0", "parent: still there"]
