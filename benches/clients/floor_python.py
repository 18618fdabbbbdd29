"""The floor of Python: the generated stub and nothing else.

What it sends is what the client sends: the deadline and the correlation id of each call, keepalive, the limit of a
message.

`floor_python reads ENDPOINT CA SIZE` and `floor_python events ENDPOINT` say `{}` when they are ready; then each line
`{"count": n}` asks for so many reads, or for a stream of so many events in batches without TLS, and is answered.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated.mxaccess_gateway_pb2_grpc import MxAccessGatewayStub

MOST_BYTES = 16 << 20
CALL_SECONDS = 30.0
SETTINGS = [
    ("grpc.max_send_message_length", MOST_BYTES),
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


class Invoking:
    """The commands of one session, each with a deadline, the key and a correlation id of its own."""

    def __init__(self, stub: Any, session: str, metadata: grpc.aio.Metadata) -> None:
        self._stub = stub
        self._session = session
        self._metadata = metadata
        self._count = 0

    async def invoke(self, kind: pb.MxCommandKind.ValueType, **payload: Any) -> pb.MxCommandReply:
        self._count += 1
        request = pb.MxCommandRequest(
            session_id=self._session,
            client_correlation_id=f"0000000000000000-{self._count:x}",
            command=pb.MxCommand(kind=kind, **payload),
        )
        reply: pb.MxCommandReply = await self._stub.Invoke(request, timeout=CALL_SECONDS, metadata=self._metadata)
        return reply


async def reads(endpoint: str, ca_file: str, size: int) -> None:
    metadata = grpc.aio.Metadata(("authorization", f"Bearer {os.environ['MXGATEWAY_API_KEY']}"))
    credentials = grpc.ssl_channel_credentials(Path(ca_file).read_bytes())
    async with grpc.aio.secure_channel(endpoint, credentials, options=SETTINGS) as channel:
        stub = MxAccessGatewayStub(channel)
        opened = await stub.OpenSession(pb.OpenSessionRequest(), timeout=CALL_SECONDS, metadata=metadata)
        session = opened.session_id
        invoke = Invoking(stub, session, metadata).invoke

        registered = await invoke(pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="floor"))
        handle = registered.register.server_handle
        tags = [f"TestMachine_{number:03d}.TestChangingInt" for number in range(1, size + 1)]
        subscribe = pb.SubscribeBulkCommand(server_handle=handle, tag_addresses=tags)
        await invoke(pb.MX_COMMAND_KIND_SUBSCRIBE_BULK, subscribe_bulk=subscribe)
        read = pb.ReadBulkCommand(server_handle=handle, tag_addresses=tags)

        async def some(count: int) -> dict[str, float]:
            times = []
            for _ in range(count):
                at = time.perf_counter()
                await invoke(pb.MX_COMMAND_KIND_READ_BULK, read_bulk=read)
                times.append(time.perf_counter() - at)
            return {"p50_ms": statistics.median(times) * 1000}

        await _asked(some)
        await stub.CloseSession(pb.CloseSessionRequest(session_id=session), timeout=CALL_SECONDS, metadata=metadata)


async def events(endpoint: str) -> None:
    async with grpc.aio.insecure_channel(endpoint, options=SETTINGS) as channel:
        stub = MxAccessGatewayStub(channel)

        async def some(count: int) -> dict[str, float]:
            session = (await stub.OpenSession(pb.OpenSessionRequest())).session_id
            stream = stub.StreamEventBatches(pb.StreamEventsRequest(session_id=session))
            taken = 0
            while taken < count:
                # An event is an object for the program, as it is in the other languages without being asked.
                taken += len(list((await stream.read()).events))
            stream.cancel()
            return {"taken": taken}

        await _asked(some)


async def _asked(some: Callable[[int], Awaitable[dict[str, float]]]) -> None:
    print("{}", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await some(json.loads(line)["count"])), flush=True)


if __name__ == "__main__":
    given = sys.argv[2:]
    asyncio.run(events(*given) if sys.argv[1] == "events" else reads(given[0], given[1], int(given[2])))
