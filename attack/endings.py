"""Keys that end while they write: how long a revoked, rotated or expired key still gets something done."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from attack.target import SCOPES, Target
from mxgateway import ClientOptions, GalaxyRepositoryClient, GatewayClient, MxGatewayError, Session
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import SystemClock
from mxgateway_server.access.peppers import PepperFile
from mxgateway_server.access.store import KeyStore

ROUNDS = 20
LATEST = ("unary-latest-ms", "stream-latest-ms", "events-latest-ms", "watch-latest-ms")
"""The longest times after the commit, over all rounds: the last write that was taken, the last sign of a stream."""

_PERIOD = 0.02
_WARM = 0.3
_PATIENCE = 5.0
_LIFE = 1.0
_TAG = "TestChildObject.TestInt"


class _Former:
    """One key at work until it ends."""

    def __init__(self) -> None:
        self.latest = dict.fromkeys(LATEST, 0.0)
        self.writes = 0

    def seen(self, what: str) -> None:
        """Something was taken just now, or a stream still stood."""
        self.latest[what] = time.time()

    async def write(self, what: str, call: Callable[[], Awaitable[object]]) -> None:
        """Writes until the gateway refuses."""
        with contextlib.suppress(MxGatewayError):
            while True:
                await call()
                self.writes += 1
                self.seen(what)
                await asyncio.sleep(_PERIOD)

    async def follow(self, what: str, stream: AsyncIterator[object]) -> None:
        """Holds a stream until the gateway ends it."""
        with contextlib.suppress(MxGatewayError):
            async for _ in stream:
                pass
        self.seen(what)

    async def run(self, client: GatewayClient, galaxy: GalaxyRepositoryClient, session: Session) -> None:
        server = await session.register("endings")
        item = await session.add_item(server, _TAG)
        await session.advise(server, item)
        command = pb.MxCommand(
            kind=pb.MX_COMMAND_KIND_WRITE,
            write=pb.WriteCommand(server_handle=server, item_handle=item, value=pb.MxValue(int32_value=7)),
        )
        request = pb.MxCommandRequest(session_id=session.session_id, command=command)
        async with session.stream_events() as events, asyncio.TaskGroup() as group:
            group.create_task(self.write("unary-latest-ms", lambda: client.invoke(request)))
            group.create_task(self.write("stream-latest-ms", lambda: session.invoke(command)))
            group.create_task(self.follow("events-latest-ms", aiter(events)))
            group.create_task(self.follow("watch-latest-ms", aiter(galaxy.watch_deploy_events())))


async def endings(target: Target, seconds: float) -> Counter[str]:
    """20 keys in turn, revoked, rotated or expired while they write one by one and on streams (H6)."""
    del seconds  # it is about rounds
    outcome: Counter[str] = Counter(dict.fromkeys(LATEST, 0))
    folder = Path(target.state_dir)
    store = await KeyStore.open(str(folder / "keys.db"), PepperFile(folder / "pepper"), SystemClock())
    try:
        for number in range(ROUNDS):
            how = ("revoked", "rotated", "expired")[number % 3]
            former, ended = _Former(), 0.0
            expires = time.time_ns() + int((_WARM + _LIFE) * 1e9) if how == "expired" else None
            name = f"former-{number}"
            key = await store.create(name, name, SCOPES.split(","), expires_ns=expires)
            options = ClientOptions(endpoint=target.address, api_key=key, ca_file=target.ca_file, retry=None)
            async with (
                await GatewayClient.connect(options) as client,
                await GalaxyRepositoryClient.connect(options) as galaxy,
            ):
                session = await client.open_session(client_session_name=name)
                work = asyncio.create_task(former.run(client, galaxy, session))
                await asyncio.sleep(_WARM)
                if how == "revoked":
                    await store.revoke(name)
                elif how == "rotated":
                    await store.rotate(name)
                ended = time.time() if expires is None else expires / 1e9
                try:
                    async with asyncio.timeout(_LIFE + _PATIENCE):
                        await work
                except TimeoutError:
                    # Whatever still goes on now went on for that long at least.
                    for what in LATEST:
                        former.seen(what)
                    outcome["never ended"] += 1
            outcome[how] += 1
            outcome["writes"] += former.writes
            for what in LATEST:
                outcome[what] = max(outcome[what], round((former.latest[what] - ended) * 1000))
    finally:
        await store.close()
    return outcome
