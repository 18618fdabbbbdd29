"""The scripted gateway: both services over real gRPC, each call answered by its rule or plainly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.json_format import MessageToDict, ParseDict

from mxgateway.testing.scripted.answers import Answers
from mxgateway.testing.scripted.record import PATIENCE, Record, wait_for
from mxgateway.testing.scripted.relay import Relay
from mxgateway.testing.scripted.rules import Script, ScriptError
from mxgateway.testing.scripted.steps import end, events_of
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_SERVICES = (
    (pb, pb.DESCRIPTOR.services_by_name["MxAccessGateway"]),
    (galaxy_pb, galaxy_pb.DESCRIPTOR.services_by_name["GalaxyRepository"]),
)
RPCS = frozenset(method.name for _, service in _SERVICES for method in service.methods)
_MAX_BYTES = 64 * 1024 * 1024


class ScriptedGateway:
    """A gateway on a free port of this machine. Use it with `async with`.

    Args:
        document: the server's part of a case; None for plain answers to everything.
        certificate: PEM chain and private key, for TLS.

    Raises:
        ScriptError: the document is wrong.
    """

    def __init__(self, document: dict[str, Any] | None = None, certificate: tuple[bytes, bytes] | None = None) -> None:
        self.record = Record()
        self.relay = Relay()
        self._certificate = certificate
        self._server: grpc.aio.Server | None = None
        self._old: list[asyncio.Task[Any]] = []
        self.load(document or {})

    def load(self, document: dict[str, Any]) -> None:
        """Begins a new case: other rules, an empty record. What runs still belongs to the one before."""
        self._script = Script(document, RPCS)
        self._answers = Answers(self._script)
        self.record = Record()

    @property
    def endpoint(self) -> str:
        return f"{'localhost' if self._certificate else '127.0.0.1'}:{self.relay.port}"

    async def __aenter__(self) -> ScriptedGateway:
        await self._serve()
        await self.relay.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.relay.close()
        if self._server is not None:
            await self._server.stop(0)
        await asyncio.gather(*self._old, return_exceptions=True)

    async def _serve(self) -> None:
        server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", _MAX_BYTES), ("grpc.max_send_message_length", _MAX_BYTES)]
        )
        for module, service in _SERVICES:
            handlers = {method.name: self._handler(module, method) for method in service.methods}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        if self._certificate is None:
            port = server.add_insecure_port("127.0.0.1:0")
        else:
            chain, key = self._certificate
            port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
        await server.start()
        self._server, self.relay.target = server, port

    async def do(self, action: str) -> None:
        """What a case wants beside the calls.

        Raises:
            ScriptError: there is no such action.
        """
        match action:
            case "drop_connections":
                self.relay.drop()
            case "close_listener":
                await self.relay.close()
            case "reopen_listener":
                await self.relay.open()
            case "freeze":
                self.relay.freeze()
            case "thaw":
                self.relay.thaw()
            case "goaway" | "restart":
                old = self._server
                await self._serve()
                if old is not None:
                    # With a grace time the old one says GOAWAY and lets its streams run on.
                    stopping = old.stop(PATIENCE if action == "goaway" else 0)
                    self._old.append(asyncio.ensure_future(stopping))
            case _:
                raise ScriptError(f"{action!r} is nothing that a gateway does")

    # ------------------------------------------------------------------------------------------------------- calls

    def _handler(self, module: Any, method: Any) -> grpc.RpcMethodHandler[Any, Any]:
        request, reply = getattr(module, method.input_type.name), getattr(module, method.output_type.name)
        name = method.name
        if method.client_streaming:

            async def both(requests: Any, context: Any) -> None:
                await self._commands(requests, context)

            return grpc.stream_stream_rpc_method_handler(both, request.FromString, reply.SerializeToString)
        if method.server_streaming:

            async def stream(message: Any, context: Any) -> None:
                await self._stream(name, message, context, reply)

            return grpc.unary_stream_rpc_method_handler(stream, request.FromString, reply.SerializeToString)

        async def unary(message: Any, context: Any) -> Any:
            return await self._unary(name, message, context, reply)

        return grpc.unary_unary_rpc_method_handler(unary, request.FromString, reply.SerializeToString)

    async def _unary(self, rpc: str, message: Any, context: Any, reply: Any) -> Any:
        record, answers = self.record, self._answers
        request = record.add(rpc, message, context)["request"]
        steps = self._script.take(rpc, request)
        if steps is None and rpc == "Invoke":
            steps = self._script.take("Command", request)
        answer: Any = None
        try:
            async for sent in self._steps(steps or (), context, reply, record):
                answer = sent
        except asyncio.CancelledError:
            record.cancelled.append(rpc)
            record.wake()
            raise
        if answer is None:
            answer = answers.unary(rpc, message)
            if rpc == "OpenSession":
                ParseDict(self._script.open_session, answer)
        elif rpc == "Invoke":
            _fill(answer, message.session_id, message.client_correlation_id, message.command.kind)
        return answer

    async def _stream(self, rpc: str, message: Any, context: Any, reply: Any) -> None:
        record = self.record
        request = record.add(rpc, message, context)["request"]
        record.open_streams += 1
        try:
            steps = self._script.take(rpc, request)
            if steps is None:
                steps = _QUIET.get(rpc, [])
            async for sent in self._steps(steps, context, reply, record):
                await context.write(sent)
        except asyncio.CancelledError:
            record.cancelled.append(rpc)
            raise
        finally:
            record.open_streams -= 1
            record.wake()

    async def _steps(self, steps: Any, context: Any, reply: Any, record: Record) -> AsyncIterator[Any]:
        for step in steps:
            if "headers" in step:
                await context.send_initial_metadata(tuple(step["headers"].items()))
            elif "send" in step:
                for _ in range(step.get("times", 1)):
                    yield ParseDict(step["send"], reply())
            elif "events" in step:
                for each in events_of(step["events"], batched=reply is pb.MxEventBatch):
                    yield each
            elif "wait_for" in step:
                await wait_for(step["wait_for"], record)
            elif "drop_connection" in step:
                self.relay.drop()
            elif "hold" in step:
                await asyncio.Event().wait()
            else:
                await end(step["status"], context)

    # ----------------------------------------------------------------------------------------------- command stream

    async def _commands(self, requests: Any, context: Any) -> None:
        record, script, answers = self.record, self._script, self._answers
        session_id, replies = "", asyncio.Queue[list[pb.MxCommandReply] | None]()
        record.open_streams += 1
        try:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(_write(replies, context))
                async for batch in requests:
                    entry = record.add("InvokeStream", batch, context)
                    if not session_id:
                        session_id = batch.session_id
                        async for sent in self._steps(
                            script.take("InvokeStream", entry["request"]) or (), context, pb.MxCommandReplyBatch, record
                        ):
                            await context.write(sent)
                    ready = []
                    for each in batch.commands:
                        as_request = {"session_id": session_id} | MessageToDict(each, preserving_proto_field_name=True)
                        steps = script.take("Command", as_request)
                        if steps is None:
                            ready.append(answers.command(session_id, each.correlation_id, each.command))
                        else:
                            group.create_task(self._answer(steps, session_id, each, context, record, replies))
                    if ready:
                        replies.put_nowait(ready)
                writing.cancel()
        except asyncio.CancelledError:
            record.cancelled.append("InvokeStream")
            raise
        finally:
            record.open_streams -= 1
            record.wake()

    async def _answer(
        self, steps: Any, session_id: str, each: Any, context: Any, record: Record, replies: asyncio.Queue[Any]
    ) -> None:
        async for sent in self._steps(steps, context, pb.MxCommandReply, record):
            _fill(sent, session_id, each.correlation_id, each.command.kind)
            replies.put_nowait([sent])


async def _write(replies: asyncio.Queue[Any], context: Any) -> None:
    while True:
        await context.write(pb.MxCommandReplyBatch(replies=await replies.get()))


def _fill(reply: Any, session_id: str, correlation_id: str, kind: Any) -> None:
    """What every reply has, unless the case says otherwise; `"correlation_id": "-"` for none."""
    reply.session_id = reply.session_id or session_id
    reply.correlation_id = reply.correlation_id or correlation_id
    if reply.correlation_id == "-":
        reply.correlation_id = ""
    reply.kind = reply.kind or kind
    if not reply.HasField("protocol_status"):
        reply.protocol_status.code = pb.PROTOCOL_STATUS_CODE_OK


# What streams do that no rule answers.
_QUIET: dict[str, list[dict[str, Any]]] = {
    "StreamEvents": [{"headers": {}}, {"hold": True}],
    "StreamEventBatches": [{"headers": {}}, {"hold": True}],
    "StreamAlarms": [{"headers": {}}, {"send": {"snapshot_complete": True}}, {"hold": True}],
    "StreamAlarmBatches": [{"headers": {}}, {"hold": True}],
    "WatchDeployEvents": [{"headers": {}}, {"hold": True}],
}
