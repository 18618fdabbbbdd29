"""The bare servers: gRPC alone, and gRPC in front of a worker's pipe. Raw bytes both ways, no product.

Usage: python -m benches.floor_server; prints the port, ends with its standard input.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import grpc

from benches.floor_worker import build_event
from mxgateway_protocol.batches import join_events
from mxgateway_protocol.frames import FrameDecoder


class Pipe(asyncio.SubprocessProtocol):
    """Frames from and to the bare worker; echoes in order, batches to whoever streams."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._echoes: deque[asyncio.Future[bytes]] = deque()
        self.batches: asyncio.Queue[bytes] | None = None
        self.transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self.transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            return
        for payload in self._decoder.feed(data):
            if self.batches is not None:
                self.batches.put_nowait(payload)
                if self.batches.qsize() > 64:
                    self._out().pause_reading()
            else:
                self._echoes.popleft().set_result(payload)

    def _out(self) -> Any:
        assert self.transport is not None
        return self.transport.get_pipe_transport(1)

    def resume(self) -> None:
        if self.batches is not None and self.batches.qsize() < 32 and not self._out().is_reading():
            self._out().resume_reading()

    def send(self, payload: bytes) -> None:
        assert self.transport is not None
        stdin: Any = self.transport.get_pipe_transport(0)
        stdin.write(struct.pack("<I", len(payload)) + payload)

    def echo(self, payload: bytes) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._echoes.append(answer)
        self.send(payload)
        return answer


async def start_pipe() -> Pipe:
    _, protocol = await asyncio.get_running_loop().subprocess_exec(
        Pipe, sys.executable, "-m", "benches.floor_worker", stderr=None
    )
    return protocol


class Handlers(grpc.GenericRpcHandler):
    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = details.method.rsplit("/", 1)[-1]
        unary = {"Echo": self.echo, "ChainEcho": self.chain_echo}
        stream = {"Events": self.events, "ChainEvents": self.chain_events}
        if method in unary:
            return grpc.unary_unary_rpc_method_handler(unary[method])
        return grpc.unary_stream_rpc_method_handler(stream[method]) if method in stream else None

    async def echo(self, request: bytes, _: object) -> bytes:
        return request

    async def chain_echo(self, request: bytes, _: object) -> bytes:
        return await self._pipe.echo(request)

    async def events(self, request: bytes, _: object) -> AsyncIterator[bytes]:
        """Pre-serialised messages: an event each, or a batch each."""
        size = int(request)
        message = build_event(1) if size == 1 else join_events(build_event(n) for n in range(size))
        while True:
            yield message

    async def chain_events(self, request: bytes, _: object) -> AsyncIterator[bytes]:
        pipe = await start_pipe()
        pipe.batches = asyncio.Queue()
        pipe.send(b"flood" + request)
        try:
            while True:
                yield await pipe.batches.get()
                pipe.resume()
        finally:
            assert pipe.transport is not None
            pipe.transport.close()


async def serve() -> None:
    pipe = await start_pipe()
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((Handlers(pipe),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0)
    assert pipe.transport is not None
    pipe.transport.close()


if __name__ == "__main__":
    asyncio.run(serve())
