"""Whatever is opened can be awaited, used with `async with` at once, or handed to asyncio as a coroutine."""

from __future__ import annotations

import asyncio
import typing
from dataclasses import fields

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway

from mxgateway import (
    ClientOptions,
    GalaxyRepositoryClient,
    GatewayClient,
    MxGatewayConnectionError,
    MxGatewayTransportError,
)
from mxgateway.options import ClientSettings


async def test_clients_and_sessions_open_with_one_word(gateway: FakeGateway) -> None:
    """`async with GatewayClient.connect(…)`, as other libraries have it; all is closed at the end."""
    async with (
        GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True) as client,
        GalaxyRepositoryClient.connect(endpoint=gateway.endpoint, plaintext=True) as galaxy,
        client.open_session(client_session_name="one word") as session,
    ):
        assert await session.ping("here") == "here"
        assert await galaxy.test_connection()
    assert session.closed
    assert (client.connection_state.value, galaxy.connection_state.value) == ("closed", "closed")


async def test_awaiting_and_tasks_are_as_ever(gateway: FakeGateway, client: GatewayClient) -> None:
    """await, create_task, gather, wait_for."""
    sessions = [
        await client.open_session(),
        await asyncio.create_task(client.open_session()),
        *(await asyncio.gather(client.open_session(), client.open_session())),
        await asyncio.wait_for(client.open_session(), 5),
    ]
    assert gateway.calls["OpenSession"] == 5
    unused = client.open_session()
    assert asyncio.iscoroutine(unused)
    unused.close()
    for session in sessions:
        await session.close()


async def test_what_cannot_be_opened_raises_on_the_way_in(gateway: FakeGateway, client: GatewayClient) -> None:
    """And nothing is left to close."""
    with pytest.raises(MxGatewayConnectionError):
        async with GatewayClient.connect(endpoint="127.0.0.1:1", plaintext=True):
            pytest.fail("there is no gateway")
    gateway.script("OpenSession", Abort(grpc.StatusCode.DATA_LOSS, "no"))
    with pytest.raises(MxGatewayTransportError):
        async with client.open_session():
            pytest.fail("there is no session")
    assert gateway.calls.get("CloseSession", 0) == 0


async def test_an_error_within_closes_and_goes_on(gateway: FakeGateway, client: GatewayClient) -> None:
    """The body's error is the one that counts."""
    with pytest.raises(ZeroDivisionError):
        async with client.open_session():
            raise ZeroDivisionError
    assert gateway.calls["CloseSession"] == 1


def test_the_settings_of_connect_are_the_options() -> None:
    """A type checker sees a misspelt keyword; so the keywords have to be those of ClientOptions, with their types."""
    assert typing.get_type_hints(ClientSettings) == typing.get_type_hints(ClientOptions)
    assert set(ClientSettings.__annotations__) == {field.name for field in fields(ClientOptions)}
