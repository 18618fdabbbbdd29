"""Commands under way on one worker: bounded, matched by correlation id, late replies told apart from unknown ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mxgateway_server.errors import PendingLimitError

T = TypeVar("T")


@dataclass(slots=True)
class PendingTable(Generic[T]):
    """Waiters by correlation id.

    An abandoned command (timed out or canceled) frees its place for the caller's next one only when the worker has
    answered it: the worker may still be running it, and the bound is on what the worker was given.
    """

    limit: int
    late_replies: int = 0
    unknown_replies: int = 0
    _waiters: dict[str, T] = field(default_factory=dict)
    _abandoned: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._waiters)

    @property
    def in_flight(self) -> int:
        """Commands that the worker was given and has not answered, waited for or not."""
        return len(self._waiters) + len(self._abandoned)

    def add(self, correlation_id: str, waiter: T) -> None:
        """Raises PendingLimitError when the table is full: excess fails at once and never queues without end."""
        if self.in_flight >= self.limit:
            raise PendingLimitError(
                f"{self.limit} commands are under way on this session (setting "
                "sessions.max_pending_commands_per_session); wait for some",
                retry_after=0.1,
            )
        self._waiters[correlation_id] = waiter

    def reply(self, correlation_id: str) -> T | None:
        """The waiter of an answered command; None for a late or unknown reply, which is counted."""
        waiter = self._waiters.pop(correlation_id, None)
        if waiter is None:
            if correlation_id in self._abandoned:
                self._abandoned.discard(correlation_id)
                self.late_replies += 1
            else:
                self.unknown_replies += 1
        return waiter

    def waiters(self) -> list[tuple[str, T]]:
        """All that are waited for, oldest first."""
        return list(self._waiters.items())

    def get(self, correlation_id: str) -> T | None:
        """Who waits for this command; None when nobody does."""
        return self._waiters.get(correlation_id)

    def abandon(self, correlation_id: str) -> bool:
        """Nobody waits any more; True when the command was under way."""
        if self._waiters.pop(correlation_id, None) is None:
            return False
        self._abandoned.add(correlation_id)
        return True

    def drain(self) -> list[T]:
        """Takes all waiters out: the worker is gone."""
        waiters = list(self._waiters.values())
        self._waiters.clear()
        self._abandoned.clear()
        return waiters
