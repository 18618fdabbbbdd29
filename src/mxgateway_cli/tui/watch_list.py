"""What is watched, and what is known of it. Without clock, terminal and network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mxgateway import is_bad, is_uncertain
from mxgateway_cli.tui.words import failures
from mxgateway_cli.watch_board import Row
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


@dataclass
class WatchedTag(Row):
    """One watched tag.

    Attributes:
        attribute: what the Galaxy says of it, where it was chosen from the tree.
        stale: the connection was lost since: the value is history, whatever its quality was.
    """

    attribute: galaxy_pb.GalaxyAttribute | None = None
    stale: bool = False

    def take(self, event: pb.MxEvent | pb.BulkReadResult, now: float, is_late: bool = False) -> bool:
        if is_newer := super().take(event, now, is_late):
            self.failure = failures(event.statuses)
            self.stale = False
        return is_newer

    @property
    def grade(self) -> str:
        """`good`, `uncertain`, `bad`, `waiting` or `stale`: what the colour says."""
        if self.stale:
            return "stale"
        if self.quality is None:
            return "waiting"
        if self.failure or is_bad(self.quality):
            return "bad"
        return "uncertain" if is_uncertain(self.quality) else "good"


class WatchList:
    """The watched tags in the order in which they were added."""

    def __init__(self) -> None:
        self._tags: dict[str, WatchedTag] = {}
        self.events = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._tags)

    def __iter__(self) -> Iterator[WatchedTag]:
        return iter(self._tags.values())

    def __contains__(self, tag: str) -> bool:
        return tag.lower() in self._tags

    def get(self, tag: str) -> WatchedTag | None:
        return self._tags.get(tag.lower())

    def add(self, tag: str, attribute: galaxy_pb.GalaxyAttribute | None = None) -> bool:
        """Whether the tag is new. References do not differ by case, as in MXAccess."""
        known = self.get(tag)
        if known is not None:
            known.attribute = known.attribute or attribute
            return False
        self._tags[tag.lower()] = WatchedTag(tag, attribute=attribute)
        return True

    def remove(self, tag: str) -> None:
        self._tags.pop(tag.lower(), None)

    def apply(self, tag: str, event: pb.MxEvent | pb.BulkReadResult, now: float, *, is_late: bool = False) -> None:
        """Takes a data change; one of a tag that was removed meanwhile does nothing."""
        self.events += 1
        if (row := self.get(tag)) is not None:
            row.take(event, now, is_late)

    def refuse(self, tag: str, reason: str) -> None:
        """MXAccess did not take the tag."""
        if (row := self.get(tag)) is not None:
            row.quality, row.failure, row.stale = 0, reason, False

    def link_lost(self) -> None:
        """From now on no value is known to be the present one."""
        for row in self:
            row.stale = True

    def rate(self, now: float) -> float:
        """Changes a second of all tags together."""
        return sum(row.rate(now) for row in self)
