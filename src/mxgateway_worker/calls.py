"""The backend's methods as a session calls them: on the executor thread, with the session's items kept in step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.backend import Backend
from mxgateway_protocol.contract import MAX_SESSION_ITEMS, MAX_SESSION_REGISTRATIONS
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.values import from_wire
from mxgateway_protocol.variants import Variant
from mxgateway_worker.executor import Executor
from mxgateway_worker.items import TrackedItem
from mxgateway_worker.sink import SessionSink


class LimitReachedError(Exception):
    """The session holds, or a reply would have, as much as it may; the text names the limit and its setting."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What a session may hold at most."""

    items: int = MAX_SESSION_ITEMS
    registrations: int = MAX_SESSION_REGISTRATIONS


USUAL_LIMITS = SessionLimits()


class InvalidCommandError(Exception):
    """A command that cannot be carried out as it stands; MXAccess does not see it."""


class SessionCalls:
    """Every call of MXAccess that commands make. Failures raise MxComError as the backend gives them.

    What adds an item or registers raises LimitReachedError, before MXAccess sees it, when the session has its number.
    """

    def __init__(
        self, backend: Backend, sink: SessionSink, executor: Executor, limits: SessionLimits = USUAL_LIMITS
    ) -> None:
        self._backend = backend
        self._sink = sink
        self._items = sink.items
        self._limits = limits
        self._registered: set[int] = set()
        self._check_thread = executor.check_thread

    @property
    def backend(self) -> Backend:
        """The backend, for calls that leave the items as they are."""
        self._check_thread()
        return self._backend

    def require_room(self, items: int) -> None:
        """Whether so many more items may be added.

        Raises:
            LimitReachedError: they may not.
        """
        held = len(self._items.by_key)
        if held + items > self._limits.items:
            raise LimitReachedError(
                f"the session has {held} items and may have {self._limits.items} (setting "
                "sessions.max_items_per_session): remove some, or open another session"
            )

    def register(self, client_name: str) -> int:
        if len(self._registered) >= self._limits.registrations:
            raise LimitReachedError(
                f"the session has its {self._limits.registrations} registrations (setting "
                "sessions.max_registrations_per_session): unregister one"
            )
        handle = self.backend.register(client_name)
        self._registered.add(handle)
        return handle

    def unregister(self, server_handle: int) -> None:
        self.backend.unregister(server_handle)
        self._registered.discard(server_handle)
        self._items.discard_server(server_handle)

    def add_item(self, server_handle: int, item_definition: str, client_handle: int = 0) -> TrackedItem:
        self.require_room(1)
        handle = self.backend.add_item(server_handle, item_definition)
        return self._sink.track(server_handle, handle, item_definition, client_handle)

    def add_item2(
        self, server_handle: int, item_definition: str, item_context: str, client_handle: int = 0
    ) -> TrackedItem:
        self.require_room(1)
        handle = self.backend.add_item2(server_handle, item_definition, item_context)
        return self._sink.track(server_handle, handle, "" if item_context else item_definition, client_handle)

    def add_buffered_item(
        self, server_handle: int, item_definition: str, item_context: str, client_handle: int = 0
    ) -> TrackedItem:
        self.require_room(1)
        with self._items.adding_buffered():
            handle = self.backend.add_buffered_item(server_handle, item_definition, item_context)
        return self._sink.track(server_handle, handle, "", client_handle)

    def remove_item(self, server_handle: int, item_handle: int) -> None:
        self.backend.remove_item(server_handle, item_handle)
        self._items.discard(server_handle, item_handle)

    def advise(self, server_handle: int, item_handle: int) -> None:
        self._advise(self.backend.advise, server_handle, item_handle)

    def advise_supervisory(self, server_handle: int, item_handle: int) -> None:
        self._advise(self.backend.advise_supervisory, server_handle, item_handle)

    def _advise(self, advise: Callable[[int, int], None], server_handle: int, item_handle: int) -> None:
        # First, so that a value that comes inside the call already counts.
        item = self._items.get(server_handle, item_handle)
        was_advised = item is not None and item.advised
        self._items.set_advised(server_handle, item_handle, True)
        self._sink.expect_first_value()
        try:
            advise(server_handle, item_handle)
        except BaseException:
            self._items.set_advised(server_handle, item_handle, was_advised)
            raise

    def un_advise(self, server_handle: int, item_handle: int) -> None:
        self.backend.un_advise(server_handle, item_handle)
        self._items.set_advised(server_handle, item_handle, False)

    def subscribe(self, server_handle: int, item_definition: str, client_handle: int = 0) -> TrackedItem:
        """AddItem and Advise; leaves no item behind when the second fails."""
        item = self.add_item(server_handle, item_definition, client_handle)
        try:
            self.advise(server_handle, item.item_handle)
        except MxComError:
            self.remove_item(server_handle, item.item_handle)
            raise
        return item

    def unsubscribe(self, server_handle: int, item_handle: int) -> None:
        """UnAdvise and RemoveItem."""
        self.un_advise(server_handle, item_handle)
        self.remove_item(server_handle, item_handle)


def variant(message: pb.MxValue, is_given: bool, name: str) -> Variant:
    """A value of a command as a VARIANT.

    Raises:
        InvalidCommandError: it is missing.
        ValueConversionError: no VARIANT stands for it.
    """
    if not is_given:
        raise InvalidCommandError(f"{name} is missing")
    return from_wire(message)
