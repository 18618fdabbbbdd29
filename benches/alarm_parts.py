"""Single parts of the alarms, without a process around them: a poll of the alarm manager, and the log in memory."""

from __future__ import annotations

import gc
import time
import tracemalloc
from datetime import datetime
from typing import Any
from xml.parsers import expat

from benches.alarm_server import transition
from mxgateway_protocol.alarms.reader import RecordReader
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.times import RecordClock
from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.decoding import AlarmDecoder
from mxgateway_server.alarms.encoding import transition_bytes
from mxgateway_server.alarms.log import ChangeLog, LogLimits
from mxgateway_simulator.alarm_xml import HEAD, TAIL, record_xml
from mxgateway_worker.alarms.differ import AlarmDiffer

CHANGED = 50
"""Of a poll's records, those that are other than in the poll before."""
_T0 = 1_750_000_000_000_000_000
_RING_BYTES = 8 * 1024 * 1024
_RING_ALARMS = 2000


def _offset(_moment: datetime, _fold: int) -> int:
    return 0


def _record(number: int, *, is_acknowledged: bool = False) -> AlarmRecord:
    return AlarmRecord(
        *("Galaxy", f"Area_{number % 10}", f"Machine_{number:05}.Pressure.Hi"),
        "ACK_ALM" if is_acknowledged else "UNACK_ALM",
        guid=f"{number:08x}-0000-0000-0000-000000000000",
        raised_ns=_T0,
        changed_ns=_T0 + (10**9 if is_acknowledged else 0),
        description="the pressure of the machine is above its high limit",
        value="17.5",
        limit="16.0",
    )


def _list(count: int, acknowledged: int = 0) -> str:
    every = count // acknowledged if acknowledged else count + 1
    records = [_record(number, is_acknowledged=number % every == every - 1) for number in range(count)]
    return HEAD.format(count=count) + "".join(record_xml(each, _offset, "ymd") for each in records) + TAIL


def measure_poll(alarms: int) -> dict[str, Any]:
    """The first answer of an alarm manager, and one that differs in a few records; CPU of the worker's thread."""
    first, second = _list(alarms), _list(alarms, CHANGED)
    reader, differ = RecordReader(RecordClock(_offset, "ymd")), AlarmDiffer()
    samples, changes = [], 0
    for text in (first, second):
        begin = time.thread_time()
        found = differ.take(reader.read(text, _T0 + 2 * 10**9), _T0 + 2 * 10**9)
        samples.append(time.thread_time() - begin)
        changes = len(found)
    begin = time.thread_time()
    expat.ParserCreate().Parse(first, True)
    whole = time.thread_time() - begin
    begin = time.thread_time()
    set(second.split("</ALARM>")).difference(first.split("</ALARM>"))
    cut = time.thread_time() - begin
    return {
        "mib": round(len(first) / 2**20, 1),
        "firstSeconds": round(samples[0], 3),
        "firstFloorSeconds": round(whole, 3),
        "changedMs": round(1000 * samples[1], 1),
        "changedFloorMs": round(1000 * cut, 1),
        "changes": changes,
    }


def measure_ring() -> dict[str, Any]:
    """What the log takes in memory when it is full, beside its bound."""
    decoder = AlarmDecoder(lambda area: (area,))
    book = AlarmBook(ChangeLog(LogLimits(max_bytes=_RING_BYTES), "e" * 32))
    turn = 2

    def next_turn() -> None:
        nonlocal turn
        turn += 1
        for number in range(_RING_ALARMS):
            for change in book.report(decoder.report(transition(number, turn, _T0 + turn).on_alarm_transition), 0):
                transition_bytes(change)

    next_turn()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    # Until what was there before is gone from it.
    while book.log.oldest <= _RING_ALARMS:
        next_turn()
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return {
        "changes": len(book.log),
        "bytesPerChange": round(taken / len(book.log)),
        "overBound": round(taken / _RING_BYTES, 2),
    }
