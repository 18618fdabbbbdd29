"""Spans of calls and commands, by OpenTelemetry; `opening` loads it where traces are wanted.

What a span says is what the log may say, too: never a value, never a credential, and no tag unless the settings ask for
tags.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from mxgateway_contract.commands import COMMANDS, kind_name
from mxgateway_contract.field_counts import FieldCountError, MalformedMessageError, top_fields
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.counters import OTHER, Tally
from mxgateway_server.errors import GatewayError
from mxgateway_server.telemetry import traceparent
from mxgateway_server.telemetry.outlet import SpanOutlet

ERRORS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""gRPC status codes that are a server's errors, by OpenTelemetry's conventions; the others are its caller's."""
UNKNOWN_METHOD = "_OTHER"
"""What those conventions call a method that the server does not have."""
MOST_TAGS = 20
_END_SECONDS = 2.0
_FIELDS = 4096
_STATUS, _CODE = pb.MxCommandReply.PROTOCOL_STATUS_FIELD_NUMBER, pb.ProtocolStatus.CODE_FIELD_NUMBER
_HRESULT = pb.MxCommandReply.HRESULT_FIELD_NUMBER
_WELL = (pb.PROTOCOL_STATUS_CODE_OK, pb.PROTOCOL_STATUS_CODE_UNSPECIFIED)
_CODE_PREFIX = len("PROTOCOL_STATUS_CODE_")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanOptions:
    """What is traced; see the section `telemetry` of the settings.

    Attributes:
        sample_ratio: share of the messages of command streams.
        call_ratio: share of the calls whose caller does not decide it.
        tags: whether the names of tags are told.
        most: spans that may wait for the collector.
    """

    sample_ratio: float = 0.01
    call_ratio: float = 1.0
    tags: bool = False
    most: int = 2048


class Spans:
    """Makes spans, and sends them away.

    Args:
        resource: what all spans say of who made them.
        counts: where spans are counted, see SpanOutlet.
        chance: a number from 0 to below 1, for each decision.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        options: SpanOptions,
        resource: Mapping[str, str],
        counts: Tally,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._chance = chance
        self._outlet = SpanOutlet(exporter, options.most, counts)
        # Of its own, and not the process's: nothing that others load begins to write into these traces.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create(dict(resource)), shutdown_on_exit=False)
        provider.add_span_processor(self._outlet)
        self._tracer = provider.get_tracer("mxgateway_server", resource.get("service.version", ""))

    def begin(
        self, method: str, metadata: Iterable[tuple[str, Any]], correlation_id: str, began_ns: int
    ) -> CallSpan | None:
        """See Tracing."""
        given = [value for key, value in metadata if key == traceparent.KEY]
        parent = traceparent.parse(given[0]) if len(given) == 1 else None
        if parent is None:
            if self._options.call_ratio < 1.0 and self._chance() >= self._options.call_ratio:
                return None
            context = None
        elif not parent.is_sampled:
            return None
        else:
            remote = SpanContext(parent.trace_id, parent.span_id, True, TraceFlags(TraceFlags.SAMPLED))
            context = set_span_in_context(NonRecordingSpan(remote))
        name = method or UNKNOWN_METHOD
        span = self._tracer.start_span(
            name,
            context,
            SpanKind.SERVER,
            {"rpc.system.name": "grpc", "rpc.method": name, "mxgateway.correlation_id": correlation_id},
            start_time=began_ns,
        )
        return CallSpan(span, self._tracer, self._options, self._chance)

    async def close(self) -> None:
        """See Tracing."""
        await asyncio.to_thread(self._outlet.end, _END_SECONDS)


class CallSpan:
    """See CallTrace."""

    def __init__(self, span: Span, tracer: Tracer, options: SpanOptions, chance: Callable[[], float]) -> None:
        self._span = span
        self._tracer = tracer
        self._options = options
        self._chance = chance
        self._context = set_span_in_context(span)
        known = span.get_span_context()
        self.facts: Mapping[str, str] = {
            "trace_id": f"{known.trace_id:032x}",
            "span_id": f"{known.span_id:016x}",
        }

    def command(self, kind: int, session_id: str, correlation_id: str) -> CommandSpan:
        name = kind_name(kind) if kind in COMMANDS else OTHER
        span = self._tracer.start_span(
            name,
            self._context,
            SpanKind.INTERNAL,
            {
                "mxgateway.command.kind": name,
                "mxgateway.session_id": session_id,
                "mxgateway.correlation_id": correlation_id,
            },
            start_time=time.time_ns(),
        )
        return CommandSpan(span, self._options.tags)

    def samples_batch(self) -> bool:
        return self._chance() < self._options.sample_ratio

    def end(self, code: str) -> None:
        self._span.set_attribute("rpc.response.status_code", code)
        if code in ERRORS:
            self._span.set_attribute("error.type", code)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class CommandSpan:
    """See CommandTrace."""

    def __init__(self, span: Span, tells_tags: bool) -> None:
        self._span = span
        self._tells_tags = tells_tags

    def answered(self, reply: bytes, times: tuple[float, float] | None, references: Sequence[str] = ()) -> None:
        code, hresult = _codes(reply)
        if times is not None:
            self._span.set_attribute("mxgateway.queue_wait", times[0])
            self._span.set_attribute("mxgateway.worker_time", times[1])
        if hresult is not None:
            self._span.set_attribute("mxgateway.hresult", f"0x{hresult & 0xFFFFFFFF:08X}")
        if code not in _WELL:
            name = pb.ProtocolStatusCode.Name(code) if code in pb.ProtocolStatusCode.values() else ""
            self._fail(name[_CODE_PREFIX:] or str(code))
        self._end(references)

    def failed(self, error: GatewayError, references: Sequence[str] = ()) -> None:
        self._fail(error.reason)
        self._end(references)

    def _fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))

    def _end(self, references: Sequence[str]) -> None:
        if self._tells_tags and references:
            self._span.set_attribute("mxgateway.tags", list(references[:MOST_TAGS]))
            self._span.set_attribute("mxgateway.tag_count", len(references))
        self._span.end()


def _codes(reply: bytes) -> tuple[Any, int | None]:
    """Status code and HRESULT of a serialised MxCommandReply; what comes behind very many fields is not seen."""
    code: Any = pb.PROTOCOL_STATUS_CODE_UNSPECIFIED
    hresult: int | None = None
    try:
        for number, value in top_fields(memoryview(reply), _FIELDS):
            if number == _STATUS and not isinstance(value, int):
                for inner, word in top_fields(value, _FIELDS):
                    if inner == _CODE and isinstance(word, int):
                        code = word
            elif number == _HRESULT and isinstance(value, int):
                hresult = value
    except (FieldCountError, MalformedMessageError):
        # It is judged where it matters; a span tells what was seen.
        return code, hresult
    return code, hresult
