"""The alarm manager's XML consumer as far as it is published, over the simulated plant: with the quirks that it has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import fromstring

from mxgateway_contract import hresults
from mxgateway_protocol.alarms.provider import AlarmName, AlarmSubscription, Operator, ProviderError
from mxgateway_protocol.errors import MxComError
from mxgateway_simulator.alarm_manager import AlarmManager

NOT_REGISTERED = -1
STUB = -55
"""What AlarmAckByName answers on a consumer with a query, and always in its longer form."""


@dataclass
class FakeConsumers:
    """Makes consumers, and misbehaves as a test wants.

    Attributes:
        managers: makes an alarm manager of the plant, one for each consumer.
        refused: raised by the making of an object while it is set.
        fails: what a method does in place of its work: a native status, or an HRESULT to raise.
        takes_expressions: whether Subscribe takes an expression alone.
        made: every consumer so far.
    """

    managers: Callable[[], AlarmManager]
    refused: MxComError | None = None
    fails: dict[str, int | MxComError] = field(default_factory=dict)
    takes_expressions: bool = True
    made: list[FakeConsumer] = field(default_factory=list)

    def make(self) -> FakeConsumer:
        if self.refused is not None:
            raise self.refused
        self.made.append(FakeConsumer(self, self.managers()))
        return self.made[-1]

    @property
    def open(self) -> list[FakeConsumer]:
        """Those that were not given back."""
        return [each for each in self.made if not each.is_released]


class FakeConsumer:
    """One consumer; implements `ports.LateBound`."""

    def __init__(self, consumers: FakeConsumers, manager: AlarmManager) -> None:
        self._consumers = consumers
        self._manager = manager
        self._thread = threading.get_ident()
        self.calls: list[tuple[int | str, ...]] = []
        self.is_initialized = self.is_registered = self.has_query = self.is_released = False

    def call(self, method: str, *arguments: int | str, wants_text: bool = False) -> tuple[int, str | None]:
        assert threading.get_ident() == self._thread, "COM would not refuse it"
        assert not self.is_released, "the memory behind it is somebody else's"
        self.calls.append((method, *arguments))
        failure = self._consumers.fails.get(method)
        if isinstance(failure, MxComError):
            raise failure
        if failure is not None:
            return failure, None
        found: int | str = getattr(self, f"_{method}", self._unknown)(*arguments)
        assert isinstance(found, str) is wants_text
        return (0, found) if isinstance(found, str) else (found, None)

    def release(self) -> None:
        self._manager.close()
        self.is_released = True

    def _unknown(self, *_: int | str) -> int:
        raise MxComError(hresults.DISP_E_UNKNOWNNAME, "no such method")

    # ---------------------------------------------------------------------------------------------------------- methods

    def _InitializeConsumer(self, application: str) -> int:
        self.is_initialized = True
        return 0

    def _RegisterConsumer(self, window: int, product: str, application: str, version: str) -> int:
        self.is_registered = self.is_initialized
        return 0 if self.is_registered else NOT_REGISTERED

    def _Subscribe(self, *arguments: str) -> int:
        if not self._consumers.takes_expressions:
            raise MxComError(hresults.DISP_E_BADPARAMCOUNT, "")
        if not self.is_registered:
            return NOT_REGISTERED
        self._open(arguments[0])
        return 0

    def _SetXmlAlarmQuery(self, xml: str) -> int:
        if not self.is_registered:
            return NOT_REGISTERED
        queries = [
            f"\\\\{each.findtext('NODE')}\\{each.findtext('PROVIDER')}!{each.findtext('GROUP')}"
            for each in fromstring(xml)
        ]
        self._open(*queries)
        self.has_query = True
        return 0

    def _open(self, *expressions: str) -> None:
        try:
            self._manager.subscribe(AlarmSubscription(expressions, time_zone="UTC"))
        except ProviderError as error:
            raise MxComError(error.hresult or hresults.E_FAIL, str(error)) from error

    def _GetXmlCurrentAlarms2(self, most: int) -> str:
        if not self.has_query:
            raise MxComError(hresults.E_FAIL, "")
        manager = self._manager
        failing = manager._faults.strike_alarms("fail_poll")
        if failing is not None:
            raise MxComError(failing.hresult or hresults.E_FAIL, "")
        manager._look()
        fresh, gone = manager._refresh(manager._now_ns())
        if fresh or gone:
            manager._text = ""
        return manager._answer(most)

    def _AlarmAckByName(self, *arguments: str) -> int:
        if len(arguments) != 6 or self.has_query:
            return STUB
        name, provider, group, comment, user, node = arguments
        if not self._manager.is_open:
            # Whether a consumer that only acknowledges has to subscribe is not published; this one need not.
            self._open(f"\\{provider}!*")
        return self._manager.acknowledge(AlarmName(name, provider, group), comment, Operator(user, node)).native_status

    def _AlarmAckByGUID(self, *arguments: str) -> int:
        raise MxComError(hresults.E_NOTIMPL, "")

    def _DeregisterConsumer(self) -> int:
        self.is_registered = False
        return 0

    def _UninitializeConsumer(self) -> int:
        self.is_initialized = False
        return 0
