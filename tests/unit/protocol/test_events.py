"""Event bytes written by hand are the very messages that protobuf would build."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import OK, Category, MxStatus, Source
from mxgateway_contract.varints import int_varint, varint
from mxgateway_protocol.backend import Sample
from mxgateway_protocol.events import EventEncoder
from mxgateway_protocol.values import data_type_to_wire, timestamp_from_ns, to_wire
from mxgateway_protocol.variants import EMPTY, VT_ARRAY, DataType, Scalar, Variant, VarType
from mxgateway_protocol.wire import timestamp

VT = VarType
SESSION = "session-0123456789abcdef0123456789abcdef"
BAD = MxStatus(0, Category.CONFIGURATION_ERROR, Source.RESPONDING_LMX, 6)

_INT = st.integers(-(2**63), 2**63 - 1)
ANY_SCALAR: dict[int, st.SearchStrategy[Scalar]] = {
    VT.VT_EMPTY: st.none(),
    VT.VT_NULL: st.none(),
    VT.VT_BOOL: st.booleans(),
    VT.VT_I1: st.integers(-128, 127),
    VT.VT_I2: st.integers(-(2**15), 2**15 - 1),
    VT.VT_I4: st.integers(-(2**33), 2**33),
    VT.VT_UI1: st.integers(0, 255),
    VT.VT_UI2: st.integers(0, 65535),
    VT.VT_UI4: st.integers(0, 2**32 - 1),
    VT.VT_I8: _INT,
    VT.VT_UI8: st.integers(0, 2**64 - 1),
    VT.VT_R4: st.floats(width=32),
    VT.VT_R8: st.floats(),
    VT.VT_CY: st.floats(),
    VT.VT_BSTR: st.text(max_size=200) | st.just("\ud800"),
    VT.VT_DATE: _INT,
    VT.VT_FILETIME: _INT,
    VT.VT_RECORD: st.binary(max_size=20),
    99: st.integers(0, 5),
}
NANOSECONDS = st.integers(-(10**18), 4 * 10**18) | st.sampled_from(
    [0, 1, 1_700_000_000_000_000_000, 1_700_000_000_268_435_455, 1_700_000_000_268_435_456, 1_700_000_000_999_999_999]
)


@st.composite
def any_variant(draw: st.DrawFn) -> Variant:
    vartype = draw(st.sampled_from(sorted(ANY_SCALAR)))
    data_type = draw(st.sampled_from(sorted(DataType)))
    if draw(st.integers(0, 3)) == 0:
        return Variant(VT_ARRAY | vartype, tuple(draw(st.lists(ANY_SCALAR[vartype], max_size=3))), data_type)
    if draw(st.integers(0, 9)) == 0:
        vartype_of_value = draw(st.sampled_from(sorted(ANY_SCALAR)))
        return Variant(vartype, draw(ANY_SCALAR[vartype_of_value]), data_type)
    return Variant(vartype, draw(ANY_SCALAR[vartype]), data_type)


def expected(
    family: int, server: int, item: int, statuses: list[MxStatus] | tuple[MxStatus, ...], now_ns: int
) -> pb.MxEvent:
    event = pb.MxEvent(
        family=pb.MxEventFamily.ValueType(family),
        session_id=SESSION,
        server_handle=server,
        item_handle=item,
        statuses=[status.to_proto() for status in statuses],
    )
    event.worker_timestamp.CopyFrom(timestamp_from_ns(now_ns))
    return event


@given(
    st.lists(
        st.tuples(
            any_variant(),
            st.sampled_from([0, 32, 192, 65540, -1]),
            NANOSECONDS,
            st.sampled_from([(OK,), (BAD,), (OK, BAD), [OK], [BAD], ()]),
            NANOSECONDS,
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([(1, 1), (0, 0), (-1, 2**31 - 1), (300, 70000)]),
)
def test_data_changes_are_what_protobuf_builds(
    changes: list[tuple[Variant, int, int, list[MxStatus], int]], handles: tuple[int, int]
) -> None:
    """Whatever an item delivers, one change after another, the bytes parse to the message built field by field."""
    encoder = EventEncoder(SESSION)
    template = encoder.template(*handles)
    for value, quality, source_ns, statuses, now_ns in changes:
        body = encoder.data_change(template, value, quality, source_ns, statuses, now_ns)
        event = expected(pb.MX_EVENT_FAMILY_ON_DATA_CHANGE, *handles, statuses, now_ns)
        event.value.CopyFrom(to_wire(value))
        event.quality = quality
        event.source_timestamp.CopyFrom(timestamp_from_ns(source_ns))
        event.on_data_change.SetInParent()
        parsed = pb.MxEvent.FromString(body)
        assert parsed.SerializeToString(deterministic=True) == event.SerializeToString(deterministic=True)
        assert len(body) == len(event.SerializeToString())


def test_worker_times_go_on_over_the_ends_of_seconds() -> None:
    """A few microseconds before and after a full second, and after a step back, each event has its own time."""
    encoder = EventEncoder(SESSION)
    template = encoder.template(1, 1)
    second = 1_700_000_000 * 10**9
    steps = (
        -20_000,
        -3_000,
        -1,
        0,
        1,
        127,
        16_383,
        16_384,
        2_097_152,
        268_435_456,
        999_999_999,
        10**9,
        -16_000,
        5 * 10**9,
    )
    for now_ns in [second + step for step in steps]:
        event = pb.MxEvent.FromString(encoder.data_change(template, EMPTY, 192, now_ns, (OK,), now_ns))
        assert (event.worker_timestamp.ToNanoseconds(), event.source_timestamp.ToNanoseconds()) == (now_ns, now_ns)


def test_a_list_of_statuses_is_read_anew_each_time() -> None:
    """A backend may use one list again with other statuses in it."""
    encoder = EventEncoder(SESSION)
    template = encoder.template(1, 1)
    statuses = [OK]
    encoder.data_change(template, EMPTY, 192, 1, statuses, 1)
    statuses[0] = BAD
    body = encoder.data_change(template, EMPTY, 192, 1, statuses, 1)
    assert pb.MxEvent.FromString(body).statuses[0].detail == 6
    assert template.statuses == (BAD,)


def test_completions_are_what_protobuf_builds() -> None:
    """OnWriteComplete and OperationComplete carry handles, statuses and their empty body."""
    encoder = EventEncoder(SESSION)
    template = encoder.template(1, 2)
    event = expected(pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE, 1, 2, [BAD], 5)
    event.on_write_complete.SetInParent()
    assert pb.MxEvent.FromString(encoder.write_complete(template, [BAD], 5)) == event
    event = expected(pb.MX_EVENT_FAMILY_OPERATION_COMPLETE, 1, 2, [OK], 5)
    event.operation_complete.SetInParent()
    assert pb.MxEvent.FromString(encoder.operation_complete(template, (OK,), 5)) == event


def test_buffered_changes_hold_parallel_arrays() -> None:
    """Values, qualities and times of the samples stand side by side; the event has those of the youngest."""
    encoder = EventEncoder(SESSION)
    samples = [Sample(Variant(VT.VT_I4, n, DataType.INTEGER), 192 - n, n * 10**9) for n in (1, 2, 3)]
    body = encoder.buffered_data_change(encoder.template(1, 2), DataType.INTEGER, samples, (OK,), 5)
    event = pb.MxEvent.FromString(body)
    change = event.on_buffered_data_change
    assert list(event.value.array_value.int32_values.values) == [1, 2, 3]
    assert list(change.quality_values.int32_values.values) == [191, 190, 189]
    assert [time.seconds for time in change.timestamp_values.timestamp_values.values] == [1, 2, 3]
    assert (change.data_type, change.raw_data_type) == (data_type_to_wire(DataType.INTEGER), DataType.INTEGER)
    assert (event.quality, event.source_timestamp.seconds, event.session_id) == (189, 3, SESSION)
    assert event.family == pb.MX_EVENT_FAMILY_ON_BUFFERED_DATA_CHANGE


@given(st.integers(0, 2**64 - 1))
def test_varints_by_table_are_those_of_protobuf(value: int) -> None:
    """`varint` and `int_varint` write what protobuf's own serialiser writes."""
    if value:
        assert pb.MxEvent(worker_sequence=value).SerializeToString() == b"\x48" + varint(value)
    signed = value - 2**63
    if signed:
        assert pb.MxValue(int64_value=signed).SerializeToString() == b"\x60" + int_varint(signed)


@given(NANOSECONDS)
def test_timestamps_are_those_of_protobuf(unix_ns: int) -> None:
    """`timestamp` writes a Timestamp as protobuf does."""
    assert timestamp(unix_ns) == timestamp_from_ns(unix_ns).SerializeToString()
