"""Recordings of the alarm consumer, of our own making: what was called, and what it answered, a call a line.

`python -m tests.support.consumer_recordings` writes the files; a test checks that they are what this gives. Those of a
plant can be put beside them as they are, once somebody has some.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from mxgateway_contract import hresults
from mxgateway_protocol.alarms.records import ACK_ALM, UNACK_ALM, UNACK_RTN, AlarmRecord
from mxgateway_protocol.errors import MxComError
from mxgateway_simulator.alarm_xml import HEAD, TAIL, record_xml

FOLDER = Path(__file__).resolve().parents[1] / "recordings" / "alarm_consumer"
SECOND = 10**9
NOON = 1_750_420_800 * SECOND
"""2025-06-20 12:00 UTC: a day that no month can be taken for."""
GUID = "{number:08X}-1234-5678-9ABC-DEF012345678"
Call = dict[str, object]


def alarm(number: int, state: str, changed: int, **fields: object) -> AlarmRecord:
    facts: dict[str, object] = {
        "raised_ns": NOON + number * SECOND,
        "priority": 100 + number,
        "node": "NODE1",
        **fields,
    }
    guid = str(facts.pop("guid", "{" + GUID.format(number=number) + "}"))
    return AlarmRecord(
        "Galaxy", "Hall", f"Pump_{number:03}.Trip", state, guid, changed_ns=NOON + changed * SECOND, **facts  # type: ignore[arg-type]
    )  # fmt: skip


def xml(*records: AlarmRecord, order: str = "mdy", **renamed: str) -> str:
    text = "".join(record_xml(record, lambda local, fold: 0, order) for record in records)
    for old, new in renamed.items():
        text = text.replace(f"<{old}>", f"<{new}>").replace(f"</{old}>", f"</{new}>")
    return HEAD.format(count=len(records)) + text + TAIL


def opening(*, has_query: bool) -> Iterator[Call]:
    yield {"method": "InitializeConsumer", "arguments": ["mxgateway"], "status": 0}
    yield {"method": "RegisterConsumer", "arguments": [0, "mxgateway", "mxgateway", "1.0"], "status": 0}
    yield {"method": "Subscribe", "arguments": ["\\\\NODE1\\Galaxy!Hall"], "status": 0}
    if has_query:
        yield {"method": "SetXmlAlarmQuery", "status": 0}


def poll(text: str, most: int = 1000) -> Call:
    return {"method": "GetXmlCurrentAlarms2", "arguments": [most], "status": 0, "text": text}


def failed_poll(hresult: int) -> Call:
    return {"method": "GetXmlCurrentAlarms2", "arguments": [1000], "hresult": hresult}


def closing() -> Iterator[Call]:
    yield {"method": "DeregisterConsumer", "arguments": [], "status": 0}
    yield {"method": "UninitializeConsumer", "arguments": [], "status": 0}


ONE, TWO = alarm(1, UNACK_ALM, 1), alarm(2, UNACK_ALM, 2)
POLLS: dict[str, Sequence[Call]] = {
    "shift": [
        poll(xml()),
        poll(xml(ONE)),
        poll(xml(ONE, TWO)),
        poll(xml(ONE, TWO)),
        poll(xml(alarm(1, ACK_ALM, 60, user="anna", user_node="PC1", comment='seen "it" & <noted>'), TWO)),
        failed_poll(hresults.E_FAIL),
        poll(xml(alarm(2, UNACK_RTN, 90))),
        poll(xml()),
    ],
    "dates_of_days": [poll(xml(ONE, TWO, order="dmy")), poll(xml(alarm(1, ACK_ALM, 60), TWO, order="dmy"))],
    "other_names": [
        poll(
            xml(
                ONE,
                TWO,
                TAGNAME="ALARM_NAME",
                STATE="ALARM_STATE",
                GROUP="AREA",
                VALUE="SOMETHING_NEW",
                GUID="ALARM_ID",
            )
        ),
    ],
    "two_nodes": [
        poll(xml(ONE, alarm(1, UNACK_ALM, 1, node="NODE2"))),
        poll(xml(ONE, alarm(1, ACK_ALM, 30, node="NODE2"))),
        poll(xml(alarm(1, ACK_ALM, 30, node="NODE2"))),
    ],
    "equal_times": [poll(xml(*(alarm(number, UNACK_ALM, 5, raised_ns=NOON) for number in range(1, 6))))],
    "no_guids": [
        poll(xml(alarm(1, UNACK_ALM, 1, guid=""))),
        poll(xml(alarm(1, UNACK_ALM, 400, guid="", raised_ns=NOON + 400 * SECOND))),
    ],
    "cut": [poll(xml(ONE, TWO), most=2), poll(xml(ONE, TWO, alarm(3, UNACK_ALM, 3)), most=4)],
    "broken": [poll(xml(ONE)), poll(xml(ONE, TWO)[:-20]), poll(xml(ONE, TWO))],
}
"""By name, the polls of one subscription."""


def recording(name: str) -> str:
    """A recording as text: of the reading consumer, and after an empty line of the acknowledging one."""
    reading = [*opening(has_query=True), *POLLS[name], *closing()]
    acknowledging = [*opening(has_query=False), *closing()]
    return "\n\n".join("\n".join(json.dumps(call) for call in calls) for calls in (reading, acknowledging)) + "\n"


class ReplayedConsumer:
    """Answers as it was recorded, and nothing else; implements `ports.LateBound`."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.left = [json.loads(line) for line in lines]
        self.is_released = False

    def call(self, method: str, *arguments: int | str, wants_text: bool = False) -> tuple[int, str | None]:
        call = self.left.pop(0)
        assert call["method"] == method, f"{call['method']} was recorded here, not {method}"
        assert call.get("arguments", list(arguments)) == list(arguments), (method, arguments)
        if "hresult" in call:
            raise MxComError(call["hresult"], "as it was recorded")
        return call["status"], call.get("text")

    def release(self) -> None:
        self.is_released = True


def replayed(path: Path) -> list[ReplayedConsumer]:
    """The consumers of a recording, in the order in which they were made."""
    parts = path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    return [ReplayedConsumer(part.split("\n")) for part in parts]


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in POLLS:
        (FOLDER / f"{name}.jsonl").write_text(recording(name), encoding="utf-8")


if __name__ == "__main__":
    main()
