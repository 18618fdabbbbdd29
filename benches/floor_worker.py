"""The bare worker of the forwarding chain: builds events and echoes commands, with nothing of the product around it."""

from __future__ import annotations

import os
import struct
import sys
import threading
import time

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import join_events


def build_event(sequence: int) -> bytes:
    """One event of about 65 bytes, every field set anew, as a plain implementation would."""
    now = time.time_ns()
    event = pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
        server_handle=1,
        item_handle=sequence % 1000 + 1,
        value=pb.MxValue(data_type=pb.MX_DATA_TYPE_DOUBLE, double_value=float(sequence)),
        quality=192,
        worker_sequence=sequence,
    )
    event.source_timestamp.seconds, event.source_timestamp.nanos = divmod(now, 1_000_000_000)
    event.worker_timestamp.CopyFrom(event.source_timestamp)
    return event.SerializeToString()


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def flood(fd: int, batch_size: int) -> None:
    """Frames of event batches as fast as the reader takes them."""
    sequence = 0
    while True:
        events = []
        for _ in range(batch_size):
            sequence += 1
            events.append(build_event(sequence))
        batch = join_events(events)
        _write(fd, struct.pack("<I", len(batch)) + batch)


def main() -> None:
    out = os.dup(1)
    os.dup2(2, 1)
    stdin = sys.stdin.buffer
    while header := stdin.read(4):
        payload = stdin.read(struct.unpack("<I", header)[0])
        if payload.startswith(b"flood"):
            threading.Thread(target=flood, args=(out, int(payload[5:])), daemon=True).start()
        else:
            _write(out, header + payload)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(0)
