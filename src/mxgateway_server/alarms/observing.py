"""Who follows the list as it changes: acknowledgements that wait, the history, the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mxgateway_server.alarms.model import Alarm, Change
from mxgateway_server.alarms.telling import ProviderStatus


class AlarmObserver(Protocol):
    """Told of everything in order, in the middle of the monitor's work: it takes note and returns at once."""

    def adopted(self, alarms: Sequence[Alarm], sequence: int) -> None:
        """The first list of a log is there: nothing has changed by it.

        Args:
            sequence: number of the last change before it.
        """

    def changed(self, change: Change) -> None: ...

    def status_changed(self, status: ProviderStatus) -> None: ...
