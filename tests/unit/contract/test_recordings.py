"""Recordings: one form for whoever writes and whoever plays, unchanged by CSV and by Parquet."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.extreme_values import data_changes, mx_values

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.recording import open_recording
from mxgateway_contract.filetime import ns_to_filetime
from mxgateway_contract.recording_files import RecordingError, check, moments
from mxgateway_contract.recordings import COLUMNS, line, parse_time, parse_value, time_cell, value_cells
from mxgateway_contract.variants import VT_ARRAY, DataType, Scalar, Variant, VarType
from mxgateway_protocol.values import to_wire

VT = VarType
NS = 1_000_000_000
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | st.sampled_from(
    ["", " ", "\n", "\r", "\r\n", "\x00", '"', ",", 'a,b\n"c"', "0x41", "null", "NaN", "\ufeff", "=1+1", "x" * 200_000]
)
TIMES = st.integers(-(2**63) * NS, (2**63 - 1) * NS) | st.integers(-62_135_596_800, 253_402_300_799).map(
    lambda s: s * NS
)
# NaN as everybody makes it: other bits of it have no text.
REALS = st.floats(allow_nan=False) | st.sampled_from([math.nan, 0.0, -0.0, math.inf, -math.inf, 1e308, 5e-324, 1e15])
SCALARS: dict[int, st.SearchStrategy[Scalar]] = {
    VT.VT_BOOL: st.booleans(),
    VT.VT_I1: st.integers(-(2**7), 2**7 - 1),
    VT.VT_I2: st.integers(-(2**15), 2**15 - 1),
    VT.VT_I4: st.integers(-(2**31), 2**31 - 1),
    VT.VT_I8: st.integers(-(2**63), 2**63 - 1),
    VT.VT_UI1: st.integers(0, 2**8 - 1),
    VT.VT_UI2: st.integers(0, 2**16 - 1),
    VT.VT_UI4: st.integers(0, 2**32 - 1),
    VT.VT_ERROR: st.integers(-(2**31), 2**31 - 1),
    VT.VT_R4: st.floats(width=32, allow_nan=False) | st.just(math.nan),
    VT.VT_R8: REALS,
    VT.VT_CY: REALS,
    VT.VT_DECIMAL: REALS,
    VT.VT_BSTR: TEXTS,
    VT.VT_DATE: TIMES,
    VT.VT_FILETIME: TIMES,
    VT.VT_RECORD: st.binary(max_size=20),
    57: st.binary(max_size=20),
}
DATA_TYPES = st.sampled_from([*DataType, 99, -7])


@st.composite
def variants(draw: st.DrawFn) -> Variant:
    """Whatever a backend may deliver."""
    vartype = draw(st.sampled_from([*SCALARS, VT.VT_EMPTY, VT.VT_NULL]))
    data_type = draw(DATA_TYPES | st.just(DataType.INTEGER))
    if vartype in (VT.VT_EMPTY, VT.VT_NULL):
        return Variant(vartype, None, data_type)
    values = SCALARS[vartype]
    if vartype == VT.VT_I8 and data_type == DataType.TIME:
        values = TIMES.map(ns_to_filetime).filter(lambda ticks: ticks < 2**63)
    shape = draw(st.sampled_from(["scalar", "scalar", "null", "array", "table"]))
    if shape == "null":
        return Variant(vartype, None, data_type)
    if shape == "scalar":
        return Variant(vartype, draw(values), data_type)
    if shape == "array":
        return Variant(VT_ARRAY | vartype, tuple(draw(st.lists(values, max_size=5))), data_type)
    dimensions = draw(st.sampled_from([(2, 2), (1, 4), (0, 3), (2, 1, 2)]))
    size = math.prod(dimensions)
    return Variant(
        VT_ARRAY | vartype, tuple(draw(st.lists(values, min_size=size, max_size=size))), data_type, dimensions
    )


def same(one: pb.MxValue, other: pb.MxValue) -> bool:
    """To the last bit: NaN is itself here."""
    return one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


@given(variants())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(Variant(VT.VT_R8, 90.0, DataType.ELAPSED_TIME))
@example(Variant(VT.VT_R8, 1e15, DataType.ELAPSED_TIME))
@example(Variant(VT.VT_I4, 1, DataType.QUALIFIED_ENUM))
@example(Variant(VT.VT_BSTR, None, DataType.STRING))
@example(Variant(VT.VT_BSTR, "", DataType.STRING))
@example(Variant(VT_ARRAY | VT.VT_R8, (90.0, math.nan), DataType.ELAPSED_TIME))
@example(Variant(VT_ARRAY | VT.VT_VARIANT, (True, False), DataType.UNKNOWN))
@example(Variant(VT_ARRAY | VT.VT_I4, (), DataType.INTEGER))
def test_every_value_goes_round(variant: Variant) -> None:
    """Every VARTYPE and data type, scalar, null and array, at its edges: what is played is what was recorded."""
    recorded = to_wire(variant)
    text, kind = value_cells(recorded)
    assert same(to_wire(parse_value(text, kind)), recorded), (text, kind)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_cell_goes_through_csv(rows: list[tuple[str, str, str]]) -> None:
    """Line ends of all systems, quotes, blanks and very long cells stay within their cells."""
    text = "".join(map(line, rows))
    former = csv.field_size_limit(2**31 - 1)
    try:
        assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))] == rows
    finally:
        csv.field_size_limit(former)


@given(TIMES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_time_goes_round(time_ns: int) -> None:
    assert parse_time(time_cell(time_ns)) == time_ns


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("seed", range(3))
def test_a_file_holds_what_came(tmp_path: Path, ending: str, seed: int) -> None:
    """Through the file that `mxgw-py record` writes, and the reader that the replay has."""
    if ending == "parquet":
        pytest.importorskip("pyarrow")

    @given(
        st.lists(st.tuples(st.sampled_from(["A.B", "Tank,1.PV", 'x"y', "温度.值"]), variants()), min_size=1, max_size=8)
    )
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def goes_round(changes: list[tuple[str, Variant]]) -> None:
        path = tmp_path / f"rec{seed}.{ending}"
        with open_recording(path) as recording:
            for number, (tag, variant) in enumerate(changes, 1):
                event = pb.MxEvent(value=to_wire(variant), quality=192 - number)
                event.source_timestamp.FromNanoseconds(number * NS + number)
                recording.add(tag, event)
        read = list(moments(path))
        assert [tag for tag, _ in read] == [tag for tag, _ in changes]
        assert [moment.time_ns for _, moment in read] == [number * NS + number for number in range(1, len(changes) + 1)]
        assert [moment.quality for _, moment in read] == [192 - number for number in range(1, len(changes) + 1)]
        for (_, moment), (_, variant) in zip(read, changes, strict=True):
            assert same(to_wire(moment.value), to_wire(variant))

    goes_round()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_whatever_comes_is_recorded_and_can_be_read(tmp_path: Path, ending: str) -> None:
    """Values and times of any gateway, also such as no VARIANT has: a line each, and a file that plays."""
    if ending == "parquet":
        pytest.importorskip("pyarrow")

    @given(st.lists(data_changes(), min_size=1, max_size=4))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def is_recorded(events: list[pb.MxEvent]) -> None:
        path = tmp_path / f"rec.{ending}"
        with open_recording(path) as recording:
            for event in events:
                recording.add("A.B", event)
        assert check(path) == len(events)

    is_recorded()


@given(mx_values())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_of_the_contract_has_cells(value: pb.MxValue) -> None:
    parse_value(*value_cells(value))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:01:30", 90.0), ("1 day, 0:00:00.500000", 86_400.5), ("-1 day, 23:59:00", -60.0), ("90", 90.0)],
)
def test_durations_of_older_recordings_are_taken(text: str, seconds: float) -> None:
    """`record` once wrote Python's form of a duration beside VT_R8."""
    assert parse_value(text, "VT_R8").value == seconds


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"tag,time,value\nA.B,2026-01-01T00:00:00Z,1\nA.B,soon,1\n", "line 3: time 'soon' is not ISO 8601"),
        (b'tag,time,value\nA.B,2026-01-01T00:00:00Z,"two\nlines"\nA.B,,1\n', "line 4: there is no time"),
        (b"tag,time,value,quality,type\nA.B,2026-01-01T00:00:00Z,1;2,192,VT_ARRAY|VT_I4\n", "no JSON list such as"),
        (
            b"tag,time,value,quality,type\nA.B,2026-01-01T00:00:00Z,1,192,VT_I4:Colour\n",
            "data type 'Colour' is unknown",
        ),
        (b"tag,time,value\nA.B,2026-01-01T00:00:00Z,1,5\n", "line 2: more cells than columns"),
        (b"tag,time,value\nA.B,2026-02-30T00:00:00Z,1\n", "line 2: time '2026-02-30T00:00:00Z'"),
        (b"tag,time,value\nK\xfchl.PV,2026-01-01T00:00:00Z,1\n", "no UTF-8 text"),
        (b"tag;time;value\nA.B;2026-01-01T00:00:00Z;1\n", "no column tag, time, value"),
        (b"tag,time,value\n", "holds no values"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_helps(tmp_path: Path, content: bytes, wanted: str) -> None:
    path = tmp_path / "rec.csv"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as refusal:
        check(path)
    assert wanted in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "rec.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(RecordingError, match="no Parquet file"):
        check(path)


def test_the_columns_are_those_of_the_documentation() -> None:
    assert COLUMNS == ("tag", "time", "value", "quality", "type")
