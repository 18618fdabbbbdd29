"""Defects of the original that no other test pins; docs/past-defects.md says which is which."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from tests.support.gateway import fake_settings, live_gateway

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.globs import compile_glob
from mxgateway_server.galaxy.cache import CacheEntry
from mxgateway_server.galaxy.selection_cache import SelectionCache


def test_further_pages_of_a_request_do_not_select_again() -> None:
    """Server-007: every page filtered the whole hierarchy once more."""
    cache = SelectionCache()
    selected: list[str] = []

    def select(name: str) -> Sequence[int]:
        selected.append(name)
        return [1, 2, 3]

    first, second = (cast("CacheEntry", SimpleNamespace(sequence=number)) for number in (1, 2))
    for _page in range(5):
        assert cache.places(first, b"a", lambda: select("a")) == [1, 2, 3]
    cache.places(first, b"b", lambda: select("b"))
    cache.places(second, b"a", lambda: select("a of the next deployment"))
    assert selected == ["a", "b", "a of the next deployment"]


def test_a_glob_is_compiled_once() -> None:
    """Server-008: globs were built anew for each deploy event."""
    assert compile_glob("Plant/*/Mixer_???") is compile_glob("Plant/*/Mixer_???")


async def test_an_unexpected_error_tells_the_caller_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Server-050: texts of unexpected exceptions reached the page."""
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await gateway.open()

        async def broken(*_: Any) -> Any:
            raise RuntimeError("SENTINEL: connection string and more")

        monkeypatch.setattr(gateway.gateway.parts.sessions, "close_for", broken)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.close(session)
        assert caught.value.code() == grpc.StatusCode.INTERNAL
        assert caught.value.details() == "an unexpected error; the gateway's log has it"
        assert "SENTINEL" not in repr(tuple(caught.value.trailing_metadata() or ()))


async def test_a_broken_stream_breaks_no_other_and_not_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Server-041: what failed beside the stream of events ended it."""
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await gateway.open()
        request = pb.StreamEventsRequest(session_id=session)
        good = gateway.stub.StreamEventBatches(request, metadata=gateway.auth)
        bad = gateway.stub.StreamEvents(request, metadata=gateway.auth)
        await asyncio.gather(good.initial_metadata(), bad.initial_metadata())

        def broken(*_: Any) -> Any:
            raise RuntimeError("SENTINEL")

        monkeypatch.setattr("mxgateway_server.rpc.servicer.event_messages", broken)
        await gateway.ping(session, "emit 3")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await bad.read()
        assert caught.value.code() == grpc.StatusCode.INTERNAL
        assert len((await good.read()).events) == 3
        assert (await gateway.ping(session, "still here")).diagnostic_message == "still here"
