"""What the monitor asks of the Galaxy: the tree of areas, what is deployed, and which alarms can be watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.globs import Glob
from mxgateway_server.alarms.model import Alarm
from mxgateway_server.config.alarm_sections import AlarmDiscoverySettings, AlarmSettings, AlarmSubtagSettings
from mxgateway_server.galaxy.codes import AREA
from mxgateway_server.galaxy.component import GalaxyComponent
from mxgateway_server.galaxy.index import GalaxyIndex

DEFAULT_PROVIDER = "Galaxy"


class AlarmGalaxy(Protocol):
    """The Galaxy as the monitor knows it; all from memory."""

    @property
    def edition(self) -> int:
        """Changes with each deployment; 0 while nothing is known."""

    async def settled(self) -> bool:
        """Waits a bounded time for the first reading."""

    def area_path(self, area: str) -> tuple[str, ...]: ...

    def is_deployed(self, alarm: Alarm) -> bool: ...

    def watch_list(self, settings: AlarmSettings) -> WatchList:
        """May take long, and is asked from another thread."""


class WatchList:
    """The alarms that are watched by their attributes.

    Attributes:
        targets: what the worker is told of each.
        keys: their full references without case.
        left_out: how many there were beside them.
    """

    def __init__(self, targets: list[pb.AlarmSubtagTarget], left_out: int) -> None:
        self.targets = targets
        self.keys = frozenset(target.alarm_full_reference.casefold() for target in targets)
        self.left_out = left_out
        self.told = b"".join(target.SerializeToString(deterministic=True) for target in targets)


class DeployedGalaxy:
    """The Galaxy that browse reads."""

    def __init__(self, galaxy: GalaxyComponent) -> None:
        self._galaxy = galaxy
        self._watched: tuple[GalaxyIndex | None, AlarmSettings, WatchList] | None = None

    @property
    def edition(self) -> int:
        entry = self._galaxy.view.entry
        return 0 if entry is None else entry.sequence

    async def settled(self) -> bool:
        return await self._galaxy.settled()

    def area_path(self, area: str) -> tuple[str, ...]:
        """The area and those around it; itself alone when it is not known."""
        index = self._index
        return area_path_in(index, area) if index is not None else _alone(area)

    def is_deployed(self, alarm: Alarm) -> bool:
        """Whether the alarm's object is deployed; yes while that cannot be told."""
        index = self._index
        name = alarm.source.object_reference.partition(".")[0]
        return index is None or not name or index.find_tag_name(name) is not None

    def watch_list(self, settings: AlarmSettings) -> WatchList:
        """The alarms to watch, by the settings; made once for each deployment."""
        index, known = self._index, self._watched
        if known is not None and known[0] is index and known[1] is settings:
            return known[2]
        if settings.fallback.mode == "alarm_manager":
            made = WatchList([], 0)
        else:
            made = make_watch_list(settings, alarms_of(index) if index is not None else ())
        self._watched = (index, settings, made)
        return made

    @property
    def _index(self) -> GalaxyIndex | None:
        entry = self._galaxy.view.entry
        return None if entry is None else entry.index


def area_path_in(index: GalaxyIndex, area: str) -> tuple[str, ...]:
    """The area and those around it, by the Galaxy; itself alone when that does not know it."""
    place = index.find_tag_name(area)
    if place is None:
        return _alone(area)
    path = [area]
    parent = index.parent[place]
    while parent >= 0:
        if index.objects.category_ids[parent] == AREA:
            path.append(index.objects.tag_names[parent])
        parent = index.parent[parent]
    return tuple(path)


def _alone(area: str) -> tuple[str, ...]:
    return (area,) if area else ()


def alarms_of(index: GalaxyIndex) -> Iterator[tuple[str, str]]:
    """Object and attribute of every alarm, with its area."""
    for facts in index.alarm_attributes():
        yield facts.full_tag_reference.removesuffix("[]"), index.area_name(facts.gobject_id)


def make_watch_list(settings: AlarmSettings, known: Iterator[tuple[str, str]] | tuple[()]) -> WatchList:
    """Known alarms and those that are included, without those that are excluded, up to the limit.

    Args:
        known: object and attribute of each alarm of the Galaxy, and its area.
    """
    discovery, default_area = settings.fallback.discovery, settings.default_area
    excluded = [Glob(pattern) for pattern in discovery.exclude]
    found: dict[str, tuple[str, str]] = {}
    for reference, area in (*_discovered(discovery, known), *((each, "") for each in discovery.include)):
        folded = reference.casefold()
        if not any(glob.matches_folded(folded) for glob in excluded):
            found.setdefault(folded, (reference, area or default_area))
    # The first areas are kept whole when there are too many.
    ordered = sorted(found.values(), key=lambda each: (each[1].casefold(), each[0].casefold()))
    kept = ordered[: discovery.max_alarms]
    subtags = settings.fallback.subtags
    return WatchList([_target(reference, area, subtags) for reference, area in kept], len(ordered) - len(kept))


def _discovered(
    discovery: AlarmDiscoverySettings, known: Iterator[tuple[str, str]] | tuple[()]
) -> Iterator[tuple[str, str]]:
    if discovery.use_galaxy:
        yield from known


def _target(reference: str, area: str, subtags: AlarmSubtagSettings) -> pb.AlarmSubtagTarget:
    def sub(name: str) -> str:
        return f"{reference}.{name}" if name else ""

    return pb.AlarmSubtagTarget(
        alarm_full_reference=f"{DEFAULT_PROVIDER}!{area}.{reference}",
        source_object_reference=reference,
        active_subtag=sub(subtags.active),
        acked_subtag=sub(subtags.acked),
        ack_comment_subtag=sub(subtags.ack_comment),
        priority_subtag=sub(subtags.priority),
        area=area,
        time_on_subtag=sub(subtags.time_on),
        time_off_subtag=sub(subtags.time_off),
        time_acked_subtag=sub(subtags.time_acked),
    )
