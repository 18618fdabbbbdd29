"""Recordings as files: CSV, or Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mxgateway_contract.recordings import Moment, moment_of

_REQUIRED = ("tag", "time", "value")
# A recorded array or text may be longer than what csv takes for a mistake.
_LONGEST_CELL = 2**31 - 1
_REMEDY = "mend the line, or leave it out"


class RecordingError(ValueError):
    """A recording that cannot be read; the text names file, line and remedy."""


def moments(path: Path) -> Iterator[tuple[str, Moment]]:
    """The recorded values in the order of the file, each with its tag.

    Raises:
        RecordingError: the file is missing, of another kind, empty, or has a line that makes no sense.
    """
    is_parquet = path.suffix.lower() == ".parquet"
    word, is_empty = "row" if is_parquet else "line", True
    try:
        for number, row in _parquet_rows(path) if is_parquet else _csv_rows(path):
            try:
                tag = row.get("tag")
                if not tag:
                    raise ValueError("there is no tag")
                moment = moment_of(row)
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                raise RecordingError(f"{path}, {word} {number}: {error}; {_REMEDY}") from error
            is_empty = False
            yield str(tag), moment
    except UnicodeDecodeError as error:
        raise RecordingError(
            f"{path} is no UTF-8 text ({error.reason} at byte {error.start}); save it as such"
        ) from error
    except csv.Error as error:
        raise RecordingError(f"{path} is no CSV: {error}") from error
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}") from error
    if is_empty:
        raise RecordingError(f"{path} holds no values")


def check(path: Path) -> int:
    """Reads a recording to its end, for whoever wants to know before it is played; the number of its values.

    Raises:
        RecordingError: as `moments`.
    """
    return sum(1 for _ in moments(path))


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    former = csv.field_size_limit(_LONGEST_CELL)
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
            number = 0
            for batch in file.iter_batches():
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
    missing = [name for name in _REQUIRED if name not in present]
    if missing:
        raise RecordingError(f"{path} has no column {', '.join(missing)}; the first line names tag, time and value")
