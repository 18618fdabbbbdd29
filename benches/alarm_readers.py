"""Many streams of alarms in a process of their own: they count what comes, and look into one message of fifty.

Usage: python -m benches.alarm_readers ADDRESS STREAMS FILTERS, the key in the environment (MXGATEWAY_BENCH_KEY), where
no list of processes shows it; prints a line when all streams stand, and one for each line on its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import grpc

from benches.alarm_server import METHOD
from benches.figures import latency_ms
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

SINGLE_METHOD = METHOD.replace("StreamAlarmBatches", "StreamAlarms")
SINGLE = 0
"""In place of a number of filters: streams that get each message by itself."""
NO_KEY = "-"
"""In place of a key, for the bare server."""
KEY_VARIABLE = "MXGATEWAY_BENCH_KEY"
_LOOK = 49
"""Not 50: of streams of single messages it would always be one at the same place of a step, and never its first, which
has the stamp."""
_FEW = 20
"""Stamps that are too few for a percentile."""


class Reader:
    """One stream. What is looked into has to follow without a hole."""

    def __init__(self) -> None:
        self.messages = self.bytes = self.changes = self.gaps = self.sequence = 0
        self.latencies: list[float] = []
        self.is_synced = asyncio.Event()

    async def run(self, call: Any, *, is_single: bool = False) -> None:
        looked = 0
        async for data in call:
            self.messages += 1
            self.bytes += len(data)
            looked += 1
            if self.is_synced.is_set() and looked < _LOOK:
                continue
            looked = 0
            if is_single:
                self._look(pb.AlarmFeedBatch(messages=[pb.AlarmFeedMessage.FromString(data)]))
            else:
                self._look(pb.AlarmFeedBatch.FromString(data))

    def _look(self, batch: pb.AlarmFeedBatch) -> None:
        now = time.time_ns()
        expected = 0
        for message in batch.messages:
            arm = message.WhichOneof("payload")
            if arm == "transition":
                event = message.transition
                self.changes += 1
                stamp = event.transition_timestamp.ToNanoseconds()
                if 0 < now - stamp < 60_000_000_000:
                    self.latencies.append((now - stamp) / 1e9)
                if expected and event.sequence and event.sequence != expected:
                    self.gaps += 1
                expected = event.sequence + 1
            elif arm == "gap":
                self.gaps += 1
            elif arm in ("snapshot_complete", "position", "provider_status"):
                self.is_synced.set()
        if batch.HasField("at"):
            self.sequence = batch.at.sequence


def _latencies(readers: list[Reader]) -> dict[str, float] | None:
    """None where too few were seen."""
    found = [value for each in readers for value in each.latencies]
    return latency_ms(found) if len(found) >= _FEW else None


async def main(address: str, key: str, streams: int, filters: int) -> None:
    """Reads until the end of the standard input."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        method = channel.unary_stream(
            METHOD if filters != SINGLE else METHOD.replace("StreamAlarmBatches", "StreamAlarms")
        )
        readers = [Reader() for _ in range(streams)]
        async with asyncio.TaskGroup() as group:
            tasks = []
            for number, reader in enumerate(readers):
                if key == NO_KEY:
                    # The bare server has no list that comes first.
                    reader.is_synced.set()
                request = pb.StreamAlarmsRequest(client_correlation_id=f"{number:032x}", include_extended=True)
                if filters > 1:
                    # Every stream gets everything; what each asks for is another filter all the same.
                    request.filter.references.extend(("*", f"Other_{number % filters}.*"))
                call = method(request.SerializeToString(), metadata=(("authorization", f"Bearer {key}"),))
                tasks.append(group.create_task(reader.run(call, is_single=filters == SINGLE)))
                await call.initial_metadata()
            print(json.dumps({"streams": streams}), flush=True)
            lines = asyncio.StreamReader()
            loop = asyncio.get_running_loop()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
            while await lines.readline():
                found = {
                    "messages": sum(each.messages for each in readers),
                    "bytes": sum(each.bytes for each in readers),
                    "lookedInto": sum(each.changes for each in readers),
                    "gaps": sum(each.gaps for each in readers),
                    "sequences": [each.sequence for each in readers],
                    "latencyMs": _latencies(readers),
                }
                print(json.dumps(found), flush=True)
                for each in readers:
                    each.latencies.clear()
            for task in tasks:
                task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], os.environ[KEY_VARIABLE], int(sys.argv[2]), int(sys.argv[3])))
