"""LMXProxyServer as a model: calls and a time go in, results come back, events go to the sink. It reads no clock.

Each call is documented with its checks in order; a failed check raises MxComError with the HRESULT. What no source
states for certain is a switch (see switches.py).
"""

from __future__ import annotations

from functools import partial

from mxgateway_contract import failures, hresults
from mxgateway_contract.status import OK, PENDING, Category, MxStatus, Source
from mxgateway_protocol.backend import EventSink
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import DataType, Variant, VarType
from mxgateway_simulator.lmx.coercion import CoercionError, coerce
from mxgateway_simulator.lmx.items import NOT_ADVISED, SUPERVISORY, USER, Item, PendingWrite, Server
from mxgateway_simulator.lmx.schedule import Schedule
from mxgateway_simulator.lmx.subscriptions import Subscriptions
from mxgateway_simulator.lmx.users import UserDirectory
from mxgateway_simulator.lmx.writing import Writes
from mxgateway_simulator.plant.entries import Key
from mxgateway_simulator.plant.galaxy_file import UserRow
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.plant_tags import PlantTags
from mxgateway_simulator.plant.tags import Binding

_MS = 10**6
_MOST_A_PUMP = 2000
_OPERATION_OK = MxStatus(-1, Category.OK, Source.REQUESTING_LMX, 0)


def _invalid(message: str) -> MxComError:
    return MxComError(hresults.E_INVALIDARG, message)


class LmxProxy:
    """One LMXProxyServer object: its server handles, items and users.

    All times are nanoseconds since 1970 UTC and must not go back; see `time_jumped`.
    """

    def __init__(self, plant: Plant, directory: UserDirectory, sink: EventSink) -> None:
        self._tags = tags = PlantTags(plant)
        self._switches = plant.switches
        self._directory = directory
        self._sink = sink
        self._schedule = Schedule()
        self._subscriptions = Subscriptions(tags, self._schedule, sink)
        self._writes = Writes(
            tags=tags, directory=directory, subscriptions=self._subscriptions, schedule=self._schedule, sink=sink
        )
        self._servers: dict[int, Server] = {}
        self._next_server = 1

    def use_sink(self, sink: EventSink) -> None:
        """Delivers to another sink from now on."""
        self._sink = self._subscriptions.sink = self._writes.sink = sink

    # ----------------------------------------------------------------------------------------------- time and the plant

    def use_turn(self, delay_ns: int) -> None:
        """Tells of changes on a grid so long after them: it is other sessions' turn before."""
        self._subscriptions.turn_ns = delay_ns

    @property
    def tags(self) -> PlantTags:
        """The attributes of the plant, as this session looks at them."""
        return self._tags

    @property
    def is_idle(self) -> bool:
        """Whether nothing is advised."""
        return self._subscriptions.is_idle

    def pump(self, now_ns: int) -> int | None:
        """Delivers what is due; returns when the next is, `now_ns` for at once, None for never."""
        self._schedule.run(now_ns, _MOST_A_PUMP)
        self._writes.carry_out(now_ns)
        if self._subscriptions.is_flooding:
            self._subscriptions.flood(now_ns)
            return now_ns
        return self._schedule.next_due()

    def board_changed(self, keys: set[Key], now_ns: int) -> None:
        """Another session changed entries of the board."""
        self._subscriptions.board_changed(keys, now_ns)

    def galaxy_changed(self, now_ns: int) -> None:
        """Objects were deployed or undeployed."""
        self._tags.galaxy_changed()
        self._subscriptions.galaxy_changed(now_ns)

    def time_jumped(self, delta_ns: int) -> None:
        """The clock was set; what is due stays due after the same time."""
        self._schedule.shift(delta_ns)
        self._subscriptions.time_jumped(delta_ns)

    # ---------------------------------------------------------------------------------------------------------- handles

    def _server(self, server_handle: int) -> Server:
        server = self._servers.get(server_handle)
        if server is None:
            raise _invalid(f"there is no server handle {server_handle}")
        return server

    def _item(self, server_handle: int, item_handle: int) -> Item:
        item = self._server(server_handle).items.get(item_handle)
        if item is None:
            raise _invalid(f"there is no item handle {item_handle}")
        return item

    def register(self, client_name: str) -> int:
        """An empty name is E_INVALIDARG. Handles count from 1 and are never used again."""
        if not client_name:
            raise _invalid("the client name is empty")
        handle, self._next_server = self._next_server, self._next_server + 1
        interval = self._switches.buffered_default_interval_ms * _MS
        self._servers[handle] = Server(handle, client_name, max(interval, 100 * _MS))
        return handle

    def unregister(self, server_handle: int) -> None:
        """Drops items and users without a word; nothing is delivered afterwards."""
        server = self._server(server_handle)
        for item in list(server.items.values()):
            self._drop(item)
        del self._servers[server_handle]

    def add_item(self, server_handle: int, definition: str | None, context: str | None = "") -> int:
        """Takes any text; a null one is E_ACCESSDENIED. Whether it leads anywhere is told by the first callback."""
        return self._add(server_handle, definition, context, is_buffered=False).handle

    def _add(self, server_handle: int, definition: str | None, context: str | None, *, is_buffered: bool) -> Item:
        server = self._server(server_handle)
        if definition is None or context is None:
            raise MxComError(hresults.E_ACCESSDENIED, "the item definition is null")
        if self._switches.equal_references_share_handle:
            for known in server.items.values():
                if (known.reference, known.context, known.is_buffered) == (definition, context, is_buffered):
                    return known
        item = Item(
            server=server, handle=server.next_item, reference=definition, context=context, is_buffered=is_buffered
        )
        server.next_item += 1
        server.items[item.handle] = item
        return item

    def add_buffered_item(self, server_handle: int, definition: str | None, context: str | None, now_ns: int) -> int:
        """As AddItem2, and subscribes in the same step; values come by OnBufferedDataChange only."""
        item = self._add(server_handle, definition, context, is_buffered=True)
        if item.advise == NOT_ADVISED:
            item.advise = USER
            self._subscriptions.start(item, now_ns)
        return item.handle

    def remove_item(self, server_handle: int, item_handle: int) -> None:
        """An advised item is un-advised first; completions under way are dropped; the handle is never used again."""
        item = self._item(server_handle, item_handle)
        if item.advise != NOT_ADVISED and self._switches.remove_advised == "e_invalidarg":
            raise _invalid(f"item handle {item_handle} is advised")
        self._drop(item)
        del item.server.items[item_handle]

    def _drop(self, item: Item) -> None:
        self._subscriptions.stop(item)
        item.advise = NOT_ADVISED
        item.is_removed = True

    # ----------------------------------------------------------------------------------------------------------- advise

    def advise(self, server_handle: int, item_handle: int, kind: int, now_ns: int) -> None:
        """Starts a user (Advise) or supervisory (AdviseSupervisory) connection; the outcome comes by OnDataChange."""
        item = self._item(server_handle, item_handle)
        if item.advise != NOT_ADVISED:
            if self._switches.double_advise == "e_invalidarg":
                raise _invalid(f"item handle {item_handle} is advised already")
            if kind == SUPERVISORY and self._switches.double_advise_upgrades:
                item.advise = SUPERVISORY
            return
        item.advise = kind
        self._subscriptions.start(item, now_ns)

    def un_advise(self, server_handle: int, item_handle: int) -> None:
        """Ends either kind of connection; one that does not exist ends with success."""
        item = self._item(server_handle, item_handle)
        if item.advise == NOT_ADVISED:
            if self._switches.unadvise_unadvised == "e_invalidarg":
                raise _invalid(f"item handle {item_handle} is not advised")
            return
        self._subscriptions.stop(item)
        item.advise = NOT_ADVISED

    # ---------------------------------------------------------------------------------------------------------- writing

    def write(
        self,
        server_handle: int,
        item_handle: int,
        value: Variant,
        user_id: int,
        now_ns: int,
        time: Variant | None = None,
    ) -> None:
        """E_INVALIDARG unless the item is advised, its type is known, and there is a value; else completed by event."""
        item, binding, time_ns = self._writeable(server_handle, item_handle, value, time)
        user = item.server.users.get(user_id)
        self._writes.accept(
            PendingWrite(item=item, binding=binding, value=value, time_ns=time_ns, advise=item.advise, user=user),
            now_ns,
        )

    def write_secured(
        self,
        server_handle: int,
        item_handle: int,
        current_user_id: int,
        verifier_user_id: int,
        value: Variant,
        now_ns: int,
        time: Variant | None = None,
    ) -> None:
        """As write; and 0x80004021 while the server handle holds no authenticated user."""
        item, binding, time_ns = self._writeable(server_handle, item_handle, value, time)
        users = item.server.users
        if not users and self._switches.secured_needs_authenticated_user:
            raise MxComError(hresults.E_SECURED_WRITE_REFUSED, "no user was authenticated on this server handle")
        current, verifier = users.get(current_user_id), users.get(verifier_user_id)
        write = PendingWrite(
            item=item,
            binding=binding,
            value=value,
            time_ns=time_ns,
            advise=item.advise,
            user=current,
            secured=True,
            verifier=verifier,
        )
        self._writes.accept(write, now_ns)

    def _writeable(
        self, server_handle: int, item_handle: int, value: Variant, time: Variant | None
    ) -> tuple[Item, Binding, int | None]:
        item = self._item(server_handle, item_handle)
        if item.advise == NOT_ADVISED:
            raise _invalid(f"item handle {item_handle} is not advised")
        if item.binding is None or not item.is_connected:
            raise _invalid(f"the type of item handle {item_handle} is not known yet")
        if value.vartype in (VarType.VT_EMPTY, VarType.VT_NULL):
            raise _invalid("the value is empty")
        time_ns = None
        if time is not None:
            try:
                time_ns = coerce(time, DataType.TIME)
            except CoercionError:
                raise _invalid("the time is no time") from None
        return item, item.binding, time_ns

    # ------------------------------------------------------------------------------------------------------------ users

    def authenticate_user(self, server_handle: int, user: str, password: str) -> int:
        """With security off 1 for anybody; a wrong pair is E_INVALIDARG. Ids belong to the server handle."""
        server = self._server(server_handle)
        if not self._directory.is_on:
            server.users[1] = None
            return 1
        found = self._directory.authenticate(user, password)
        if found is None:
            raise _invalid("user and password do not belong together")
        return self._user_id(server, found)

    def archestra_user_to_id(self, server_handle: int, user_guid: str) -> int:
        """With security off 1; an unknown GUID is E_INVALIDARG."""
        server = self._server(server_handle)
        if not self._directory.is_on:
            server.users[1] = None
            return 1
        found = self._directory.by_guid(user_guid)
        if found is None:
            raise _invalid("there is no user with this GUID")
        return self._user_id(server, found)

    @staticmethod
    def _user_id(server: Server, user: UserRow) -> int:
        for user_id, known in server.users.items():
            if known is user:
                return user_id
        user_id, server.next_user = server.next_user, server.next_user + 1
        server.users[user_id] = user
        return user_id

    # ------------------------------------------------------------------------------------------------------- suspending

    def suspend(self, server_handle: int, item_handle: int, now_ns: int) -> MxStatus:
        """Stops changes of an advised item: Pending at once, OperationComplete later."""
        item = self._item(server_handle, item_handle)
        if item.advise == NOT_ADVISED and self._switches.suspend_unadvised_fails:
            return failures.NOT_ADVISED
        if item.is_suspended:
            return OK if self._switches.suspend_again == "ok" else PENDING
        item.is_suspended = True
        self._operate(item, now_ns, resumed=False)
        return PENDING

    def activate(self, server_handle: int, item_handle: int, now_ns: int) -> MxStatus:
        """Resumes a suspended item; one that is not suspended answers success, and nothing follows."""
        item = self._item(server_handle, item_handle)
        if not item.is_suspended:
            return OK
        item.is_suspended = False
        self._operate(item, now_ns, resumed=True)
        return PENDING

    def _operate(self, item: Item, now_ns: int, *, resumed: bool) -> None:
        due = now_ns + self._switches.operation_latency_ms * _MS
        self._schedule.add(due, partial(self._complete_operation, item, item.generation, resumed))

    def _complete_operation(self, item: Item, generation: int, resumed: bool, now_ns: int) -> None:
        if generation != item.generation:
            return
        if not resumed or self._switches.operation_complete_on_activate:
            self._sink.operation_complete(item.server.handle, item.handle, (_OPERATION_OK,))
        if self._switches.suspend_failed_callback and self._subscriptions.tell_failure(item, now_ns):
            return
        if resumed:
            self._subscriptions.show_again(item, now_ns)
        elif self._switches.suspended_callback and item.is_suspended:
            self._subscriptions.show_suspended(item, now_ns)

    def set_buffered_update_interval(self, server_handle: int, interval_ms: int) -> None:
        """For all buffered items of the handle, rounded up to 100 ms; 0 or less is E_INVALIDARG."""
        server = self._server(server_handle)
        if interval_ms <= 0:
            raise _invalid(f"the interval is {interval_ms} ms")
        server.buffered_interval_ns = -(-interval_ms // 100) * 100 * _MS
