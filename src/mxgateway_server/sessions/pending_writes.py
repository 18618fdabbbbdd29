"""Writes that MXAccess took and whose completion has not come: which completion belongs to which write."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

MAX_PENDING = 4096
"""Writes of one session that are kept; a plant that completes none must not fill the memory."""

Tell = Callable[[pb.MxEvent | None], None]
"""What to do with the completion of one write; None when it is lost."""


class PendingWrites:
    """Completions carry no id: those of an item come in the order of its writes."""

    def __init__(self) -> None:
        self._writes: dict[tuple[int, int], deque[Tell]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def begin(self, server_handle: int, item_handle: int, tell: Tell) -> None:
        """A write is on its way. Of too many the new ones are not followed."""
        if self._count < MAX_PENDING:
            self._writes.setdefault((server_handle, item_handle), deque()).append(tell)
            self._count += 1

    def withdraw(self, server_handle: int, item_handle: int, tell: Tell) -> None:
        """The write was not taken: no completion will come."""
        waiting = self._writes.get((server_handle, item_handle))
        if waiting is not None and tell in waiting:
            waiting.remove(tell)
            self._taken((server_handle, item_handle), waiting)

    def complete(self, event: pb.MxEvent) -> None:
        """A completion: tells the oldest write of its item."""
        item = (event.server_handle, event.item_handle)
        waiting = self._writes.get(item)
        if waiting:
            tell = waiting.popleft()
            self._taken(item, waiting)
            tell(event)

    @property
    def waiting(self) -> list[tuple[int, int, Tell]]:
        """All that wait, those of an item in the order of its writes."""
        return [(*item, tell) for item, tells in self._writes.items() for tell in tells]

    def lose(self) -> None:
        """Completions may have been dropped on their way: nobody can say any more which belongs to which write."""
        waiting = [tell for each in self._writes.values() for tell in each]
        self._writes.clear()
        self._count = 0
        for tell in waiting:
            tell(None)

    def _taken(self, item: tuple[int, int], waiting: deque[Tell]) -> None:
        self._count -= 1
        if not waiting:
            del self._writes[item]
