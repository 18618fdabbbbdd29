"""The alarm manager's XML consumer (`wwAlarmConsumer`) as a provider of alarms.

What is published of it is kept, odd as it is: a consumer without a query gives nothing, and one that has a query takes
no acknowledgements. So there are two: one reads, the other acknowledges. Not proved on a live node yet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from mxgateway_contract import hresults
from mxgateway_protocol.alarms.asking import ListReader
from mxgateway_protocol.alarms.comparing import LONGEST_LIST
from mxgateway_protocol.alarms.expressions import AlarmExpression
from mxgateway_protocol.alarms.provider import (
    NOT_FOR_THIS_PROVIDER,
    AlarmName,
    AlarmSubscription,
    Answer,
    Operator,
    PollResult,
    ProviderError,
)
from mxgateway_protocol.alarms.reader import RecordReader
from mxgateway_protocol.alarms.slices import broken
from mxgateway_protocol.alarms.times import RecordClock
from mxgateway_protocol.alarms.zones import zone_offset
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_worker.backends.com.alarm_query import expressions_of, query_xml
from mxgateway_worker.backends.com.ports import LateBound

logger = logging.getLogger(__name__)

APPLICATION = "mxgateway"
VERSION = "1.0"
_NO_WINDOW = 0
_FAILURES_UNTIL_ANEW = 3
# What late binding says of a method that is called with too few arguments, or that is not there.
_OTHER_SHAPE = frozenset(
    {hresults.DISP_E_MEMBERNOTFOUND, hresults.DISP_E_UNKNOWNNAME, hresults.DISP_E_BADPARAMCOUNT, hresults.E_NOTIMPL}
)


class AlarmConsumer:
    """One consumer, registered.

    Args:
        make: makes the COM object.

    Raises:
        ProviderError: it cannot be had.
    """

    def __init__(self, make: Callable[[], LateBound]) -> None:
        self._is_initialized = self._is_registered = False
        try:
            self._object = make()
        except MxComError as error:
            raise ProviderError(f"the alarm consumer cannot be made: {error}", error.hresult) from error
        try:
            self._do("InitializeConsumer", APPLICATION)
            self._is_initialized = True
            self._do("RegisterConsumer", _NO_WINDOW, APPLICATION, APPLICATION, VERSION)
            self._is_registered = True
        except BaseException:
            self.close()
            raise

    def subscribe(self, expressions: Sequence[AlarmExpression]) -> None:
        """Subscribes by expression where the consumer takes that; its arguments are not published.

        Raises:
            ProviderError: it was refused.
        """
        for each in expressions:
            text = f"\\\\{each.node}\\{each.provider}!{each.area}" if each.node else f"\\{each.provider}!{each.area}"
            try:
                self._do("Subscribe", text)
            except ProviderError as error:
                if error.hresult not in _OTHER_SHAPE:
                    raise
                logger.info(
                    "the alarm consumer's Subscribe wants something else; the query alone is set reason=%s", error
                )
                return

    def set_query(self, xml: str) -> None:
        """Raises ProviderError when it was refused. What the consumer says that its query is, is never compared."""
        self._do("SetXmlAlarmQuery", xml)

    def records(self, most: int) -> str:
        """The list as XML, of so many records at most.

        Raises:
            ProviderError: there is none.
        """
        text = self._do("GetXmlCurrentAlarms2", most, wants_text=True)
        if text is None:
            raise broken("it is no text")
        if len(text) > LONGEST_LIST:
            raise broken(f"it has {len(text)} characters, and may have {LONGEST_LIST}")
        return text

    def acknowledge(self, alarm: AlarmName, comment: str, operator: Operator) -> int:
        """The native status. The form with six arguments is the one that works: domain and full name do not arrive.

        Raises:
            ProviderError: the call itself failed.
        """
        arguments = (alarm.name, alarm.provider, alarm.group, comment, operator.user, operator.node)
        return self._call("AlarmAckByName", *arguments)[0]

    def close(self) -> None:
        """Gives everything back; never raises."""
        if self._is_registered:
            self._quietly("DeregisterConsumer")
        if self._is_initialized:
            self._quietly("UninitializeConsumer")
        self._is_registered = self._is_initialized = False
        self._object.release()

    def _quietly(self, method: str) -> None:
        try:
            self._call(method)
        except (ProviderError, BackendLostError) as error:
            logger.info("the alarm consumer could not be closed in order reason=%s", error)

    def _do(self, method: str, *arguments: int | str, wants_text: bool = False) -> str | None:
        """A call that answers 0 when all is well."""
        status, text = self._call(method, *arguments, wants_text=wants_text)
        if status != 0:
            raise ProviderError(f"the alarm consumer's {method} answered {status}")
        return text

    def _call(self, method: str, *arguments: int | str, wants_text: bool = False) -> tuple[int, str | None]:
        try:
            return self._object.call(method, *arguments, wants_text=wants_text)
        except MxComError as error:
            raise ProviderError(f"the alarm consumer's {method} failed: {error}", error.hresult) from error


class ComAlarmProvider:
    """Implements `mxgateway_protocol.alarms.provider.AlarmProvider` on the consumer.

    Args:
        make: makes the COM object, on this thread.
        check_thread: refuses every thread but the apartment's.
    """

    def __init__(self, make: Callable[[], LateBound], check_thread: Callable[[], None]) -> None:
        self._make = make
        self._check_thread = check_thread
        self._expressions: list[AlarmExpression] = []
        self._query = ""
        self._list: ListReader | None = None
        self._reading: AlarmConsumer | None = None
        self._acknowledging: AlarmConsumer | None = None
        self._failures = 0

    def subscribe(self, request: AlarmSubscription) -> None:
        """See AlarmProvider."""
        self._check_thread()
        self.close()
        expressions = expressions_of(request)
        query = query_xml(expressions, request.display_mode)
        try:
            offset = zone_offset(request.time_zone)
        except ValueError as error:
            raise ProviderError(str(error), is_misconfigured=True) from error
        self._expressions, self._query = expressions, query
        self._open()
        self._list = ListReader(RecordReader(RecordClock(offset, request.date_order)), request.max_records)

    def _open(self) -> None:
        try:
            reading = self._reading = AlarmConsumer(self._make)
            reading.subscribe(self._expressions)
            reading.set_query(self._query)
            acknowledging = self._acknowledging = AlarmConsumer(self._make)
            acknowledging.subscribe(self._expressions)
        except BaseException:
            self._close_consumers()
            raise
        self._failures = 0

    def poll(self, now_ns: int) -> PollResult:
        """See AlarmProvider."""
        self._check_thread()
        records = self._list
        if records is None:
            raise ProviderError("the alarm consumer has no query yet", hresults.E_FAIL)
        if self._failures >= _FAILURES_UNTIL_ANEW:
            # The alarm manager may have been started anew, and does not know these consumers any more.
            self._close_consumers()
        try:
            if self._reading is None:
                self._open()
            assert self._reading is not None
            result = records.read(self._reading.records, now_ns)
        except ProviderError as error:
            # An answer that cannot be read is no reason to ask another consumer.
            self._failures += not error.is_broken_answer
            raise
        self._failures = 0
        for note in records.reader.take_notes():
            logger.info("%s", note)
        return result

    def acknowledge(self, alarm: AlarmName, comment: str, operator: Operator) -> Answer:
        """See AlarmProvider."""
        self._check_thread()
        if self._acknowledging is None:
            raise ProviderError("the alarm consumer is not registered", hresults.E_FAIL)
        status = self._acknowledging.acknowledge(alarm, comment, operator)
        return Answer(status, "" if status == 0 else f"AlarmAckByName answered {status}")

    def dismiss(self, alarm: AlarmName, operator: Operator) -> Answer:
        """See AlarmProvider; no call of the consumer's is known for it."""
        self._check_thread()
        return NOT_FOR_THIS_PROVIDER

    def shelve(self, alarm: AlarmName, hours: float, reason: str, operator: Operator) -> Answer:
        """See AlarmProvider; the consumer's own calls for it are not published."""
        self._check_thread()
        return NOT_FOR_THIS_PROVIDER

    def close(self) -> None:
        """See AlarmProvider."""
        self._check_thread()
        self._list = None
        self._close_consumers()

    def _close_consumers(self) -> None:
        consumers = (self._acknowledging, self._reading)
        self._acknowledging = self._reading = None
        for consumer in consumers:
            if consumer is not None:
                consumer.close()


class NoAlarmConsumer:
    """In the consumer's place where it is switched off: every question is one that nobody answers."""

    _WHY = "the alarm consumer is switched off (option alarm_consumer of the backend com)"

    def subscribe(self, request: AlarmSubscription) -> None:
        """See AlarmProvider."""
        raise ProviderError(self._WHY)

    def poll(self, now_ns: int) -> PollResult:
        """See AlarmProvider."""
        raise ProviderError(self._WHY)

    def acknowledge(self, alarm: AlarmName, comment: str, operator: Operator) -> Answer:
        """See AlarmProvider."""
        raise ProviderError(self._WHY)

    def dismiss(self, alarm: AlarmName, operator: Operator) -> Answer:
        """See AlarmProvider."""
        return NOT_FOR_THIS_PROVIDER

    def shelve(self, alarm: AlarmName, hours: float, reason: str, operator: Operator) -> Answer:
        """See AlarmProvider."""
        return NOT_FOR_THIS_PROVIDER

    def close(self) -> None:
        """See AlarmProvider."""
