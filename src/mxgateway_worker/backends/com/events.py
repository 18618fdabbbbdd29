"""Events of LMXProxy: the arguments of IDispatch::Invoke, as bytes, into calls of the worker's sink. Pure.

`rgvarg` holds a VARIANT for each parameter, the last parameter first.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Callable

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import EventSink, Sample
from mxgateway_protocol.variants import VT_ARRAY, DataType, Variant, VarType
from mxgateway_worker.backends.com.identity import (
    BUFFERED_EVENTS,
    EVENTS,
    ON_BUFFERED_DATA_CHANGE,
    ON_DATA_CHANGE,
    ON_WRITE_COMPLETE,
    OPERATION_COMPLETE,
)
from mxgateway_worker.backends.com.images import STATUS_ARRAY, ImageError, ImageReader, Looks, Memory, looks_by
from mxgateway_worker.backends.com.times import TimeRangeError

logger = logging.getLogger(__name__)

# Plain numbers: one is compared, or put into a value, for each event.
_I4, _R8, _DATE = int(VarType.VT_I4), int(VarType.VT_R8), int(VarType.VT_DATE)
_INTEGER, _DOUBLE = int(DataType.INTEGER), int(DataType.DOUBLE)
# OnDataChange: statuses, time, quality, value, item, server; each a u16 type, six unused bytes and eight of payload.
_DATA_CHANGE = struct.Struct("<H6xI4x 16s H6xi4x 16s H6xi4x H6xi4x")
# The same as most of them come: statuses by reference, a VT_DATE, a number in the value's first half.
_USUAL_CHANGE = struct.Struct("<H6xI4x H6xd H6xi4x H6xi4x H6xi4x H6xi4x")
_VALUE_AT = 48
_OUTCOME = struct.Struct("<H6xI4x H6xi4x H6xi4x")
_REAL = struct.Struct("<8xd")
_POINTER = struct.Struct("<I")
# Dimensions, size of an element, address of the first, count of the only dimension.
_ARRAY_HEAD = struct.Struct("<H2xI4xII4x")
# Padding lies between success and category, and behind detail: only 14 bytes are defined.
_STATUS = struct.Struct("<hxxiih")
# A Variant without the call of its constructor, which fills in what is not given.
_variant = tuple.__new__
_MOST_KEPT_STATUSES = 256
_PARAMETERS = {
    (EVENTS, ON_DATA_CHANGE): 6,
    (EVENTS, ON_WRITE_COMPLETE): 3,
    (EVENTS, OPERATION_COMPLETE): 3,
    (BUFFERED_EVENTS, ON_BUFFERED_DATA_CHANGE): 7,
}


class EventReader:
    """Hands events to the sink as they come, whether in a pump or inside a call.

    An event that cannot be read is logged and dropped; a value that cannot be read is handed on as none, with its
    VARTYPE, so that the item does not fall silent.
    """

    def __init__(self, sink: EventSink, images: ImageReader, memory: Memory, looks: Looks | None = None) -> None:
        self._sink = sink
        self._on_data_change = sink.on_data_change
        self._images = images
        look_at = looks or looks_by(memory)
        self._pointer_at, self._array_at, self._status_at = look_at(_POINTER), look_at(_ARRAY_HEAD), look_at(_STATUS)
        self._from_date = images.time_rules.from_date
        # Of the last change: many come with one time.
        self._days, self._stamp = math.nan, 0
        self._statuses: dict[tuple[int, ...], tuple[MxStatus, ...]] = {}
        self.unreadable = 0

    def deliver(self, source: str, dispid: int, arguments: bytes) -> None:
        """One event.

        Args:
            source: IID of the interface that it came by.
            arguments: `rgvarg`, 16 bytes a parameter.
        """
        try:
            if dispid == ON_DATA_CHANGE and source == EVENTS and len(arguments) == 96:
                self._data_change(arguments)
                return
            wanted = _PARAMETERS.get((source, dispid))
            if wanted is None:
                return
            if len(arguments) != 16 * wanted:
                raise ImageError(f"{len(arguments) // 16} parameters where {wanted} are due")
            if source == BUFFERED_EVENTS:
                self._buffered(arguments)
            elif dispid == ON_WRITE_COMPLETE:
                self._outcome(arguments, self._sink.on_write_complete)
            else:
                self._outcome(arguments, self._sink.operation_complete)
        except ImageError as error:
            self._unreadable(f"event {dispid}: {error}")

    def _unreadable(self, text: str) -> None:
        self.unreadable += 1
        # Each could be thousands a second; the first ones tell what there is to tell.
        if self.unreadable <= 10 or self.unreadable % 10_000 == 0:
            logger.error("an event could not be read count=%d reason=%s", self.unreadable, text)

    def _data_change(self, arguments: bytes) -> None:
        """The usual shape by one look at its bytes, all others in full."""
        (
            statuses_type,
            statuses,
            time_type,
            days,
            quality_type,
            quality,
            vartype,
            number,
            item_type,
            item,
            kind,
            server,
        ) = _USUAL_CHANGE.unpack(arguments)
        if not (quality_type == item_type == kind == _I4 and time_type == _DATE):
            self._any_data_change(arguments)
            return
        if days == self._days:
            stamp = self._stamp
        else:
            try:
                stamp = self._stamp = self._from_date(days)
                self._days = days
            except (TimeRangeError, OverflowError):
                self._days = math.nan
                stamp = self._time(arguments[16:32])
        if vartype == _I4:
            value = _variant(Variant, (_I4, number, _INTEGER, ()))
        elif vartype == _R8:
            value = _variant(Variant, (_R8, _REAL.unpack_from(arguments, _VALUE_AT)[0], _DOUBLE, ()))
        else:
            value = self._value(arguments[_VALUE_AT:64])
        told = self._status(statuses_type, statuses, arguments)
        self._on_data_change(server, item, value, quality, stamp, told)

    def _any_data_change(self, arguments: bytes) -> None:
        statuses_type, statuses, time, quality_type, quality, value, item_type, item, server_type, server = (
            _DATA_CHANGE.unpack(arguments)
        )
        if not quality_type == item_type == server_type == _I4:
            raise ImageError(f"handles or quality of VARTYPEs {server_type}, {item_type}, {quality_type}")
        self._sink.on_data_change(
            server,
            item,
            self._value(value),
            quality,
            self._time(time),
            self._status(statuses_type, statuses, arguments),
        )

    def _outcome(self, arguments: bytes, tell: Callable[[int, int, tuple[MxStatus, ...]], None]) -> None:
        statuses_type, statuses, item_type, item, server_type, server = _OUTCOME.unpack(arguments)
        if not item_type == server_type == _I4:
            raise ImageError(f"handles of VARTYPEs {server_type}, {item_type}")
        tell(server, item, self._status(statuses_type, statuses, arguments))

    def _buffered(self, arguments: bytes) -> None:
        images = [arguments[at : at + 16] for at in range(0, len(arguments), 16)]
        numbers = [self._images.variant(image).value for image in (images[6], images[5], images[4])]
        if not all(type(number) is int for number in numbers):
            raise ImageError("handles or data type are no numbers")
        server, item, data_type = numbers
        statuses = self._images.statuses(images[0])
        samples = self._samples(images[3], images[2], images[1], data_type)  # type: ignore[arg-type]
        self._sink.on_buffered_data_change(server, item, data_type, samples, statuses)  # type: ignore[arg-type]

    def _samples(self, value: bytes, quality: bytes, time: bytes, data_type: int) -> list[Sample]:
        """Parallel arrays, or one sample as scalars: which, the time tells, since a value may be an array itself."""
        whole = self._images.variant(value)._replace(data_type=data_type)
        qualities = self._images.variant(quality).value
        if not (time[0] | time[1] << 8) & VT_ARRAY:
            return [Sample(whole, qualities if type(qualities) is int else 0, self._time(time))]
        stamps = self._images.times(time)
        values = whole.value if isinstance(whole.value, tuple) else (whole.value,) * len(stamps)
        words = qualities if isinstance(qualities, tuple) else (qualities,) * len(stamps)
        if not len(values) == len(words) == len(stamps):
            raise ImageError(f"{len(values)} values, {len(words)} qualities and {len(stamps)} times")
        base = whole.vartype & ~VT_ARRAY
        return [
            Sample(Variant(base, one, data_type), word if type(word) is int else 0, stamp)
            for one, word, stamp in zip(values, words, stamps, strict=True)
        ]

    def _value(self, image: bytes) -> Variant:
        try:
            return self._images.variant(image)
        except ImageError as error:
            self._unreadable(f"value: {error}")
            return Variant(image[0] | image[1] << 8, None, DataType.UNKNOWN)

    def _time(self, image: bytes) -> int:
        try:
            return self._images.time(image)
        except ImageError as error:
            self._unreadable(f"time: {error}")
            return 0

    def _status(self, vartype: int, reference: int, arguments: bytes) -> tuple[MxStatus, ...]:
        """The usual form, one status by reference, by its numbers out of a table; all others in full."""
        if vartype != STATUS_ARRAY or not reference:
            return self._images.statuses(arguments[:16])
        (pointer,) = self._pointer_at(reference)
        if not pointer:
            return ()
        dimensions, size, data, count = self._array_at(pointer)
        if dimensions != 1 or count != 1 or size != 16:
            return self._images.statuses(arguments[:16])
        # Without the padding, which is undefined.
        key = self._status_at(data)
        known = self._statuses.get(key)
        if known is None:
            known = (MxStatus(*key),)
            if len(self._statuses) < _MOST_KEPT_STATUSES:
                self._statuses[key] = known
        return known
