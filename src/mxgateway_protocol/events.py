"""MxEvents as bytes, written from templates: what is constant for an item is serialised once.

A body is a serialised MxEvent that lacks only its worker_sequence, which is appended when it leaves the worker's queue.
The common shapes never become a protobuf object; rare ones are built as messages and give bytes in the same way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import MxStatus
from mxgateway_contract.varints import PAIR_BITS, PAIRS, int_varint, varint
from mxgateway_protocol.backend import Sample
from mxgateway_protocol.values import array_to_wire, data_type_to_wire, timestamp_from_ns, to_wire
from mxgateway_protocol.variants import VT_ARRAY, DataType, Scalar, Variant, VarType
from mxgateway_protocol.wire import TimeField, delimited, key, timestamp

_LOW = (1 << PAIR_BITS) - 1
_NEVER = -(1 << 100)

_FAMILY = key(1, 0)
_SESSION = key(2, 2)
_SERVER = key(3, 0)
_ITEM = key(4, 0)
_VALUE = key(5, 2)
_QUALITY = key(6, 0)
_SOURCE_TIMESTAMP = key(7, 2)
_STATUS = key(8, 2)
_WORKER_TIMESTAMP = key(10, 2)
_CLIENT_HANDLE = key(100, 0)
_RECOVERED = key(101, 0) + varint(pb.MX_EVENT_ORIGIN_RECOVERED)
_DATA_CHANGE_BODY = key(20, 2) + b"\x00"
_WRITE_COMPLETE_BODY = key(21, 2) + b"\x00"
_OPERATION_COMPLETE_BODY = key(22, 2) + b"\x00"

_BOOL = key(10, 0)
_INT32 = key(11, 0)
_INT64 = key(12, 0)
_FLOAT = key(13, 5)
_DOUBLE = key(14, 1)
_STRING = key(15, 2)
_TIMESTAMP = key(16, 2)

_pack_float = struct.Struct("<f").pack
_pack_double = struct.Struct("<d").pack

ValueEncoder = Callable[[Variant], bytes]


# -------------------------------------------------------------------------------------------------------------- values


def _encode_any(variant: Variant) -> bytes:
    return delimited(_VALUE, to_wire(variant).SerializeToString())


def _value_encoder(vartype: int, data_type: int) -> ValueEncoder:
    """A function that writes values of these types as field 5 of MxEvent."""
    if vartype in (VarType.VT_EMPTY, VarType.VT_NULL):
        null = _encode_any(Variant(vartype, None, data_type))
        return lambda variant: null
    arm = _SIMPLE.get(vartype)
    if arm is None:
        return _encode_any
    # All but the value itself, as protobuf writes it.
    constant = pb.MxValue(
        data_type=data_type_to_wire(data_type), variant_type=_name_of(vartype), raw_data_type=data_type
    ).SerializeToString()
    return arm(constant)


def _name_of(vartype: int) -> str:
    return VarType(vartype).name


def _fixed(constant: bytes, field: bytes, pack: Callable[[float], bytes], width: int) -> ValueEncoder:
    prefix = _VALUE + varint(len(constant) + len(field) + width) + constant + field

    def encode(variant: Variant) -> bytes:
        value = variant.value
        if type(value) is float:
            try:
                return prefix + pack(value)
            except OverflowError:
                pass
        return _encode_any(variant)

    return encode


def _integer(constant: bytes, field: bytes, bits: int) -> ValueEncoder:
    prefixes = tuple(_VALUE + varint(len(constant) + len(field) + length) + constant + field for length in range(11))
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1

    def encode(variant: Variant) -> bytes:
        value = variant.value
        if type(value) is int and least <= value <= most:
            number = int_varint(value)
            return prefixes[len(number)] + number
        return _encode_any(variant)

    return encode


def _boolean(constant: bytes) -> ValueEncoder:
    prefix = _VALUE + varint(len(constant) + len(_BOOL) + 1) + constant + _BOOL
    true, false = prefix + b"\x01", prefix + b"\x00"

    def encode(variant: Variant) -> bytes:
        value = variant.value
        if value is True:
            return true
        return false if value is False else _encode_any(variant)

    return encode


def _string(constant: bytes) -> ValueEncoder:
    def encode(variant: Variant) -> bytes:
        value = variant.value
        if type(value) is str:
            try:
                text = value.encode()
            except UnicodeEncodeError:
                return _encode_any(variant)
            return delimited(_VALUE, constant + delimited(_STRING, text))
        return _encode_any(variant)

    return encode


def _time(constant: bytes) -> ValueEncoder:
    def encode(variant: Variant) -> bytes:
        value = variant.value
        if type(value) is int and -(1 << 92) < value < 1 << 92:
            return delimited(_VALUE, constant + delimited(_TIMESTAMP, timestamp(value)))
        return _encode_any(variant)

    return encode


def _int32_arm(constant: bytes) -> ValueEncoder:
    return _integer(constant, _INT32, 32)


def _int64_arm(constant: bytes) -> ValueEncoder:
    return _integer(constant, _INT64, 64)


def _double_arm(constant: bytes) -> ValueEncoder:
    return _fixed(constant, _DOUBLE, _pack_double, 8)


_SIMPLE: dict[int, Callable[[bytes], ValueEncoder]] = {
    VarType.VT_BOOL: _boolean,
    VarType.VT_I1: _int32_arm,
    VarType.VT_I2: _int32_arm,
    VarType.VT_I4: _int32_arm,
    VarType.VT_UI1: _int32_arm,
    VarType.VT_UI2: _int32_arm,
    VarType.VT_UI4: _int64_arm,
    VarType.VT_UI8: _int64_arm,
    VarType.VT_R4: lambda constant: _fixed(constant, _FLOAT, _pack_float, 4),
    VarType.VT_R8: _double_arm,
    VarType.VT_BSTR: _string,
    VarType.VT_DATE: _time,
    VarType.VT_FILETIME: _time,
}


# -------------------------------------------------------------------------------------------------------------- events


class ItemTemplate:
    """One item's constant bytes, and the last data change in pieces.

    Attributes:
        value_field: the last value as field 5 of MxEvent; empty before the first data change.
        source_field: its source time as field 7.
        quality, statuses: as they came.
    """

    __slots__ = (
        "_data_type",
        "_encode",
        "_head",
        "_ids",
        "_seen_statuses",
        "_tail",
        "_vartype",
        "quality",
        "source_field",
        "statuses",
        "value_field",
    )

    def __init__(self, session_id: str, server_handle: int, item_handle: int, client_handle: int = 0) -> None:
        # What the gateway reads without parsing stands first.
        self._ids = (
            delimited(_SESSION, session_id.encode())
            + (_SERVER + int_varint(server_handle) if server_handle else b"")
            + (_ITEM + int_varint(item_handle) if item_handle else b"")
            + (_CLIENT_HANDLE + varint(client_handle) if client_handle else b"")
        )
        self._head = _FAMILY + varint(pb.MX_EVENT_FAMILY_ON_DATA_CHANGE) + self._ids
        self._vartype = self._data_type = -2
        self._encode: ValueEncoder = _encode_any
        self._tail = b""
        self.value_field = b""
        self.source_field = b""
        self.quality = -1
        self.statuses: tuple[MxStatus, ...] = ()
        self._seen_statuses: Sequence[MxStatus] | None = None


class EventEncoder:
    """Writes event bodies for one session; not thread-safe."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self._encoders: dict[tuple[int, int], ValueEncoder] = {}
        self._status_fields: dict[tuple[MxStatus, ...], bytes] = {}
        self._source_time, self._worker_time = TimeField(_SOURCE_TIMESTAMP), TimeField(_WORKER_TIMESTAMP)
        self._source_ns = _NEVER
        self._source_field = b""

    def template(self, server_handle: int, item_handle: int) -> ItemTemplate:
        return ItemTemplate(self.session_id, server_handle, item_handle)

    def data_change(
        self,
        template: ItemTemplate,
        value: Variant,
        quality: int,
        timestamp_ns: int,
        statuses: Sequence[MxStatus],
        now_ns: int,
    ) -> bytes:
        """The body of an OnDataChange; leaves its pieces in the template."""
        if value.vartype != template._vartype or value.data_type != template._data_type:
            template._vartype, template._data_type = value.vartype, value.data_type
            template._encode = self._encoder(value.vartype, value.data_type)
        if quality != template.quality or statuses is not template._seen_statuses:
            template.quality, template.statuses = quality, tuple(statuses)
            # A list may be another one next time although it is the same object.
            template._seen_statuses = statuses if type(statuses) is tuple else None
            template._tail = (
                (_QUALITY + int_varint(quality) if quality else b"") + self.status_field(statuses) + _DATA_CHANGE_BODY
            )
        template.value_field = value_field = template._encode(value)
        if timestamp_ns != self._source_ns:
            self._source_ns = timestamp_ns
            self._source_field = self._source_time.write(timestamp_ns)
        template.source_field = source_field = self._source_field
        time = self._worker_time
        nanos = now_ns - time.base
        if nanos >> PAIR_BITS != time.high:
            return b"".join((template._head, value_field, template._tail, source_field, time.write(now_ns)))
        # As `write` does, without the call.
        return b"".join(
            (template._head, value_field, template._tail, source_field, time.start, PAIRS[nanos & _LOW], time.end)
        )

    def last_change(self, template: ItemTemplate, now_ns: int) -> bytes:
        """The last data change of an item once more, marked as recovered; it never gets a worker_sequence."""
        return b"".join(
            (
                template._head,
                template.value_field,
                template._tail,
                template.source_field,
                self._worker_time.write(now_ns),
                _RECOVERED,
            )
        )

    def write_complete(self, template: ItemTemplate, statuses: Sequence[MxStatus], now_ns: int) -> bytes:
        """The body of an OnWriteComplete."""
        return self._completion(template, pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE, _WRITE_COMPLETE_BODY, statuses, now_ns)

    def operation_complete(self, template: ItemTemplate, statuses: Sequence[MxStatus], now_ns: int) -> bytes:
        """The body of an OperationComplete."""
        return self._completion(
            template, pb.MX_EVENT_FAMILY_OPERATION_COMPLETE, _OPERATION_COMPLETE_BODY, statuses, now_ns
        )

    def buffered_data_change(
        self,
        template: ItemTemplate,
        data_type: int,
        samples: Sequence[Sample],
        statuses: Sequence[MxStatus],
        now_ns: int,
    ) -> bytes:
        """The body of an OnBufferedDataChange: parallel arrays of values, qualities and times, oldest first.

        The event's own quality and time are those of the youngest sample.
        """
        event = pb.MxEvent(family=pb.MX_EVENT_FAMILY_ON_BUFFERED_DATA_CHANGE)
        event.value.CopyFrom(to_wire(_joined(data_type, samples)))
        body = event.on_buffered_data_change
        body.data_type = data_type_to_wire(data_type)
        body.raw_data_type = data_type
        qualities = Variant(VT_ARRAY | VarType.VT_I4, tuple(sample.quality for sample in samples), DataType.INTEGER)
        times = Variant(VT_ARRAY | VarType.VT_DATE, tuple(sample.timestamp_ns for sample in samples), DataType.TIME)
        body.quality_values.CopyFrom(array_to_wire(qualities, qualities.value))  # type: ignore[arg-type]
        body.timestamp_values.CopyFrom(array_to_wire(times, times.value))  # type: ignore[arg-type]
        if samples:
            event.quality = samples[-1].quality
            event.source_timestamp.CopyFrom(timestamp_from_ns(samples[-1].timestamp_ns))
        return b"".join(
            (event.SerializeToString(), template._ids, self.status_field(statuses), self._worker_time.write(now_ns))
        )

    def value_field(self, value: Variant) -> bytes:
        """A value as field 5 of MxEvent."""
        return self._encoder(value.vartype, value.data_type)(value)

    def status_field(self, statuses: Sequence[MxStatus]) -> bytes:
        """Statuses as field 8 of MxEvent."""
        known = tuple(statuses)
        field = self._status_fields.get(known)
        if field is None:
            field = b"".join(delimited(_STATUS, status.to_proto().SerializeToString()) for status in known)
            # Statuses are few; a backend that invents new ones for ever must not fill the memory.
            if len(self._status_fields) < 4096:
                self._status_fields[known] = field
        return field

    def _encoder(self, vartype: int, data_type: int) -> ValueEncoder:
        encoder = self._encoders.get((vartype, data_type))
        if encoder is None:
            encoder = _value_encoder(vartype, data_type) if -(2**31) <= data_type < 2**31 else _encode_any
            if len(self._encoders) < 4096:
                self._encoders[vartype, data_type] = encoder
        return encoder

    def _completion(
        self, template: ItemTemplate, family: int, body: bytes, statuses: Sequence[MxStatus], now_ns: int
    ) -> bytes:
        return b"".join(
            (
                _FAMILY,
                varint(family),
                template._ids,
                self.status_field(statuses),
                body,
                self._worker_time.write(now_ns),
            )
        )


def _joined(data_type: int, samples: Sequence[Sample]) -> Variant:
    """The samples' values as one array, typed when all are of one type."""
    types = {sample.value.vartype for sample in samples}
    values: tuple[Scalar, ...] = tuple(
        repr(sample.value.value) if isinstance(sample.value.value, tuple) else sample.value.value for sample in samples
    )
    only = types.pop() if len(types) == 1 else int(VarType.VT_VARIANT)
    base = int(VarType.VT_VARIANT) if only & VT_ARRAY or only in (VarType.VT_EMPTY, VarType.VT_NULL) else only
    return Variant(VT_ARRAY | base, values, data_type)
