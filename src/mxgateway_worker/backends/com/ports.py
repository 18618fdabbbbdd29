"""What the backend needs of COM: an apartment that makes one LMXProxy object. `windows` has it, tests fake it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mxgateway_protocol.variants import Variant

Deliver = Callable[[str, int, bytes], None]
"""Takes an event: IID of its source interface, DISPID, `rgvarg` as bytes. Called on the apartment's thread only."""

Argument = int | str | Variant


@dataclass(frozen=True, slots=True)
class ServerFile:
    """The DLL that holds the class.

    Attributes:
        path: as the registry has it; empty when it cannot be found out.
        version: its file version, for example `3.2.0.0`; empty likewise.
    """

    path: str = ""
    version: str = ""


class LmxObject(Protocol):
    """One LMXProxyServer with its events connected."""

    @property
    def interface_version(self) -> int:
        """The newest ILMXProxyServer interface that it has, 1 to 5."""

    @property
    def file(self) -> ServerFile: ...

    def call(self, method: str, *arguments: Argument) -> int | bytes | None:
        """Calls a method of `identity.METHODS`.

        Returns:
            Its result: the integer, the bytes of an MxStatus, or None.

        Raises:
            MxComError: the HRESULT of the failure.
            BackendLostError: the server's code broke down; nothing of it can be trusted any more.
        """

    def control(self, command: str) -> bool:
        """Hands a fault to the stand-in; False when the object is not one, or does not know the fault."""

    def disconnect(self) -> None:
        """Ends the delivery of events and gives the sinks back."""

    def release(self) -> int:
        """Gives the object back; what is left of its count."""


class LateBound(Protocol):
    """An object whose methods are called by their names."""

    def call(self, method: str, *arguments: int | str, wants_text: bool = False) -> tuple[int, str | None]:
        """Calls a method that answers a number.

        Args:
            wants_text: its last argument is a VARIANT that it fills with a text.

        Returns:
            The number, 0 for a method that answers none; and the text, None when none came.

        Raises:
            MxComError: the HRESULT of the failure.
            BackendLostError: the object's code broke down.
        """

    def release(self) -> None:
        """Gives the object back; calling it again does nothing."""


class Apartment(Protocol):
    """A single-threaded apartment on the thread that enters it."""

    def enter(self) -> None:
        """Raises:
        MxComError: COM is not to be had.
        """

    def create(self, deliver: Deliver) -> LmxObject:
        """Raises:
        MxComError: the object cannot be made.
        """

    def create_late_bound(self, name: str) -> LateBound:
        """An object of another class, by its ProgID, or its CLSID in braces.

        Raises:
            MxComError: the object cannot be made, or cannot be called by names.
        """

    def wait(self, seconds: float) -> None:
        """Until `wake`, a message, or the time is over; 0 and less return at once."""

    def wake(self) -> None:
        """From any thread; sticky."""

    def pump(self, budget: float) -> bool:
        """Dispatches messages for at most `budget` seconds; whether there may be more.

        Raises:
            BackendLostError: a handler of the server's broke down.
        """

    def leave(self) -> None:
        """Ends COM on this thread."""
