"""The floor of Python: read_bulk by the generated stub and nothing else. `floor_python ENDPOINT CA SECONDS SIZE`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import grpc
import grpc.aio

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated.mxaccess_gateway_pb2_grpc import MxAccessGatewayStub


async def main(endpoint: str, ca_file: str, seconds: float, size: int) -> None:
    metadata = (("authorization", f"Bearer {os.environ['MXGATEWAY_API_KEY']}"),)
    credentials = grpc.ssl_channel_credentials(Path(ca_file).read_bytes())
    async with grpc.aio.secure_channel(endpoint, credentials) as channel:
        stub = MxAccessGatewayStub(channel)
        session = (await stub.OpenSession(pb.OpenSessionRequest(), metadata=metadata)).session_id

        async def invoke(kind: pb.MxCommandKind.ValueType, **payload: object) -> pb.MxCommandReply:
            command = pb.MxCommand(kind=kind, **payload)  # type: ignore[arg-type]
            request = pb.MxCommandRequest(session_id=session, command=command)
            return await stub.Invoke(request, metadata=metadata)  # type: ignore[no-any-return]

        registered = await invoke(pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="floor"))
        handle = registered.register.server_handle
        tags = [f"TestMachine_{number:03d}.TestChangingInt" for number in range(1, size + 1)]
        subscribe = pb.SubscribeBulkCommand(server_handle=handle, tag_addresses=tags)
        await invoke(pb.MX_COMMAND_KIND_SUBSCRIBE_BULK, subscribe_bulk=subscribe)
        read = pb.ReadBulkCommand(server_handle=handle, tag_addresses=tags)
        await invoke(pb.MX_COMMAND_KIND_READ_BULK, read_bulk=read)
        calls, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            await invoke(pb.MX_COMMAND_KIND_READ_BULK, read_bulk=read)
            calls += 1
        took = time.perf_counter() - began
        await stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=metadata)
    print(json.dumps({"successfulCalls": calls, "callsPerSecond": calls / took}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
