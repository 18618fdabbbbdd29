"""Streams that run now: bounded for each key, and ended once, for the first reason that there is."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.clock import ManualClock

from mxgateway_server.access.authenticator import Caller
from mxgateway_server.errors import AuthenticationError, GatewayError, StreamLimitError
from mxgateway_server.rpc.live_streams import LiveStreams

OWNER = Caller(key_id="owner", scopes=frozenset())
NOBODY = Caller(key_id="", scopes=frozenset())


async def test_a_stream_ends_once_and_for_the_first_reason() -> None:
    """The gateway stops right after a key was revoked: a second cancel would break off what the client is told."""
    streams = LiveStreams(clock=ManualClock())
    running = asyncio.Event()

    async def stream() -> tuple[GatewayError | None, int]:
        task = streams.enter(OWNER)
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return streams.leave(OWNER, task), task.cancelling()
        raise AssertionError

    task = asyncio.create_task(stream())
    await running.wait()
    assert streams.callers == (OWNER,)
    streams.end(OWNER)
    streams.end_all()
    reason, cancels = await task
    assert (type(reason), cancels, len(streams), streams.callers) == (AuthenticationError, 1, 0, ())


async def test_the_bound_is_each_keys_own_and_a_place_is_free_again() -> None:
    streams = LiveStreams(limit=1, clock=ManualClock())
    task = streams.enter(OWNER)
    with pytest.raises(StreamLimitError, match=r"protocol\.max_streams_per_key"):
        streams.enter(OWNER)
    streams.enter(NOBODY)
    streams.enter(NOBODY)
    assert streams.leave(OWNER, task) is None
    assert streams.enter(OWNER) is task
