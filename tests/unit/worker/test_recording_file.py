"""Recordings as files: cells, times, and what is wrong with a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mxgateway_contract import recording_files
from mxgateway_contract.recordings import parse_time, parse_value
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import VT_ARRAY, DataType, Variant, VarType
from mxgateway_worker.backends.recording_file import RecordingError, read
from mxgateway_worker.backends.replay import ReplayBackend

NS = 1_000_000_000
T0 = 1_767_225_600 * NS  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column"),
        ("tag,time,value\n", "holds no values"),
        ("tag,value\na,1\n", "no column time"),
        ("tag,time,value\n,2026-01-01T00:00:00Z,1\n", "line 2: there is no tag; mend the line"),
        ("tag,time,value\na,yesterday,1\n", "line 2: time .* is not ISO 8601, for example"),
        ("tag,time,value,quality,type\na,2026-01-01T00:00:00Z,x,192,int\n", "line 2: value .x. is no VT_I4"),
        ("tag,time,value,quality,type\na,2026-01-01T00:00:00Z,x,192,colour\n", "unknown"),
        ("tag,time,value,quality\na,2026-01-01T00:00:00Z,1,fine\n", "line 2: quality .fine. is no number such as 192"),
    ],
)
def test_a_wrong_recording_says_where(tmp_path: Path, text: str, why: str) -> None:
    """The error names row and reason; the backend reports it as E_FAIL."""
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=why):
        read(path)
    with pytest.raises(MxComError):
        ReplayBackend(path).open(None)  # type: ignore[arg-type]
    with pytest.raises(RecordingError, match="cannot be read"):
        read(tmp_path / "missing.csv")


def test_a_recording_that_is_too_large_is_refused_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small Parquet file may unfold to gigabytes: rows are counted beforehand, cells as they come."""
    monkeypatch.setattr(recording_files, "MAX_VALUES", 3)
    monkeypatch.setattr(recording_files, "LONGEST_CELL", 100)
    csv = tmp_path / "many.csv"
    rows = [f"a,2026-01-01T00:00:0{second}Z,1" for second in range(4)]
    csv.write_text("\n".join(["tag,time,value", *rows]))
    with pytest.raises(RecordingError, match="too large to be played: more than 3 values"):
        read(csv)
    csv.write_text(f"tag,time,value\na,2026-01-01T00:00:00Z,{'x' * 101}\n")
    with pytest.raises(RecordingError, match=r"line 2: value has 101|is no CSV"):
        read(csv)
    csv.write_text(",".join(["tag,time,value", *map(str, range(1001))]) + "\n")
    with pytest.raises(RecordingError, match="1004 columns"):
        read(csv)

    with monkeypatch.context() as patch:
        patch.setattr(recording_files, "MAX_TEXT", 50)
        csv.write_text("\n".join(["tag,time,value", *rows[:2], f"a,2026-01-01T00:00:09Z,{'x' * 30}"]))
        with pytest.raises(RecordingError, match=r"too large to be played: .*MiB of text"):
            read(csv)

    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "many.parquet"
    columns = {"tag": ["a"] * 4, "time": ["2026-01-01T00:00:00Z"] * 4, "value": ["1"] * 4, "notes": ["x" * 1000] * 4}
    parquet.write_table(arrow.table(columns), path)
    with pytest.raises(RecordingError, match="has 4 rows and at most 3 are played"):
        read(path)
    parquet.write_table(arrow.table({**columns, "value": ["x" * 101] * 4}).slice(0, 1), path)
    with pytest.raises(RecordingError, match="row 1: value has 101 characters"):
        read(path)
    # What is not played is not even read, and of the rest little at a time.
    parquet.write_table(arrow.table(columns).slice(0, 2), path)
    asked: list[dict[str, Any]] = []
    real = parquet.ParquetFile.iter_batches
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", lambda file, **how: asked.append(how) or real(file, **how))
    assert len(read(path).series["a"]) == 2
    assert (asked[0]["batch_size"] <= 10_000, asked[0]["columns"]) == (True, ["tag", "time", "value"])


@pytest.mark.parametrize(
    ("given", "type_name", "expected"),
    [
        ("5", "", Variant(VarType.VT_I4, 5, DataType.INTEGER)),
        ("5.0", "", Variant(VarType.VT_R8, 5.0, DataType.DOUBLE)),
        ("true", "", Variant(VarType.VT_BOOL, True, DataType.BOOLEAN)),
        ("text", "", Variant(VarType.VT_BSTR, "text", DataType.STRING)),
        ("", "", Variant(VarType.VT_NULL, None, DataType.NO_DATA)),
        ("", "VT_BSTR", Variant(VarType.VT_BSTR, "", DataType.STRING)),
        ("", "VT_R4", Variant(VarType.VT_NULL, None, DataType.FLOAT)),
        ("2026-01-01T00:00:00.5Z", "VT_DATE", Variant(VarType.VT_DATE, T0 + NS // 2, DataType.TIME)),
        ("[1, 2]", "VT_ARRAY|VT_I4", Variant(VT_ARRAY | VarType.VT_I4, (1, 2), DataType.INTEGER)),
        (7, "", Variant(VarType.VT_I4, 7, DataType.INTEGER)),
    ],
)
def test_cells_become_variants(given: object, type_name: str, expected: Variant) -> None:
    """By the type beside them, or by their look."""
    assert parse_value(given, type_name) == expected


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-01-01T00:00:00Z", 0),
        ("2026-01-01 00:00:00", 0),
        ("2026-01-01T01:00:00+01:00", 0),
        ("2026-01-01T00:00:00.123456789Z", 123_456_789),
    ],
)
def test_times_keep_their_nanoseconds(text: str, nanoseconds: int) -> None:
    """ISO 8601 with nine digits, with a zone or without."""
    assert parse_time(text) == T0 + nanoseconds


def test_parquet_recordings_are_the_same(tmp_path: Path) -> None:
    """Times keep their nanoseconds; values are text beside their type."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "recording.parquet"
    columns = {
        "tag": pyarrow.array(["A.PV", "A.PV"]),
        "time": pyarrow.array([T0 + 1, T0], type=pyarrow.timestamp("ns", tz="UTC")),
        "value": pyarrow.array(["1.5", ""]),
        "quality": pyarrow.array([192, 0], type=pyarrow.int32()),
        "type": pyarrow.array(["VT_R8", "VT_EMPTY"]),
    }
    parquet.write_table(pyarrow.table(columns), path)
    series = read(path).series["a.pv"]
    moments = [(moment.time_ns - T0, moment.value.value, moment.quality) for moment in series]
    assert moments == [(0, None, 0), (1, 1.5, 192)]
