"""Asking a gateway in a process of its own to become the installed program, and waiting until it has."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mxgateway_server.control.client import NoGatewayError, ask

LIMIT = 60.0


async def program_of(state: Path) -> dict[str, Any]:
    """What the gateway says of its program, as soon as one answers."""
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                status = await asyncio.to_thread(ask, state, "status")
            except NoGatewayError:
                await short_pause()
                continue
            program: dict[str, Any] = status["program"]
            return program


async def upgraded(state: Path) -> dict[str, Any]:
    """Upgrades the gateway of this state directory; what the new program says of itself.

    Raises:
        ConfigurationError: it was refused.
    """
    before = await program_of(state)
    try:
        answer = await asyncio.to_thread(ask, state, "upgrade")
        raise AssertionError(f"a gateway that replaces itself does not answer: {answer}")
    except NoGatewayError:
        pass  # the old program is gone, and its connections with it
    after = await program_of(state)
    assert after["sinceNs"] != before["sinceNs"], "the program was not replaced"
    return after


async def short_pause() -> None:
    """Leaves others their turn before the next attempt."""
    turn = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.02, lambda: turn.done() or turn.set_result(None))
    await turn
