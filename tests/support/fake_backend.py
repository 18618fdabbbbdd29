"""A scripted backend: LMXProxy's bookkeeping with values that a test sets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mxgateway_contract import hresults
from mxgateway_contract.status import OK, PENDING, Category, Detail, MxStatus, Source
from mxgateway_protocol.backend import BackendInfo, EventSink, Sample
from mxgateway_protocol.contract import CLASS_ID, PROG_ID
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import EMPTY, DataType, Variant, VarType
from mxgateway_protocol.wakeup import Wakeup

UNRESOLVED = (MxStatus(0, Category.CONFIGURATION_ERROR, Source.RESPONDING_LMX, Detail.INVALID_REFERENCE),)
GOOD = (OK,)
START_NS = 1_700_000_000_000_000_000


@dataclass
class Item:
    reference: str
    context: str = ""
    advised: bool = False
    resolved: bool = False
    buffered: bool = False
    suspended: bool = False


@dataclass
class Server:
    name: str
    items: dict[int, Item] = field(default_factory=dict)
    next_item: int = 1
    users: set[int] = field(default_factory=set)


class FakeBackend:
    """Delivers events only while pumped. `values` maps a lower-case reference to its current value.

    References that begin with `silent` never answer; unknown ones fail by OnDataChange. A passive one
    leaves the waiting to the executor altogether.
    """

    def __init__(
        self, values: Mapping[str, Variant] | None = None, *, is_passive: bool = False, opens_once: bool = False
    ) -> None:
        self.is_passive = is_passive
        self.opens_once = opens_once
        self.values: dict[str, Variant] = {
            "tank.level": Variant(VarType.VT_R8, 1.5, DataType.DOUBLE),
            "tank.count": Variant(VarType.VT_I4, 7, DataType.INTEGER),
            "tank.name": Variant(VarType.VT_BSTR, "T1", DataType.STRING),
            "tank.open": Variant(VarType.VT_BOOL, True, DataType.BOOLEAN),
            **{key.lower(): value for key, value in (values or {}).items()},
        }
        self.servers: dict[int, Server] = {}
        self.next_server = 1
        self.queue: list[Callable[[EventSink], None]] = []
        self.calls: list[str] = []
        self.sink: EventSink | None = None
        self.closed = False
        self.fail_next: Exception | None = None
        self.now_ns = START_NS
        self._woken = Wakeup()
        self.hang = threading.Event()
        self.hanging = False

    # ----------------------------------------------------------------------------------------------------- machinery
    @property
    def info(self) -> BackendInfo:
        return BackendInfo("fake", PROG_ID, CLASS_ID)

    def open(self, sink: EventSink) -> None:
        self.sink = sink

    def close(self, deadline: float | None = None) -> None:
        self.closed = True

    def wait(self, timeout: float) -> None:
        assert not self.is_passive
        self._woken.wait(timeout)

    def wake(self) -> None:
        assert not self.is_passive
        self._woken.set()

    def pump(self) -> float:
        assert self.sink is not None
        due, self.queue = self.queue, []
        for event in due:
            event(self.sink)
        return 0.0 if self.queue else 60.0

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error
        if self.hanging:
            self.hang.wait()

    def _server(self, handle: int) -> Server:
        if handle not in self.servers:
            raise MxComError(hresults.E_INVALIDARG, "unknown server handle")
        return self.servers[handle]

    def _item(self, server_handle: int, handle: int) -> Item:
        items = self._server(server_handle).items
        if handle not in items:
            raise MxComError(hresults.E_INVALIDARG, "unknown item handle")
        return items[handle]

    def change(self, reference: str, value: Variant, quality: int = 192) -> None:
        """Sets a value and queues the change for every item advised on it."""
        self.values[reference.lower()] = value
        self.now_ns += 1_000_000
        for server_handle, server in self.servers.items():
            for handle, item in server.items.items():
                if item.advised and item.reference.lower() == reference.lower():
                    self._post_change(server_handle, handle, value, quality, self.now_ns, GOOD)

    def _post_change(
        self, server: int, handle: int, value: Variant, quality: int, ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        self.queue.append(lambda sink: sink.on_data_change(server, handle, value, quality, ns, statuses))

    # ------------------------------------------------------------------------------------------------------- methods
    def register(self, client_name: str) -> int:
        self._called("register")
        if not client_name:
            raise MxComError(hresults.E_INVALIDARG, "empty client name")
        handle = self.next_server
        self.next_server += 1
        self.servers[handle] = Server(client_name)
        return handle

    def unregister(self, server_handle: int) -> None:
        self._called("unregister")
        self._server(server_handle)
        del self.servers[server_handle]

    def _add(self, server_handle: int, item: Item) -> int:
        server = self._server(server_handle)
        handle = server.next_item
        server.next_item += 1
        server.items[handle] = item
        return handle

    def add_item(self, server_handle: int, item_definition: str) -> int:
        self._called("add_item")
        return self._add(server_handle, Item(item_definition))

    def add_item2(self, server_handle: int, item_definition: str, item_context: str) -> int:
        self._called("add_item2")
        return self._add(server_handle, Item(item_definition, item_context))

    def remove_item(self, server_handle: int, item_handle: int) -> None:
        self._called("remove_item")
        self._item(server_handle, item_handle)
        del self.servers[server_handle].items[item_handle]

    def advise(self, server_handle: int, item_handle: int) -> None:
        self._called("advise")
        item = self._item(server_handle, item_handle)
        if item.advised:
            return
        item.advised = True
        reference = item.reference.lower()
        if reference.startswith("silent"):
            return
        value = self.values.get(reference)
        if value is None:
            self._post_change(server_handle, item_handle, EMPTY, 4, self.now_ns, UNRESOLVED)
        else:
            item.resolved = True
            self._post_change(server_handle, item_handle, value, 192, self.now_ns, GOOD)

    def un_advise(self, server_handle: int, item_handle: int) -> None:
        self._called("un_advise")
        self._item(server_handle, item_handle).advised = False

    def advise_supervisory(self, server_handle: int, item_handle: int) -> None:
        self.advise(server_handle, item_handle)

    def write(self, server_handle: int, item_handle: int, value: Variant, user_id: int) -> None:
        self._called("write")
        item = self._item(server_handle, item_handle)
        if not item.advised or not item.resolved or value.vartype in (VarType.VT_EMPTY, VarType.VT_NULL):
            raise MxComError(hresults.E_INVALIDARG, "Value does not fall within the expected range.")
        self.queue.append(lambda sink: sink.on_write_complete(server_handle, item_handle, GOOD))
        self.change(item.reference, value)

    def write2(self, server_handle: int, item_handle: int, value: Variant, time: Variant, user_id: int) -> None:
        self.write(server_handle, item_handle, value, user_id)

    def write_secured(
        self, server_handle: int, item_handle: int, current_user_id: int, verifier_user_id: int, value: Variant
    ) -> None:
        if not self._server(server_handle).users & {current_user_id, verifier_user_id}:
            raise MxComError(hresults.E_SECURED_WRITE_REFUSED)
        self.write(server_handle, item_handle, value, current_user_id)

    def write_secured2(
        self,
        server_handle: int,
        item_handle: int,
        current_user_id: int,
        verifier_user_id: int,
        value: Variant,
        time: Variant,
    ) -> None:
        self.write_secured(server_handle, item_handle, current_user_id, verifier_user_id, value)

    def authenticate_user(self, server_handle: int, user: str, password: str) -> int:
        self._called("authenticate_user")
        if password == "wrong":
            raise MxComError(hresults.E_INVALIDARG, "wrong user or password")
        users = self._server(server_handle).users
        users.add(1)
        return 1

    def archestra_user_to_id(self, server_handle: int, user_guid: str) -> int:
        return self.authenticate_user(server_handle, user_guid, "")

    def suspend(self, server_handle: int, item_handle: int) -> MxStatus:
        self._called("suspend")
        item = self._item(server_handle, item_handle)
        if not item.advised:
            return MxStatus(0, Category.CONFIGURATION_ERROR, Source.REQUESTING_LMX, 0)
        item.suspended = True
        self.queue.append(lambda sink: sink.operation_complete(server_handle, item_handle, GOOD))
        return PENDING

    def activate(self, server_handle: int, item_handle: int) -> MxStatus:
        self._called("activate")
        item = self._item(server_handle, item_handle)
        status = PENDING if item.suspended else OK
        item.suspended = False
        return status

    def add_buffered_item(self, server_handle: int, item_definition: str, item_context: str) -> int:
        self._called("add_buffered_item")
        handle = self._add(server_handle, Item(item_definition, item_context, buffered=True))
        value = self.values.get(item_definition.lower())
        if value is not None:
            sample = Sample(value, 192, self.now_ns)
            self.queue.append(
                lambda sink: sink.on_buffered_data_change(server_handle, handle, value.data_type, [sample], GOOD)
            )
        return handle

    def set_buffered_update_interval(self, server_handle: int, interval_ms: int) -> None:
        self._called("set_buffered_update_interval")
        self._server(server_handle)
        if interval_ms <= 0:
            raise MxComError(hresults.E_INVALIDARG, "interval")

    def inject_fault(self, fault: str, parameters: Mapping[str, str]) -> None:
        if fault == "hang_call":
            self.hanging = True
        elif fault == "flood_events":
            for number in range(int(parameters.get("count", "1000"))):
                for reference in ("tank.level",):
                    self.change(reference, Variant(VarType.VT_R8, float(number), DataType.DOUBLE))
        else:
            raise ValueError(f"no fault {fault}")


def create_backend(options: Mapping[str, str]) -> FakeBackend:
    """Factory for workers: `--allow-backend-path --backend tests.support.fake_backend:create_backend`."""
    if "fail_open" in options:
        raise MxComError(hresults.REGDB_E_CLASSNOTREG, "class not registered")
    return FakeBackend(is_passive="passive" in options)
