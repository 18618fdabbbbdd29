"""From the name that a caller gives to the alarm that he means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.groups import Viewer
from mxgateway_server.alarms.model import Alarm
from mxgateway_server.alarms.references import normal_guid

MOST_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What a name means.

    Attributes:
        alarm: the one alarm; None when there is none, or more than one.
        candidates: some of those that it may mean.
        successor: the occurrence that is there in place of the one that is named.
    """

    alarm: Alarm | None = None
    candidates: Sequence[Alarm] = ()
    successor: Alarm | None = None


def find_alarm(book: AlarmBook, name: str, viewer: Viewer) -> Found:
    """Looks an alarm up by GUID, by full reference, or by object and attribute. What a key may not see is not there."""
    name = name.strip()
    guid = normal_guid(name)
    if guid:
        alarm = book.by_guid(guid)
        if alarm is not None:
            return Found(alarm) if viewer.sees(alarm) else Found()
        successor = book.successor(guid)
        return Found(successor=successor if successor is not None and viewer.sees(successor) else None)
    alarm = book.alarms.get(name.casefold())
    if alarm is not None:
        return Found(alarm) if viewer.sees(alarm) else Found()
    of_object = [each for each in book.by_object(name) if viewer.sees(each)]
    if len(of_object) == 1:
        return Found(of_object[0])
    return Found(candidates=of_object[:MOST_CANDIDATES])
