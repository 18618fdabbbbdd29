"""The stand-in's plant out of a simulated Galaxy, so that the same references mean the same tags on both sides.

The simulator's backend is asked what each reference is: VARTYPE, data type and value by its first OnDataChange, rights
and class by the completion of a write of that same value. So the table holds what the plant is and nothing of how
LMXProxy behaves: the rules stand written twice, in the simulator and in the stand-in, and can disagree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Sample
from mxgateway_protocol.variants import VT_ARRAY, Scalar, Variant
from mxgateway_simulator.backend import create_backend
from mxgateway_simulator.plant.galaxy_file import GalaxyFile

NAMES = {11: "BOOL", 3: "I4", 20: "I8", 4: "R4", 5: "R8", 8: "BSTR", 7: "DATE", 1: "NULL", 10: "ERROR"}
CLASS_OF_DETAIL = {1012: 2, 1013: 3}
NOT_WRITEABLE = 1007
DAY_NS, EPOCH_DAYS = 86_400_000_000_000, 25_569


class FirstAnswers:
    """An event sink that keeps the first change of each item and the last completion."""

    def __init__(self) -> None:
        self.changes: dict[int, tuple[Variant, MxStatus]] = {}
        self.done: MxStatus | None = None

    def on_data_change(
        self, server: int, item: int, value: Variant, quality: int, ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        self.changes.setdefault(item, (value, statuses[0]))

    def on_write_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        self.done = statuses[0]

    def operation_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        pass

    def on_buffered_data_change(
        self, server: int, item: int, data_type: int, samples: Sequence[Sample], statuses: Sequence[MxStatus]
    ) -> None:
        pass


def as_text(base: int, value: Scalar) -> str:
    if value is None:
        return ""
    if base == 11:
        return "1" if value else "0"
    if base == 7 and isinstance(value, int):
        return repr(value / DAY_NS + EPOCH_DAYS)
    if base == 8:
        return str(value).replace("\t", " ").replace("\n", " ").replace("|", "/")
    return repr(value)


def export(galaxy: Path, board: Path, references: Iterable[str], table: Path) -> int:
    """Writes the table; returns how many references it has."""
    sink = FirstAnswers()
    backend = create_backend({"galaxy": str(galaxy), "board": str(board)})
    backend.open(sink)
    server = backend.register("export")
    items = {backend.add_item(server, reference): reference for reference in dict.fromkeys(references)}
    for item in items:
        backend.advise(server, item)
    for _ in range(20):
        backend.pump()
    rows = []
    for item, reference in items.items():
        value, status = sink.changes.get(item, (None, None))
        if value is None or status is None or not status.is_success or value.dimensions:
            continue
        base = value.vartype & ~VT_ARRAY
        if base not in NAMES or (value.is_array and not reference.endswith("[]")):
            continue
        sink.done = None
        backend.write(server, item, value, 0)
        for _ in range(3):
            backend.pump()
        detail = sink.done.detail if sink.done else 0
        texts = [as_text(base, one) for one in (value.value if isinstance(value.value, tuple) else (value.value,))]
        motion = "count/100" if reference.endswith("TestChangingInt") else "-"
        rights = "ro" if detail == NOT_WRITEABLE else "rw"
        columns = (reference, NAMES[base], str(int(value.data_type)), rights, str(CLASS_OF_DETAIL.get(detail, 0)))
        rows.append("\t".join((*columns, "buffer", motion, "|".join(texts))) + "\n")
    backend.close()
    # What the description sets for the simulator it sets for the stand-in, by the same names.
    with contextlib.closing(GalaxyFile(galaxy)) as file:
        switches = [(name[7:], value) for name, value in file.settings.items() if name.startswith("switch.")]
    rows[:0] = [f"@switch\t{name}\t{value}\n" for name, value in switches]
    table.write_text("".join(rows), encoding="utf-8", newline="\n")
    return len(rows) - len(switches)
