"""The headers of a stream, by which its caller knows that it stands before anything comes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

LONGEST = 1.0
"""Seconds that a handler which is to end waits for headers that are on their way."""


class HasHeaders(Protocol):
    """What gRPC gives a handler, as far as headers go."""

    def send_initial_metadata(self, initial_metadata: Any, /) -> Coroutine[Any, Any, None]: ...


async def send_headers(context: HasHeaders) -> None:
    """Sends them now.

    Whoever is cancelled meanwhile waits until they are sent: gRPC takes no status while they are on their way, and a
    stream that the gateway ends in just that moment would never end for its caller.
    """
    sending = asyncio.ensure_future(context.send_initial_metadata(()))
    try:
        await asyncio.shield(sending)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait({sending}, timeout=LONGEST)
        if not done:
            sending.cancel()
        elif not sending.cancelled():
            # The call is over by itself, then; that is nothing to tell.
            sending.exception()
        raise
