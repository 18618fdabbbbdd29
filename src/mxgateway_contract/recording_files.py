"""Recordings as files: CSV, or Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mxgateway_contract.recordings import COLUMNS, Moment, moment_of

_REQUIRED = ("tag", "time", "value")
LONGEST_CELL = 16 * 1024 * 1024
"""Characters of one cell: a longer value fits into no message."""
MAX_VALUES = 5_000_000
"""Values of a recording, which is played from memory: about a gigabyte."""
MAX_TEXT = 512 * 1024 * 1024
"""Characters of all its cells together."""
_MAX_COLUMNS = 1000
_ROWS_TOGETHER = 4096
_REMEDY = "mend the line, or leave it out"


class RecordingError(ValueError):
    """A recording that cannot be read; the text names file, line and remedy."""


def moments(path: Path) -> Iterator[tuple[str, Moment]]:
    """The recorded values in the order of the file, each with its tag.

    Raises:
        RecordingError: the file is missing, of another kind, empty, or has a line that makes no sense.
    """
    is_parquet = path.suffix.lower() == ".parquet"
    word, count, text = "row" if is_parquet else "line", 0, 0
    try:
        for number, row in _parquet_rows(path) if is_parquet else _csv_rows(path):
            count += 1
            text += _check_cells(row, f"{path}, {word} {number}")
            if count > MAX_VALUES or text > MAX_TEXT:
                raise RecordingError(
                    f"{path} is too large to be played: more than {MAX_VALUES} values or {MAX_TEXT >> 20} MiB of text; "
                    "split it, or leave out tags"
                )
            try:
                tag = row.get("tag")
                if not tag:
                    raise ValueError("there is no tag")
                moment = moment_of(row)
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                raise RecordingError(f"{path}, {word} {number}: {error}; {_REMEDY}") from error
            yield str(tag), moment
    except UnicodeDecodeError as error:
        raise RecordingError(
            f"{path} is no UTF-8 text ({error.reason} at byte {error.start}); save it as such"
        ) from error
    except csv.Error as error:
        raise RecordingError(f"{path} is no CSV: {error}") from error
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}") from error
    if not count:
        raise RecordingError(f"{path} holds no values")


def check(path: Path) -> int:
    """Reads a recording to its end, for whoever wants to know before it is played; the number of its values.

    Raises:
        RecordingError: as `moments`.
    """
    return sum(1 for _ in moments(path))


def _check_cells(row: Mapping[str, Any], place: str) -> int:
    """The characters of a row's cells.

    Raises:
        RecordingError: one is longer than any value may be.
    """
    found = 0
    for name in COLUMNS:
        cell = row.get(name)
        if isinstance(cell, (str, bytes, list)):
            if len(cell) > LONGEST_CELL:
                raise RecordingError(f"{place}: {name} has {len(cell)} characters; at most {LONGEST_CELL} are played")
            found += len(cell)
    return found


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    former = csv.field_size_limit(LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check_columns(path, reader.fieldnames or ())
            for row in reader:
                if None in row:
                    raise RecordingError(
                        f"{path}, line {reader.line_num}: more cells than columns; a value with commas stands in quotes"
                    )
                # A value with line breaks makes several lines of one; the last is where the reader stands.
                yield reader.line_num, row
    finally:
        csv.field_size_limit(former)


def _parquet_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        from pyarrow import ArrowException, parquet, timestamp  # type: ignore[import-untyped]
    except ImportError as error:
        raise RecordingError(f"{path}: Parquet needs pyarrow; convert the file to CSV or install pyarrow") from error
    try:
        with parquet.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names)
            if file.metadata.num_rows > MAX_VALUES:
                raise RecordingError(
                    f"{path} has {file.metadata.num_rows} rows and at most {MAX_VALUES} are played; split it, or leave "
                    "out tags"
                )
            number = 0
            # Few at a time, and only what is played: a small file may unfold to gigabytes.
            wanted = [name for name in COLUMNS if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=_ROWS_TOGETHER, columns=wanted):
                columns: dict[str, list[Any]] = {}
                for name in batch.schema.names:
                    column = batch.column(name)
                    if str(column.type).startswith("timestamp"):
                        # As numbers: Python's own times end at microseconds.
                        column = column.cast(timestamp("ns", tz=column.type.tz)).cast("int64")
                    columns[name] = column.to_pylist()
                for cells in zip(*columns.values(), strict=True):
                    number += 1
                    yield number, dict(zip(columns, cells, strict=True))
    except ArrowException as error:
        raise RecordingError(f"{path} is no Parquet file that can be read: {error}") from error


def _check_columns(path: Path, names: object) -> None:
    present = {str(name) for name in names}  # type: ignore[attr-defined]
    if len(present) > _MAX_COLUMNS:
        raise RecordingError(f"{path} has {len(present)} columns; tag, time, value, quality and type are played")
    missing = [name for name in _REQUIRED if name not in present]
    if missing:
        raise RecordingError(f"{path} has no column {', '.join(missing)}; the first line names tag, time and value")
