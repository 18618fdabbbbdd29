"""The flood of long writes, each of them allowed."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator

import grpc.aio

from attack.callers import session_of
from attack.target import LIMITED, Target
from attack.wire import INVOKE, INVOKE_STREAM, attempt, bearer, channel, deadline, raw_unary
from mxgateway.generated import mxaccess_gateway_pb2 as pb

_MIB = 2**20
_TAG = "TestChildObject.TestInt"
_DENIED = 999_999
"""An item handle that the session has not made: an entry with it is refused alone, and the others are sent."""


def commands(server: int, item: int) -> Iterator[pb.MxCommand]:
    """One write in each shape that makes another step long: copying, counting, checking, expanding, cutting."""

    def write(value: pb.MxValue) -> pb.MxCommand:
        payload = pb.WriteCommand(server_handle=server, item_handle=item, value=value)
        return pb.MxCommand(kind=pb.MX_COMMAND_KIND_WRITE, write=payload)

    def bulk(value: pb.MxValue, items: list[int]) -> pb.MxCommand:
        entries = [pb.WriteBulkEntry(item_handle=each, value=value) for each in items]
        payload = pb.WriteBulkCommand(server_handle=server, entries=entries)
        return pb.MxCommand(kind=pb.MX_COMMAND_KIND_WRITE_BULK, write_bulk=payload)

    def array(**values: object) -> pb.MxValue:
        return pb.MxValue(array_value=pb.MxArray(**values))  # type: ignore[arg-type]

    def sparse(element: pb.MxValue, kind: pb.MxDataType.ValueType, given: int, length: int) -> pb.MxValue:
        elements = [pb.MxSparseElement(index=index, value=element) for index in range(given)]
        whole = pb.MxSparseArray(element_data_type=kind, total_length=length, elements=elements)
        return pb.MxValue(sparse_array_value=whole)

    number, stamp = pb.MxValue(double_value=1.5), pb.MxValue()
    stamp.timestamp_value.FromSeconds(1_700_000_000)
    text = pb.MxValue(string_value="x" * 15_000)
    yield write(pb.MxValue(string_value="x" * (15 * _MIB)))
    yield write(array(double_values=pb.DoubleArray(values=[1.5] * 249_000)))
    yield write(array(int32_values=pb.Int32Array(values=[100_000] * 249_000)))
    yield write(array(string_values=pb.StringArray(values=["x" * 55] * 249_000)))
    yield write(array(timestamp_values=pb.TimestampArray(values=[stamp.timestamp_value] * 80_000)))
    yield write(sparse(number, pb.MX_DATA_TYPE_DOUBLE, 10_000, 100_000))
    yield write(sparse(stamp, pb.MX_DATA_TYPE_TIME, 10_000, 100_000))
    yield bulk(text, [item] * 1000)
    yield bulk(text, [item, _DENIED] * 500)
    yield bulk(array(double_values=pb.DoubleArray(values=[1.5] * 240)), [item] * 1000)


async def large_writes(target: Target, seconds: float) -> Counter[str]:
    """Writes of up to 15 MiB that are allowed, alone and on a command stream, by a key that is limited (H2)."""
    outcome: Counter[str] = Counter()
    header = bearer(target, LIMITED)
    async with session_of(target, LIMITED) as session, channel(target) as opened:
        server = await session.register("large")
        item = await session.add_item(server, _TAG)
        alone, streamed = [], []
        for made in commands(server, item):
            request = pb.MxCommandRequest(session_id=session.session_id, command=made)
            alone.append(request.SerializeToString())
            one = pb.MxStreamCommand(correlation_id="large", command=made)
            streamed.append(pb.MxCommandBatch(session_id=session.session_id, commands=[one]).SerializeToString())
        invoke = raw_unary(opened, INVOKE)
        async with deadline(seconds):
            for request_bytes, batch in itertools.cycle(zip(alone, streamed, strict=True)):
                await attempt(outcome, invoke(request_bytes, timeout=20, metadata=header))
                stream = opened.stream_stream(INVOKE_STREAM)(metadata=header)
                try:
                    await stream.write(batch)
                    await stream.done_writing()
                    data = await stream.read()
                    if data is not grpc.aio.EOF:
                        (reply,) = pb.MxCommandReplyBatch.FromString(data).replies
                        outcome[f"streamed {pb.ProtocolStatusCode.Name(reply.protocol_status.code)}"] += 1
                except grpc.aio.AioRpcError as error:
                    outcome[error.code().name] += 1
                finally:
                    stream.cancel()
                await asyncio.sleep(0)
    return outcome
