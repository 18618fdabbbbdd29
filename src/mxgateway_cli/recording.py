"""Recorded changes as CSV or Parquet: tag, time, value, quality, type."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway.values import from_mx_value

if TYPE_CHECKING:
    from mxgateway.generated import mxaccess_gateway_pb2 as pb

COLUMNS = ("tag", "time", "value", "quality", "type")


class Recording(Protocol):
    """Takes data changes."""

    def add(self, tag: str, event: pb.MxEvent) -> None: ...


@contextmanager
def open_recording(path: Path) -> Iterator[Recording]:
    """A recording into a file of the kind that its name ends with.

    Raises:
        click.UsageError: another ending, or Parquet without pyarrow.
    """
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            yield _CsvRecording(csv.writer(file, lineterminator="\n"))
    elif path.suffix == ".parquet":
        try:
            import pyarrow  # type: ignore[import-untyped]  # noqa: F401
        except ImportError as error:
            raise click.UsageError("Parquet needs pyarrow: pip install 'mxaccess-gateway[pandas]'") from error
        recording = _ParquetRecording(path)
        try:
            yield recording
        finally:
            recording.write()
    else:
        raise click.UsageError(f"--output {path} has to end in .csv or .parquet")


class PlayTimes:
    """When a recording plays what it holds: at its source time, but a tag never goes back in time, and a value that is
    older than the recording is there from its beginning. Else one constant that is a year old would make the recording
    a year long."""

    def __init__(self) -> None:
        self._begin = 0
        self._last: dict[str, int] = {}

    def of(self, tag: str, event: pb.MxEvent) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        if not self._last:
            self._begin = event.worker_timestamp.ToNanoseconds()
        at = max(event.source_timestamp.ToNanoseconds(), self._last.get(tag, self._begin))
        self._last[tag] = at
        return at


def row(tag: str, time_ns: int, event: pb.MxEvent) -> tuple[str, str, str, int, str]:
    """The cells of COLUMNS; an array's value is JSON, a null one is empty."""
    value: Any = from_mx_value(event.value)
    if value is None:
        text = ""
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, list):
        text = json.dumps(value, default=str)
    elif event.value.WhichOneof("kind") == "timestamp_value":
        text = event.value.timestamp_value.ToJsonString()
    else:
        text = repr(value) if isinstance(value, float) else str(value)
    time = Timestamp()
    time.FromNanoseconds(time_ns)
    return tag, time.ToJsonString(), text, event.quality, event.value.variant_type


class _CsvRecording:
    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._times = PlayTimes()
        writer.writerow(COLUMNS)

    def add(self, tag: str, event: pb.MxEvent) -> None:
        self._writer.writerow(row(tag, self._times.of(tag, event), event))


class _ParquetRecording:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._times = PlayTimes()
        self._rows: list[tuple[Any, ...]] = []

    def add(self, tag: str, event: pb.MxEvent) -> None:
        at = self._times.of(tag, event)
        _, _, text, quality, kind = row(tag, at, event)
        self._rows.append((tag, at, text, quality, kind))

    def write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        types = (pa.string(), pa.timestamp("ns", tz="UTC"), pa.string(), pa.int32(), pa.string())
        arrays = [pa.array([each[i] for each in self._rows], type=kind) for i, kind in enumerate(types)]
        pq.write_table(pa.table(dict(zip(COLUMNS, arrays, strict=True))), self._path)
