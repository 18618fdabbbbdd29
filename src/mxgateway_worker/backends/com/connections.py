"""The event interfaces of an object, each with a sink of ours connected to it."""

from __future__ import annotations

from typing import Protocol

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError


class Point(Protocol):
    """A source of events that a sink is connected to."""

    def disconnect(self) -> None:
        """Raises:
        MxComError: the object does not know the connection any more.
        """


class CountedSink(Protocol):
    """Memory of ours that COM calls."""

    @property
    def references(self) -> int:
        """Ours, which is one, and COM's."""


still_held: list[CountedSink] = []
"""Sinks that an object has not given back. It may call them as long as the process lives, so they must live as long."""


class Connections:
    """What an object's events come by, from the first that is connected to the end of all."""

    def __init__(self) -> None:
        self._connected: list[tuple[Point, CountedSink]] = []

    def add(self, point: Point, sink: CountedSink) -> None:
        self._connected.append((point, sink))

    def disconnect(self) -> None:
        """Ends all of them, also when ending one fails.

        Raises:
            MxComError: one failed, or the object holds on to a sink.
        """
        connected, self._connected = self._connected, []
        # Until they are known to be free: whatever happens, COM must find them where they were.
        still_held.extend(sink for _, sink in connected)
        failure: MxComError | None = None
        for point, _ in connected:
            try:
                point.disconnect()
            except MxComError as error:
                failure = failure or error
        held = 0
        for _, sink in connected:
            if sink.references > 1:
                held += 1
            else:
                still_held.remove(sink)
        if failure is not None:
            raise failure
        if held:
            raise MxComError(hresults.E_FAIL, f"LMXProxy still holds {held} of our event sinks")
