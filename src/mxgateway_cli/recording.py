"""Recorded changes as CSV or Parquet: tag, time, value, quality, type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeAlias

import click

from mxgateway_cli.moments import nanoseconds
from mxgateway_contract import recordings
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.installing import install_command

if TYPE_CHECKING:
    from mxgateway import DataChange

Reading: TypeAlias = pb.MxEvent | pb.BulkReadResult

# What a Parquet time in nanoseconds can hold: the years 1677 to 2262.
_FIRST_TIME, _LAST_TIME = -(2**63) + 1, 2**63 - 1


class Recording(Protocol):
    """Takes data changes."""

    def add(self, tag: str, event: Reading) -> None: ...

    def flush(self) -> None:
        """Brings what was added into the file, as far as its kind allows."""


@contextmanager
def open_recording(path: Path) -> Iterator[Recording]:
    """A recording into a file of the kind that its name ends with.

    Raises:
        click.UsageError: another ending, or Parquet without pyarrow.
    """
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            yield _CsvRecording(file)
    elif path.suffix == ".parquet":
        try:
            import pyarrow  # type: ignore[import-untyped]  # noqa: F401
        except ImportError as error:
            raise click.UsageError(f"Parquet needs pyarrow: {install_command('pandas')}") from error
        recording = _ParquetRecording(path)
        try:
            yield recording
        finally:
            recording.write()
    else:
        raise click.UsageError(f"--output {path} has to end in .csv or .parquet")


class RecordedChanges:
    """The changes of a subscription on their way into a recording: each once, in the order in which they happened."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._held: dict[str, DataChange] = {}
        self._last: dict[str, Reading] = {}
        self.recorded = 0

    def add(self, change: DataChange) -> None:
        """Takes a change.

        What was read again after a gap is newer than what the stream still brings: it waits for the end, and goes
        when the stream brings anything of its tag, since from the gap on it has every event up to the present.
        """
        if not change.worker_sequence:
            self._held[change.tag] = change
            return
        self._held.pop(change.tag, None)
        self._let_in(change)

    def finish(self) -> None:
        """Lets in what was read of tags that have not changed since."""
        held, self._held = self._held, {}
        for change in held.values():
            self._let_in(change)

    def _let_in(self, change: DataChange) -> None:
        last = self._last.get(change.tag)
        # A new session tells every value, also those that stand in the recording.
        if change.recovered and last is not None and _is_same(last, change.raw):
            return
        self._last[change.tag] = change.raw
        self._recording.add(change.tag, change.raw)
        self.recorded += 1


def _is_same(one: Reading, other: Reading) -> bool:
    return (one.value, one.quality, one.source_timestamp) == (other.value, other.quality, other.source_timestamp)


class PlayTimes:
    """When a recording plays what it holds: at its source time, but a tag never goes back in time, and a value that is
    older than the recording is there from its beginning. Else one constant that is a year old would make the recording
    a year long."""

    def __init__(self) -> None:
        self._begin = 0
        self._last: dict[str, int] = {}

    def of(self, tag: str, event: Reading) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        if not self._last:
            # What was read has no worker's time, and is as good a beginning.
            begin = event.source_timestamp if isinstance(event, pb.BulkReadResult) else event.worker_timestamp
            self._begin = nanoseconds(begin)
        at = max(nanoseconds(event.source_timestamp), self._last.get(tag, self._begin))
        self._last[tag] = at
        return at


class _CsvRecording:
    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._times = PlayTimes()
        self._file.write(recordings.line(recordings.COLUMNS))

    def add(self, tag: str, event: Reading) -> None:
        at = recordings.time_cell(self._times.of(tag, event))
        value, kind = recordings.value_cells(event.value)
        self._file.write(recordings.line((tag, at, value, event.quality, kind)))

    def flush(self) -> None:
        self._file.flush()


class _ParquetRecording:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._times = PlayTimes()
        self._rows: list[tuple[Any, ...]] = []

    def add(self, tag: str, event: Reading) -> None:
        at = min(max(self._times.of(tag, event), _FIRST_TIME), _LAST_TIME)
        value, kind = recordings.value_cells(event.value)
        self._rows.append((tag, at, value, event.quality, kind))

    def flush(self) -> None:
        """A Parquet file is written as a whole."""

    def write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        types = (pa.string(), pa.timestamp("ns", tz="UTC"), pa.string(), pa.int32(), pa.string())
        arrays = [pa.array([each[i] for each in self._rows], type=kind) for i, kind in enumerate(types)]
        pq.write_table(pa.table(dict(zip(recordings.COLUMNS, arrays, strict=True))), self._path)
