"""The list with which the alarm manager speaks again when its answer is cut. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_worker.alarms.steps import is_same_occurrence


def handed_over(
    manager: Mapping[str, AlarmRecord],
    answered: Collection[str],
    attributes: Mapping[str, AlarmRecord],
    is_watched: Callable[[str], bool],
) -> dict[str, AlarmRecord]:
    """What the answer holds is as it says. Of the rest the manager's list is as old as its last whole answer, and what
    the attributes have told since is newer: else alarms would go back to what they were.

    Args:
        manager: its list by key, with what it keeps of former answers.
        answered: keys of the cut answer.
        attributes: the list of those that spoke meanwhile.
        is_watched: whether they would know of an alarm.
    """
    found = {key: record for key, record in manager.items() if key in answered or not is_watched(key)}
    for key, newer in attributes.items():
        if key not in answered:
            older = manager.get(key)
            # The manager's has more to tell of the same.
            is_known = older is not None and older.state == newer.state and is_same_occurrence(older, newer)
            found[key] = older if is_known and older is not None else newer
    return found
