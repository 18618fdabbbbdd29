"""A collector of traces on the loopback: takes them, refuses them, or hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass
class FakeCollector:
    """What came.

    Attributes:
        asked: batches that came, answered or not.
        spans: by name, in the order in which they came.
        resources: attributes of those who sent them.
    """

    url: str = ""
    refuses: bool = False
    hangs: bool = False
    asked: int = 0
    spans: list[Any] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    async def export(self, request: otlp.ExportTraceServiceRequest, context: Any) -> otlp.ExportTraceServiceResponse:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.refuses:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
        for resource in request.resource_spans:
            self.resources.append(attributes(resource.resource))
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return otlp.ExportTraceServiceResponse()


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span or a resource as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


@asynccontextmanager
async def collector(**how: Any) -> AsyncIterator[FakeCollector]:
    """A collector that listens until the block ends."""
    made = FakeCollector(**how)
    method = grpc.unary_unary_rpc_method_handler(
        made.export, otlp.ExportTraceServiceRequest.FromString, otlp.ExportTraceServiceResponse.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    made.url = f"http://127.0.0.1:{port}"
    try:
        yield made
    finally:
        await server.stop(0)
