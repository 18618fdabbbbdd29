"""What is watched, and what is known of it. Without clock, terminal and network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mxgateway import is_bad, is_uncertain
from mxgateway_cli.tui.trend import Trend, number_of
from mxgateway_cli.tui.words import failures
from mxgateway_cli.watch_board import Row
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_URGENCY = {"bad": 0, "stale": 0, "uncertain": 1, "waiting": 2, "good": 3}


@dataclass
class WatchedTag(Row):
    """One watched tag.

    Attributes:
        attribute: what the Galaxy says of it, as far as it was asked.
        stale: the connection was lost since: the value is history, whatever its quality was.
        trend: the last minutes of a number.
        hint: what was meant, where there is no such tag.
    """

    attribute: galaxy_pb.GalaxyAttribute | None = None
    stale: bool = False
    trend: Trend = field(default_factory=Trend)
    hint: str = ""

    def take(self, event: pb.MxEvent | pb.BulkReadResult, now: float, is_late: bool = False) -> bool:
        if is_newer := super().take(event, now, is_late):
            self.failure = failures(event.statuses)
            self.stale = False
            self.trend.add(number_of(event.value) if self.grade in ("good", "uncertain") else None, now)
        return is_newer

    @property
    def units(self) -> str:
        """Engineering units, where the Galaxy tells them."""
        return self.attribute.engineering_units if self.attribute is not None else ""

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
    """The watched tags in the order in which they were added.

    Attributes:
        name: of the saved list that these are; empty for none.
        is_bad_first: whether `rows` begins with what is not good.
    """

    def __init__(self) -> None:
        self._tags: dict[str, WatchedTag] = {}
        self.name = ""
        self._saved: tuple[str, ...] = ()
        self.is_bad_first = False
        self.events = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._tags)

    def __iter__(self) -> Iterator[WatchedTag]:
        return iter(self._tags.values())

    def rows(self) -> list[WatchedTag]:
        """The tags in the order in which they are shown."""
        rows = list(self)
        return sorted(rows, key=lambda row: _URGENCY[row.grade]) if self.is_bad_first else rows

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(row.tag for row in self)

    @property
    def title(self) -> str:
        """The name of the list, with a star when it is not what was saved; empty for a list without a name."""
        return f"@{self.name}{'*' if self.tags != self._saved else ''}" if self.name else ""

    def saved_as(self, name: str) -> None:
        """From now on this is the list of that name."""
        self.name, self._saved = name, self.tags

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

    def arrange(self, tags: Iterable[str]) -> None:
        """Puts the tags in this order; others come after them."""
        first = [tag.lower() for tag in tags if tag.lower() in self._tags]
        self._tags = {key: self._tags[key] for key in dict.fromkeys([*first, *self._tags])}

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
