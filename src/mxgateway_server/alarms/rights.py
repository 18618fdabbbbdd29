"""What a key may see and do of the alarms: the rights to the attributes that an alarm consists of.

An alarm is visible to whoever may read its `InAlarm`, and may be acknowledged by whoever may write its `AckMsg`. So a
key that is limited to a part of the plant is limited to that part's alarms. Limits on areas and priority come on top.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from weakref import WeakSet

from mxgateway_contract.references import ItemReference
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.access.constraints import (
    Constraints,
    TagFacts,
    TagLookup,
    area_denial,
    priority_denial,
    read_denial,
    write_denial,
)
from mxgateway_server.alarms.groups import Everything, Viewer
from mxgateway_server.alarms.model import Alarm, AlarmSource

_ATTRIBUTES = frozenset({"inalarm", "ackmsg", "alarmshelvecmd"})
OPERATE = 1
"""Security classification of the attributes that acknowledge and shelve."""


class AlarmLookup:
    """The Galaxy's answers for the attributes of alarms, which its tables do not list one by one."""

    def __init__(self, lookup: TagLookup) -> None:
        self._lookup = lookup

    @property
    def is_pending(self) -> bool:
        return self._lookup.is_pending

    def lookup(self, reference: str) -> TagFacts | None:
        """What is known of the attribute itself, or else of the alarm's own attribute.

        The plant has named the alarm, not the caller: one that the Galaxy does not know is judged by that name.
        """
        found = self._lookup.lookup(reference)
        owner, _, attribute = reference.rpartition(".")
        if attribute.casefold() not in _ATTRIBUTES:
            return found
        while found is None and "." in owner:
            above = self._lookup.lookup(owner)
            if above is not None:
                name = (above.full_reference or owner).removesuffix("[]") + reference[len(owner) :]
                return TagFacts(
                    contained_path=above.contained_path, security_classification=OPERATE, full_reference=name
                )
            owner = owner.rpartition(".")[0]
        if found is None and not self._lookup.is_pending:
            return TagFacts(contained_path="", security_classification=OPERATE, full_reference=reference)
        return found

    def may_be_array(self, reference: str) -> bool:
        return self._lookup.may_be_array(reference)

    def none_may_be_array(self, references: Collection[str]) -> bool:
        return self._lookup.none_may_be_array(references)


class LimitedViewer:
    """What a key with limits may see; verdicts are kept until `forget`."""

    def __init__(self, constraints: Constraints, lookup: TagLookup) -> None:
        self._constraints = constraints
        self._lookup = lookup
        self._verdicts: dict[str, bool] = {}
        self._of_areas: dict[frozenset[str], bool] = {}
        told = json.dumps(constraints.to_json(), sort_keys=True)
        self._number = int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big") or 1

    @property
    def number(self) -> int:
        return self._number

    @property
    def least_urgent(self) -> int:
        return self._constraints.least_urgent

    def sees_source(self, source: AlarmSource) -> bool:
        verdict = self._verdicts.get(source.key)
        if verdict is None:
            if len(self._verdicts) >= _MOST_VERDICTS:
                self._verdicts.clear()
            item = ItemReference(f"{source.object_reference}.InAlarm")
            verdict = self._verdicts[source.key] = read_denial(self._constraints, item, self._lookup) is None
        return verdict and self._sees_areas(source)

    def sees(self, alarm: Alarm) -> bool:
        return priority_denial(self._constraints, alarm.priority) is None and self.sees_source(alarm.source)

    def forget(self) -> None:
        """The Galaxy has changed."""
        self._verdicts.clear()
        self._of_areas.clear()

    def _sees_areas(self, source: AlarmSource) -> bool:
        # Apart from the rest, since the same alarm may move to other areas.
        areas = source.folded_areas
        verdict = self._of_areas.get(areas)
        if verdict is None:
            verdict = self._of_areas[areas] = area_denial(self._constraints, areas) is None
        return verdict


class AlarmRights:
    """The rights of all keys."""

    def __init__(self, lookup: TagLookup) -> None:
        self._lookup = AlarmLookup(lookup)
        self._viewers: dict[Constraints, LimitedViewer] = {}
        # Those that streams still have, too.
        self._alive: WeakSet[LimitedViewer] = WeakSet()

    def viewer(self, caller: Caller) -> Viewer:
        """What the caller may see; callers with equal limits share it."""
        constraints = caller.constraints
        if not constraints.limits_reads and not constraints.limits_alarms:
            return Everything()
        viewer = self._viewers.get(constraints)
        if viewer is None:
            if len(self._viewers) >= _MOST_VIEWERS:
                self._viewers.clear()
            viewer = self._viewers[constraints] = LimitedViewer(constraints, self._lookup)
            self._alive.add(viewer)
        return viewer

    def denial(self, caller: Caller, alarm: Alarm, attribute: str) -> str | None:
        """Why the caller may not change the alarm by this attribute of it; None when he may."""
        item = ItemReference(f"{alarm.source.object_reference}.{attribute}")
        return write_denial(caller.constraints, item, self._lookup)

    def forget(self) -> None:
        """The Galaxy has changed: everything is judged anew."""
        for viewer in self._alive:
            viewer.forget()


_MOST_VIEWERS = 256
_MOST_VERDICTS = 200_000
