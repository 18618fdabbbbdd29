"""What the steps of a rule send: events, and statuses with their google.rpc details."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


def events_of(wanted: dict[str, Any], *, batched: bool) -> Iterator[Any]:
    """Data changes with the sequences `from` to `to`, of the items `item_handles` in turn; the value is the sequence.
    In batches of `per_batch` (100)."""
    handles = wanted.get("item_handles", [1])
    batch: list[pb.MxEvent] = []
    for sequence in range(wanted["from"], wanted["to"] + 1):
        event = pb.MxEvent(
            family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
            server_handle=1,
            item_handle=handles[sequence % len(handles)],
            value=pb.MxValue(data_type=pb.MX_DATA_TYPE_INTEGER, variant_type="VT_I4", int32_value=sequence % 2**31),
            quality=192,
            worker_sequence=sequence,
            on_data_change=pb.OnDataChangeEvent(),
        )
        event.source_timestamp.FromNanoseconds(1_700_000_000_000_000_000 + sequence)
        if not batched:
            yield event
            continue
        batch.append(event)
        if len(batch) >= wanted.get("per_batch", 100):
            yield pb.MxEventBatch(events=batch)
            batch = []
    if batch:
        yield pb.MxEventBatch(events=batch)


async def end(status: dict[str, Any], context: Any) -> None:
    """Ends the call: code, message, and as google.rpc details reason, retry_after and metadata; or details_base64."""
    code = grpc.StatusCode[status["code"]]
    if code is grpc.StatusCode.OK:
        return
    trailers = list(status.get("trailers", {}).items())
    details = status_details(status)
    if details is not None:
        trailers.append(("grpc-status-details-bin", details))
    await context.abort(code, status.get("message", ""), tuple(trailers))


def status_details(status: dict[str, Any]) -> bytes | None:
    """The google.rpc.Status that a status of a case asks for; None for none."""
    if "details_base64" in status:
        return base64.b64decode(status["details_base64"])
    if not {"reason", "retry_after"} & set(status):
        return None
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.rpc import status_pb2  # type: ignore[import-untyped]
    from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo  # type: ignore[import-untyped]

    rich = status_pb2.Status(code=grpc.StatusCode[status["code"]].value[0], message=status.get("message", ""))
    parts = []
    if "reason" in status:
        parts.append(ErrorInfo(reason=status["reason"], domain="mxaccess-gateway", metadata=status.get("metadata", {})))
    if "retry_after" in status:
        retry = RetryInfo()
        retry.retry_delay.FromNanoseconds(round(status["retry_after"] * 1e9))
        parts.append(retry)
    for part in parts:
        packed = AnyMessage()
        packed.Pack(part)
        rich.details.append(packed)
    serialized: bytes = rich.SerializeToString()
    return serialized
