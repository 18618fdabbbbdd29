"""The seam between a worker and what it works on: LMXProxyServer's methods and events.

A backend is the simulator, the COM object, or a recording. All calls come from one thread, the worker's executor, which
also is the only one that may see events: like an STA, a backend acts only while it is called or pumped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.variants import Variant


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What a backend tells of itself when the worker is ready.

    Attributes:
        name: `simulator`, `com` or `replay`.
        prog_id: COM ProgID that the backend is, or stands for.
        class_id: COM CLSID likewise.
        interface_version: newest ILMXProxyServer interface of the object, 1 to 5; 0 without a COM object.
        server_path, server_version: the DLL that holds the class, and its file version; empty where not known.
    """

    name: str
    prog_id: str
    class_id: str
    interface_version: int = 0
    server_path: str = ""
    server_version: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One buffered value; times in nanoseconds since 1970-01-01 UTC."""

    value: Variant
    quality: int
    timestamp_ns: int


class EventSink(Protocol):
    """Takes the events of LMXProxyServer; called on the executor thread only, and never blocks.

    It may be called inside a method of the backend: a COM call that waits dispatches messages meanwhile.
    """

    def on_data_change(
        self,
        server_handle: int,
        item_handle: int,
        value: Variant,
        quality: int,
        timestamp_ns: int,
        statuses: Sequence[MxStatus],
    ) -> None:
        """A value, quality or time changed, or the reference could not be resolved (status success 0)."""

    def on_write_complete(self, server_handle: int, item_handle: int, statuses: Sequence[MxStatus]) -> None:
        """The outcome of the oldest write of the item that is not complete."""

    def operation_complete(self, server_handle: int, item_handle: int, statuses: Sequence[MxStatus]) -> None:
        """The outcome of Suspend or Activate; never of a write."""

    def on_buffered_data_change(
        self,
        server_handle: int,
        item_handle: int,
        data_type: int,
        samples: Sequence[Sample],
        statuses: Sequence[MxStatus],
    ) -> None:
        """Values of a buffered item, oldest first."""


class Backend(Protocol):
    """LMXProxyServer as the worker drives it.

    The method names, argument order and failures are MXAccess's. A failed call raises MxComError with the HRESULT.
    Handles are int; 0 is none. `user_id` 0 is no user.
    """

    @property
    def info(self) -> BackendInfo: ...

    @property
    def is_passive(self) -> bool:
        """Whether nothing but `wake` and time ends a `wait`: then the worker may wait by other means instead."""

    @property
    def opens_once(self) -> bool:
        """Whether a process may hold one of it in its life: then a worker that was opened ahead keeps its options."""

    def open(self, sink: EventSink) -> None:
        """Creates the object and connects its events.

        Raises:
            MxComError: it cannot be created; the worker reports a fault and ends.
        """

    def close(self, deadline: float | None = None) -> None:
        """Un-advises, removes, unregisters and releases whatever is left. Called once, last.

        Args:
            deadline: monotonic time after which single items are not undone any more: Unregister takes them along.

        Raises:
            BackendLostError: the backend broke down while it was closed.
        """

    def wait(self, timeout: float) -> None:
        """Blocks until `wake` is called, the backend itself has something to pump, or `timeout` seconds are over."""

    def wake(self) -> None:
        """Ends a `wait` early; without one under way, the next. The only method that other threads may call."""

    def pump(self) -> float:
        """Delivers the events that are due to the sink and returns the seconds until the next pump is wanted (≥ 0).

        Bounded by time: a flood of events may hold commands back by milliseconds only, and the answer is 0 then.

        Raises:
            BackendLostError: the backend broke down while it delivered.
        """

    # LMXProxyServer, interface 1 to 5.
    def register(self, client_name: str) -> int: ...
    def unregister(self, server_handle: int) -> None: ...
    def add_item(self, server_handle: int, item_definition: str) -> int: ...
    def add_item2(self, server_handle: int, item_definition: str, item_context: str) -> int: ...
    def remove_item(self, server_handle: int, item_handle: int) -> None: ...
    def advise(self, server_handle: int, item_handle: int) -> None: ...
    def un_advise(self, server_handle: int, item_handle: int) -> None: ...
    def advise_supervisory(self, server_handle: int, item_handle: int) -> None: ...
    def write(self, server_handle: int, item_handle: int, value: Variant, user_id: int) -> None: ...
    def write2(self, server_handle: int, item_handle: int, value: Variant, time: Variant, user_id: int) -> None: ...
    def write_secured(
        self, server_handle: int, item_handle: int, current_user_id: int, verifier_user_id: int, value: Variant
    ) -> None: ...
    def write_secured2(
        self,
        server_handle: int,
        item_handle: int,
        current_user_id: int,
        verifier_user_id: int,
        value: Variant,
        time: Variant,
    ) -> None: ...
    def authenticate_user(self, server_handle: int, user: str, password: str) -> int: ...
    def archestra_user_to_id(self, server_handle: int, user_guid: str) -> int: ...
    def suspend(self, server_handle: int, item_handle: int) -> MxStatus: ...
    def activate(self, server_handle: int, item_handle: int) -> MxStatus: ...
    def add_buffered_item(self, server_handle: int, item_definition: str, item_context: str) -> int: ...
    def set_buffered_update_interval(self, server_handle: int, interval_ms: int) -> None: ...

    # Beyond MXAccess.
    def inject_fault(self, fault: str, parameters: Mapping[str, str]) -> None:
        """Makes the backend misbehave as named, for tests.

        Raises:
            ValueError: no such fault, or a parameter that it does not take.
        """


class Listening(Protocol):
    """A descriptor that an executor listens to."""

    def again(self) -> None:
        """From now on tells once more."""

    def end(self) -> None:
        """Tells no more; to be called before the descriptor is closed."""


class Bell(Protocol):
    """What ends the executor's waiting, whatever it waits by."""

    def set(self) -> None:
        """Ends the running wait, or the next one at once. Any thread may call it."""

    def listen(self, descriptor: int, on_ready: Callable[[], None]) -> Listening | None:
        """Lets a readable descriptor end the waiting, too, once after each `again`; None where that cannot be had.

        Args:
            on_ready: called on the executor thread.
        """


@runtime_checkable
class SelfWaking(Protocol):
    """A passive backend that wants to be pumped when something outside it changes, and would have to ask otherwise."""

    def ring_through(self, bell: Bell) -> None:
        """Gives the bell to ring; called once, on the executor thread, after `open`."""


class BackendFactory(Protocol):
    """Makes a backend from its options, without touching anything slow or global yet."""

    def __call__(self, options: Mapping[str, str]) -> Backend: ...
