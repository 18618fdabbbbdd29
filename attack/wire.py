"""gRPC with bytes in place of messages, so that what is sent is what was meant, whatever it would parse to."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc
import grpc.aio

from attack.target import Target

GATEWAY = "/mxaccess_gateway.v1.MxAccessGateway/"
GALAXY = "/galaxy_repository.v1.GalaxyRepository/"
OPEN_SESSION, INVOKE, INVOKE_STREAM = GATEWAY + "OpenSession", GATEWAY + "Invoke", GATEWAY + "InvokeStream"

_UNLIMITED = 64 * 1024 * 1024


@contextlib.asynccontextmanager
async def channel(target: Target, name: str = "") -> AsyncIterator[grpc.aio.Channel]:
    """A channel with a connection of its own for each name."""
    credentials = grpc.ssl_channel_credentials(target.authority())
    options = (
        ("grpc.primary_user_agent", f"attack {name}"),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_send_message_length", _UNLIMITED),
        ("grpc.max_receive_message_length", _UNLIMITED),
        ("grpc.enable_retries", 0),
    )
    async with grpc.aio.secure_channel(target.address, credentials, options=options) as opened:
        yield opened


def bearer(target: Target, key: str) -> tuple[tuple[str, str], ...]:
    """The header of a key of the target's, by its name."""
    return (("authorization", f"Bearer {target.keys[key]}"),)


def raw_unary(opened: grpc.aio.Channel, method: str) -> Any:
    """A method that takes and gives bytes."""
    return opened.unary_unary(method)


async def attempt(outcome: Counter[str], call: Awaitable[Any]) -> bytes | None:
    """Makes a call and counts how it ended."""
    try:
        answer: bytes = await call
    except grpc.aio.AioRpcError as error:
        outcome[error.code().name] += 1
        return None
    outcome["OK"] += 1
    return answer


@contextlib.asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Ends what is within after so many seconds, without an error: a flood is over then."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            yield
