"""Recorded changes as CSV or Parquet: tag, time, value, quality, type."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

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


def row(tag: str, event: pb.MxEvent) -> tuple[str, str, str, int, str]:
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
    return tag, event.source_timestamp.ToJsonString(), text, event.quality, event.value.variant_type


class _CsvRecording:
    def __init__(self, writer: Any) -> None:
        self._writer = writer
        writer.writerow(COLUMNS)

    def add(self, tag: str, event: pb.MxEvent) -> None:
        self._writer.writerow(row(tag, event))


class _ParquetRecording:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[tuple[Any, ...]] = []

    def add(self, tag: str, event: pb.MxEvent) -> None:
        _, _, text, quality, kind = row(tag, event)
        self._rows.append((tag, event.source_timestamp.ToNanoseconds(), text, quality, kind))

    def write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        types = (pa.string(), pa.timestamp("ns", tz="UTC"), pa.string(), pa.int32(), pa.string())
        arrays = [pa.array([each[i] for each in self._rows], type=kind) for i, kind in enumerate(types)]
        pq.write_table(pa.table(dict(zip(COLUMNS, arrays, strict=True))), self._path)
