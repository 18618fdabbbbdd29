"""News beside the changes: the provider's status and floods, each at its place in the log."""

from __future__ import annotations

from collections.abc import Iterator

from mxgateway_server.alarms.telling import Note

MOST_NOTES = 1000


class NoteBoard:
    """The newest notes by number."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, Note]] = []
        self._first = 1

    @property
    def newest(self) -> int:
        """Number of the last note; 0 before the first."""
        return self._first + len(self._notes) - 1

    def add(self, at: int, note: Note) -> None:
        """Takes a note.

        Args:
            at: the newest change when it was made.
        """
        self._notes.append((at, note))
        if len(self._notes) > MOST_NOTES:
            del self._notes[: MOST_NOTES // 2]
            self._first += MOST_NOTES // 2

    def after(self, number: int) -> Iterator[tuple[int, Note]]:
        """Those after this number that are still kept, with their places."""
        for index in range(max(0, number + 1 - self._first), len(self._notes)):
            yield self._notes[index]
