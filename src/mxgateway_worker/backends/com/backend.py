"""The COM object behind the worker's seam: handles kept in mind for the teardown, failures as MXAccess says them."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mxgateway_contract import hresults
from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import BackendInfo, EventSink
from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_protocol.errors import BackendLostError, BackendOptionError, MxComError
from mxgateway_protocol.variants import Variant
from mxgateway_worker.backends.com.identity import ALARM_CONSUMER, CLASS_ID, METHODS, PROG_ID
from mxgateway_worker.backends.com.images import read_status
from mxgateway_worker.backends.com.ports import Apartment, Argument, Deliver, LateBound, LmxObject, ServerFile

if TYPE_CHECKING:
    # Loaded by those workers only that watch alarms.
    from mxgateway_protocol.alarms.provider import AlarmProvider

logger = logging.getLogger(__name__)

_OPTIONS = frozenset({"time", "pump_budget_ms", "alarm_consumer"})
_CLASS = re.compile(r"[A-Za-z][\w.]{0,63}|\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}", re.ASCII)
PUMP_BUDGET = 0.004
"""Seconds of a pump: how long a flood of events may hold a command back."""
_UNTIL_MESSAGE = 1.0

MakeApartment = Callable[["ComOptions"], Apartment]


class ComOptions:
    """What a COM worker can be told.

    Attributes:
        is_local_time: whether VT_DATE and text times are the node's local time (`time = local`); else UTC.
        alarm_consumer: ProgID, or CLSID in braces, of the alarm manager's consumer; empty for none
            (`alarm_consumer = off`).
        pump_budget: seconds of one pump (`pump_budget_ms`).
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        """Raises:
        BackendOptionError: no such option, or a value that it does not take.
        """
        unknown = sorted(options.keys() - _OPTIONS)
        if unknown:
            raise BackendOptionError(
                f"the backend com has no option {unknown[0]!r}; it has: {', '.join(sorted(_OPTIONS))}"
            )
        time = options.get("time", "utc")
        if time not in ("utc", "local"):
            raise BackendOptionError(f"time = {time!r}: it takes utc or local")
        self.is_local_time = time == "local"
        text = options.get("pump_budget_ms", "4")
        try:
            budget = float(text)
        except ValueError:
            budget = math.nan
        if not 0.1 <= budget <= 1000:
            raise BackendOptionError(f"pump_budget_ms = {text!r}: it takes 0.1 to 1000 milliseconds")
        self.pump_budget = budget / 1000
        consumer = options.get("alarm_consumer", ALARM_CONSUMER)
        if not _CLASS.fullmatch(consumer):
            raise BackendOptionError(
                f"alarm_consumer = {consumer!r}: it takes a ProgID such as {ALARM_CONSUMER}, a CLSID in braces, or off"
            )
        self.alarm_consumer = "" if consumer == "off" else consumer


class ComBackend:
    """LMXProxyServer on the thread that opens it.

    Args:
        make_apartment: COM, or a stand-in for it.
        make_deliver: what takes the events of a sink.
    """

    is_passive = False
    # Whether LMXProxy may be made twice in one process is written nowhere.
    opens_once = True

    def __init__(
        self,
        options: ComOptions,
        make_apartment: MakeApartment,
        make_deliver: Callable[[EventSink], Deliver],
        clock: Clock | None = None,
    ) -> None:
        self._options = options
        self._make_apartment = make_apartment
        self._make_deliver = make_deliver
        self._clock = clock or SystemClock()
        self._apartment: Apartment | None = None
        self._object: LmxObject | None = None
        self._thread = 0
        self._deliver: Deliver | None = None
        # Server handle → item handle → whether it is advised: what the teardown has to undo.
        self._servers: dict[int, dict[int, bool]] = {}
        self._alarm_providers: list[AlarmProvider] = []

    @property
    def info(self) -> BackendInfo:
        file = self.server_file
        return BackendInfo("com", PROG_ID, CLASS_ID, self.interface_version, file.path, file.version)

    @property
    def interface_version(self) -> int:
        """The newest ILMXProxyServer interface of the object, 1 to 5; 0 while there is none."""
        return 0 if self._object is None else self._object.interface_version

    @property
    def server_file(self) -> ServerFile:
        """The DLL that holds the class."""
        return ServerFile() if self._object is None else self._object.file

    def wrap_delivery(self, wrap: Callable[[Deliver], Deliver]) -> None:
        """Before it is opened: lets somebody look at events as they come."""
        make = self._make_deliver
        self._make_deliver = lambda sink: wrap(make(sink))

    # --------------------------------------------------------------------------------------------------------- life

    def open(self, sink: EventSink) -> None:
        """Enters the apartment, makes the object and connects its events, before anything is registered.

        Raises:
            MxComError: no MXAccess on this node, or not for this process.
        """
        self._thread = threading.get_ident()
        apartment = self._make_apartment(self._options)
        apartment.enter()
        self._apartment = apartment
        self._deliver = self._make_deliver(sink)
        try:
            self._object = apartment.create(self._event)
        except BaseException:
            self._apartment = None
            apartment.leave()
            raise
        file = self._object.file
        logger.info(
            "MXAccess is open interface=%d file=%s version=%s", self._object.interface_version, file.path, file.version
        )

    def close(self, deadline: float | None = None) -> None:
        """Undoes in order what the session did, as far as the time allows, and leaves the apartment.

        Args:
            deadline: monotonic time after which single items are not undone any more: Unregister takes them along.

        Raises:
            BackendLostError: LMXProxy broke down in the middle; all that is left of it stays as it is.
        """
        apartment, lmx = self._apartment, self._object
        if apartment is None or lmx is None:
            return
        self._check_thread()
        for provider in self._alarm_providers:
            self._quietly("closing the alarm consumer", provider.close)
        self._alarm_providers.clear()
        self._undo(lmx, deadline)
        # Nothing may come in any more while the object goes.
        self._quietly("disconnecting the events", lmx.disconnect)
        self._deliver = None
        self._object = self._apartment = None
        left = self._quietly("releasing LMXProxy", lmx.release)
        if left:
            logger.warning("LMXProxy is still referenced count=%d", left)
        self._quietly("leaving the apartment", apartment.leave)

    def _undo(self, lmx: LmxObject, deadline: float | None) -> None:
        for server, items in list(self._servers.items()):
            for item, is_advised in list(items.items()):
                if deadline is not None and self._clock.monotonic() >= deadline:
                    logger.warning("no time to remove single items server=%d items=%d", server, len(items))
                    break
                if is_advised:
                    self._quietly("UnAdvise", lambda s=server, i=item: lmx.call("un_advise", s, i))  # type: ignore[misc]
                self._quietly("RemoveItem", lambda s=server, i=item: lmx.call("remove_item", s, i))  # type: ignore[misc]
            self._quietly("Unregister", lambda s=server: lmx.call("unregister", s))  # type: ignore[misc]
        self._servers.clear()

    @staticmethod
    def _quietly(what: str, step: Callable[[], int | bytes | None]) -> int | bytes | None:
        """A step of the teardown; one that fails must not keep the next ones from being tried.

        Raises:
            BackendLostError: LMXProxy broke down in it. Its locks may be held for good: nothing more is asked of it.
        """
        try:
            return step()
        except BackendLostError:
            raise
        except Exception as error:  # noqa: BLE001 — whatever it is, the next step is worth trying
            logger.warning("teardown: %s failed reason=%s", what, error)
            return None

    # ------------------------------------------------------------------------------------------------------ messages

    def wait(self, timeout: float) -> None:
        apartment = self._apartment
        assert apartment is not None
        apartment.wait(timeout)

    def wake(self) -> None:
        apartment = self._apartment
        if apartment is not None:
            apartment.wake()

    def pump(self) -> float:
        """Bounded by time, not by count: how many events one message carries is LMXProxy's affair.

        Raises:
            BackendLostError: LMXProxy broke down while it delivered.
        """
        self._check_thread()
        apartment = self._apartment
        if apartment is None:
            return _UNTIL_MESSAGE
        return 0.0 if apartment.pump(self._options.pump_budget) else _UNTIL_MESSAGE

    def _event(self, source: str, dispid: int, arguments: bytes) -> None:
        if threading.get_ident() != self._thread:
            logger.error("an event came on a thread that is not the apartment's; it is dropped dispid=%d", dispid)
            return
        if self._deliver is not None:
            self._deliver(source, dispid, arguments)

    # ------------------------------------------------------------------------------------------------------- methods

    def _check_thread(self) -> None:
        # COM does not refuse a call on an in-process pointer from a wrong thread; LMXProxy's data would be at stake.
        if threading.get_ident() != self._thread:
            raise RuntimeError("the COM object belongs to the thread that opened it")

    def _call(self, name: str, *arguments: Argument) -> int | bytes | None:
        self._check_thread()
        lmx = self._object
        if lmx is None:
            raise MxComError(hresults.E_FAIL, "MXAccess is not open")
        method = METHODS[name]
        if lmx.interface_version < method.since:
            raise MxComError(
                hresults.E_NOTIMPL,
                f"{method.name} needs ILMXProxyServer{method.since}; this node's LMXProxy ends at "
                f"{lmx.interface_version}",
            )
        return lmx.call(name, *arguments)

    def _handle(self, name: str, *arguments: Argument) -> int:
        result = self._call(name, *arguments)
        assert isinstance(result, int)
        return result

    def register(self, client_name: str) -> int:
        handle = self._handle("register", client_name)
        self._servers[handle] = {}
        return handle

    def unregister(self, server_handle: int) -> None:
        self._call("unregister", server_handle)
        self._servers.pop(server_handle, None)

    def add_item(self, server_handle: int, item_definition: str) -> int:
        return self._added(server_handle, self._handle("add_item", server_handle, item_definition))

    def add_item2(self, server_handle: int, item_definition: str, item_context: str) -> int:
        return self._added(server_handle, self._handle("add_item2", server_handle, item_definition, item_context))

    def add_buffered_item(self, server_handle: int, item_definition: str, item_context: str) -> int:
        handle = self._handle("add_buffered_item", server_handle, item_definition, item_context)
        return self._added(server_handle, handle, is_advised=True)

    def _added(self, server_handle: int, item_handle: int, *, is_advised: bool = False) -> int:
        self._servers.setdefault(server_handle, {})[item_handle] = is_advised
        return item_handle

    def remove_item(self, server_handle: int, item_handle: int) -> None:
        self._call("remove_item", server_handle, item_handle)
        self._servers.get(server_handle, {}).pop(item_handle, None)

    def advise(self, server_handle: int, item_handle: int) -> None:
        self._call("advise", server_handle, item_handle)
        self._note_advised(server_handle, item_handle, is_advised=True)

    def advise_supervisory(self, server_handle: int, item_handle: int) -> None:
        self._call("advise_supervisory", server_handle, item_handle)
        self._note_advised(server_handle, item_handle, is_advised=True)

    def un_advise(self, server_handle: int, item_handle: int) -> None:
        self._call("un_advise", server_handle, item_handle)
        self._note_advised(server_handle, item_handle, is_advised=False)

    def _note_advised(self, server_handle: int, item_handle: int, *, is_advised: bool) -> None:
        items = self._servers.get(server_handle)
        if items is not None and item_handle in items:
            items[item_handle] = is_advised

    def write(self, server_handle: int, item_handle: int, value: Variant, user_id: int) -> None:
        self._call("write", server_handle, item_handle, value, user_id)

    def write2(self, server_handle: int, item_handle: int, value: Variant, time: Variant, user_id: int) -> None:
        self._call("write2", server_handle, item_handle, value, time, user_id)

    def write_secured(
        self, server_handle: int, item_handle: int, current_user_id: int, verifier_user_id: int, value: Variant
    ) -> None:
        self._call("write_secured", server_handle, item_handle, current_user_id, verifier_user_id, value)

    def write_secured2(
        self,
        server_handle: int,
        item_handle: int,
        current_user_id: int,
        verifier_user_id: int,
        value: Variant,
        time: Variant,
    ) -> None:
        self._call("write_secured2", server_handle, item_handle, current_user_id, verifier_user_id, value, time)

    def authenticate_user(self, server_handle: int, user: str, password: str) -> int:
        return self._handle("authenticate_user", server_handle, user, password)

    def archestra_user_to_id(self, server_handle: int, user_guid: str) -> int:
        return self._handle("archestra_user_to_id", server_handle, user_guid)

    def suspend(self, server_handle: int, item_handle: int) -> MxStatus:
        return self._status("suspend", server_handle, item_handle)

    def activate(self, server_handle: int, item_handle: int) -> MxStatus:
        return self._status("activate", server_handle, item_handle)

    def _status(self, name: str, server_handle: int, item_handle: int) -> MxStatus:
        result = self._call(name, server_handle, item_handle)
        assert isinstance(result, bytes)
        return read_status(result)

    def set_buffered_update_interval(self, server_handle: int, interval_ms: int) -> None:
        self._call("set_buffered_update_interval", server_handle, interval_ms)

    # ---------------------------------------------------------------------------------------------------------- alarms

    def alarm_provider(self) -> AlarmProvider:
        """The alarm manager's consumer, in the same apartment; nothing of it is made before it is subscribed."""
        # Loaded by those workers only that watch alarms.
        from mxgateway_worker.backends.com.alarm_consumer import ComAlarmProvider, NoAlarmConsumer

        self._check_thread()
        name = self._options.alarm_consumer
        if not name:
            return NoAlarmConsumer()

        def make() -> LateBound:
            if self._apartment is None:
                raise MxComError(hresults.E_FAIL, "MXAccess is not open")
            return self._apartment.create_late_bound(name)

        provider = ComAlarmProvider(make, self._check_thread)
        # One subscription at a time; the one before it is closed.
        self._alarm_providers[:] = [provider]
        return provider

    # ------------------------------------------------------------------------------------------------ beyond MXAccess

    def inject_fault(self, fault: str, parameters: Mapping[str, str]) -> None:
        """Faults are the stand-in's; MXAccess itself takes none.

        Raises:
            ValueError: no such fault here.
        """
        self._check_thread()
        pairs = ",".join(f"{name}={value}" for name, value in sorted(parameters.items()))
        if self._object is None or not self._object.control(f"{fault}:{pairs}" if pairs else fault):
            raise ValueError(f"no fault {fault} here: MXAccess itself takes none, and the stand-in does not know it")


def create_backend(options: Mapping[str, str]) -> ComBackend:
    """Factory for workers; loads nothing of Windows before it is opened."""

    def make_apartment(chosen: ComOptions) -> Apartment:
        from mxgateway_worker.backends.com.windows import WindowsApartment

        return WindowsApartment(chosen.is_local_time)

    def make_deliver(sink: EventSink) -> Deliver:
        from mxgateway_worker.backends.com.windows import event_reader

        return event_reader(sink, parsed.is_local_time).deliver

    parsed = ComOptions(options)
    return ComBackend(parsed, make_apartment, make_deliver)
