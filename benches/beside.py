"""What is held against a bar, measured in turns with what it is held against.

A machine that does something else for a second then slows both, and not one of them.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from benches import floor, peer_asyncua
from benches.floor import in_turns
from benches.gateway_process import GatewayProcess
from benches.product import DROPPING, FLOOD_TAGS, QUIET_TAGS, advised, batches, subscribe
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

Figures = dict[str, Any]

_EVENTS_TURN = 1.0
_POOL_FILLED = 0.7


async def measure_transports(running: GatewayProcess, seconds: float) -> Figures:
    """The same call by every way: through the bare chain, as `Invoke`, and by the client library as a unary call and
    on the command stream."""
    async with await running.client() as client, await client.open_session() as session, floor.chain() as chain:
        ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="x" * 40))
        # Who does not know what the gateway announced makes unary calls.
        unary = client.attach_session(session.session_id)
        return await in_turns(
            {
                "chain": chain.echo,
                "invoke": lambda: client.invoke(pb.MxCommandRequest(session_id=session.session_id, command=ping)),
                "unary": lambda: unary.ping("x" * 40),
                "commandStream": lambda: session.ping("x" * 40),
            },
            seconds,
        )


async def measure_saturated(running: GatewayProcess, seconds: float) -> Figures:
    """Events as fast as they are taken, every one decoded: ours, the bare chain's, asyncua's."""
    async with await running.client() as client, floor.chain() as chain, peer_asyncua.peer() as peer:

        async def ours(turn: float) -> float:
            async with await client.open_session(backpressure_policy=DROPPING) as session:
                # The gateway starts a worker in place of the one that it gave away; the peers start nothing.
                await asyncio.sleep(_POOL_FILLED)
                await subscribe(session, FLOOD_TAGS)
                found = await batches(session, turn, fields=False)
                return float(found["eventsPerSecond"])

        ways: Mapping[str, Callable[[float], Awaitable[float]]] = {
            "gateway": ours,
            "chain": chain.events_per_second,
            "asyncua": peer.events_per_second,
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(max(2, round(seconds / _EVENTS_TURN))):
            for name, way in ways.items():
                rates[name].append(await way(_EVENTS_TURN))
        return {name: {"eventsPerSecond": round(statistics.mean(found))} for name, found in rates.items()}


async def measure_reads(running: GatewayProcess, seconds: float) -> Figures:
    """Reads of 100 advised tags: ours by the client library and as a unary call, and asyncua's."""
    async with await running.client() as client, await client.open_session() as session, peer_asyncua.peer() as peer:
        server = await advised(session)
        unary = client.attach_session(session.session_id)
        return await in_turns(
            {
                "gateway": lambda: session.read_bulk(server, QUIET_TAGS),
                "unary": lambda: unary.read_bulk(server, QUIET_TAGS),
                "asyncua": lambda: peer.read(100),
            },
            seconds,
        )
