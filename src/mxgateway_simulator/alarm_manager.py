"""The alarm manager of the simulated plant: gives the list of alarms, takes acknowledgements and shelvings.

It speaks as the product's consumer does: a subscription, polls that give the whole list as XML, times without a zone.
"""

from __future__ import annotations

import difflib
import gc
import os
from collections.abc import Callable
from typing import NamedTuple, Protocol

from mxgateway_contract import failures, hresults
from mxgateway_contract.status import MxStatus
from mxgateway_protocol.alarms.asking import ListReader
from mxgateway_protocol.alarms.expressions import parse_expression
from mxgateway_protocol.alarms.provider import (
    AlarmName,
    AlarmSubscription,
    Answer,
    Operator,
    PollResult,
    ProviderError,
)
from mxgateway_protocol.alarms.reader import RecordReader
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.shelving import shelve_command
from mxgateway_protocol.alarms.times import Offset, RecordClock
from mxgateway_protocol.alarms.zones import zone_offset
from mxgateway_simulator.alarm_xml import HEAD, TAIL, record_xml
from mxgateway_simulator.errors import BoardError
from mxgateway_simulator.faults import Faults
from mxgateway_simulator.plant.alarms.alarm import Alarm
from mxgateway_simulator.plant.alarms.attributes import acknowledge, dismiss, shelve
from mxgateway_simulator.plant.alarms.listing import PROVIDER, group_of, record_of
from mxgateway_simulator.plant.alarms.states import Mode
from mxgateway_simulator.plant.alarms.table import AlarmTable, Entry, uncollected
from mxgateway_simulator.plant.board import Edit
from mxgateway_simulator.plant.entries import Key
from mxgateway_simulator.plant.plant_tags import PlantTags
from mxgateway_simulator.plant.tags import Author

_NOT_FOUND = Answer(1, "there is no such alarm in the subscription")
_REFUSED = 2


class _Scope(NamedTuple):
    """What an expression takes: an area in lower case, `*` for all, and names that begin or end with something."""

    area: str
    name: str

    def takes_name(self, name: str) -> bool:
        wanted = self.name
        if not wanted or wanted == "*":
            return True
        if wanted.startswith("*"):
            return name.endswith(wanted[1:])
        return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


class Look(Protocol):
    """Takes up what others have changed; shows the session's own items what has changed at some keys."""

    def __call__(self, keys: set[Key] | None = None) -> None: ...


class AlarmManager:
    """Implements `mxgateway_protocol.alarms.provider.AlarmProvider` on the plant.

    Args:
        tags: the plant as it is deployed now.
        wait: waits so many seconds, for faults.
    """

    def __init__(
        self,
        tags: Callable[[], PlantTags],
        now_ns: Callable[[], int],
        look: Look,
        faults: Faults,
        wait: Callable[[float], object],
    ) -> None:
        self._tags = tags
        self._now_ns = now_ns
        self._look = look
        self._faults = faults
        self._wait = wait
        self._scopes: list[_Scope] = []
        self._reader: ListReader | None = None
        self._offset: Offset = zone_offset("UTC")
        self._table: AlarmTable | None = None
        self._within: dict[str, bool] = {}
        self._records: dict[str, AlarmRecord] = {}
        self._rows: dict[str, str] = {}
        self._text = ""
        self._restarts = 0
        self.is_open = False

    # ------------------------------------------------------------------------------------------------------ subscribing

    def subscribe(self, request: AlarmSubscription) -> None:
        """See AlarmProvider."""
        self._scopes = [self._scope(text) for text in request.expressions]
        try:
            self._offset = zone_offset(request.time_zone)
        except ValueError as error:
            raise ProviderError(str(error), is_misconfigured=True) from error
        reader = RecordReader(RecordClock(self._offset, request.date_order))
        self._reader = ListReader(reader, request.max_records)
        self._forget()
        self.is_open = True

    def _scope(self, text: str) -> _Scope:
        found = parse_expression(text)
        if found is None or found.provider.casefold() != PROVIDER.casefold():
            raise ProviderError(
                f"the expression {text!r} is none; write \\\\NODE\\{PROVIDER}!AREA, or {PROVIDER}!* for all areas",
                hresults.E_INVALIDARG,
                is_misconfigured=True,
            )
        if found.area != "*":
            self._check_area(found.area)
        return _Scope(found.area.casefold(), found.name.casefold())

    def _check_area(self, name: str) -> None:
        galaxy = self._tags().plant.galaxy
        obj = galaxy.object_by_tag(name)
        if obj is None or not obj.package_id:
            near = difflib.get_close_matches(name, galaxy.area_names(), 1)
            hint = f"did you mean {near[0]}?" if near else "name an area of this Galaxy, or * for all"
            raise ProviderError(
                f"there is no area {name} to subscribe to; {hint}", hresults.E_INVALIDARG, is_misconfigured=True
            )

    def close(self) -> None:
        """See AlarmProvider."""
        self.is_open = False
        self._reader = None
        self._forget()

    def _forget(self) -> None:
        if self._table is not None:
            self._table.stores = False
        self._table = None
        self._within.clear()
        self._records.clear()
        self._rows.clear()
        self._text = ""

    # ---------------------------------------------------------------------------------------------------------- polling

    def poll(self, now_ns: int) -> PollResult:
        """See AlarmProvider."""
        reader = self._reader
        if reader is None:
            raise ProviderError("the alarm manager has no query yet", hresults.E_FAIL)
        slow = self._faults.strike_alarms("slow_poll")
        if slow is not None:
            self._wait(slow.number)
        if self._faults.strike_alarms("crash_poll") is not None:
            # No exception: what ends in native code leaves nothing to a handler.
            os.abort()
        failing = self._faults.strike_alarms("fail_poll")
        if failing is not None:
            raise ProviderError("the poll fails, as a fault wants it", failing.hresult)
        self._look()
        fresh, gone = self._refresh(self._now_ns())
        if not self._tags().plant.switches.alarm_xml:
            return PollResult(fresh, gone, len(self._records))
        if fresh or gone:
            self._text = ""
        cut = self._faults.strike_alarms("cut_alarm_list")
        if cut is not None:
            return reader.reader.read(self._answer(int(cut.number)), now_ns, int(cut.number))
        return reader.read(self._answer, now_ns)

    def _answer(self, most: int) -> str:
        """The list as XML, of so many records at most."""
        if most >= len(self._rows):
            if not self._text:
                self._text = "".join((HEAD.format(count=len(self._rows)), *self._rows.values(), TAIL))
            text = self._text
        else:
            text = "".join((HEAD.format(count=most), *list(self._rows.values())[:most], TAIL))
        broken = self._faults.strike_alarms("break_alarm_xml")
        return text if broken is None else text[: int(broken.number)]

    def _refresh(self, now_ns: int) -> tuple[list[AlarmRecord], list[AlarmRecord]]:
        """Brings the list up to date; the records that are new or differ, and those that are not in it any more."""
        with uncollected():
            table = self._tags().alarm_table()
            if table is not self._table:
                # Nothing of what is made now is garbage, and the collector need not look at it ever again. What was
                # there before a deployment is garbage, and it has to. All before it is let loose: it would look at
                # everything at once.
                is_another = self._table is not None
                found = self._brought_up(table, now_ns)
                if is_another:
                    gc.unfreeze()
                    gc.collect()
                gc.freeze()
                return found
        return self._brought_up(table, now_ns)

    def _brought_up(self, table: AlarmTable, now_ns: int) -> tuple[list[AlarmRecord], list[AlarmRecord]]:
        gone: dict[str, AlarmRecord] = {}
        if table is not self._table or self._faults.alarm_restarts != self._restarts:
            # Something was deployed, or the alarm manager was started anew.
            gone = dict(self._records)
            self._forget()
            self._table, self._restarts = table, self._faults.alarm_restarts
            table.stores = True
            table.advance(now_ns)
            changed = dict(table.entries)
            table.changed.clear()
        else:
            table.advance(now_ns)
            changed, table.changed = table.changed, {}
        fresh = []
        for key, entry in sorted(changed.items(), key=_by_time):
            before = self._records.pop(key, None)
            now = self._listed(key, entry)
            if now is not None:
                fresh.append(now)
                gone.pop(key, None)
            elif before is not None:
                gone[key] = before
            if before is None or now is None:
                self._rows.pop(key, None)
            if now is not None:
                self._records[key] = now
                self._rows[key] = record_xml(now, self._offset, self._tags().plant.switches.alarm_date_order)
        self._store(table, now_ns)
        return fresh, list(gone.values())

    @staticmethod
    def _store(table: AlarmTable, now_ns: int) -> None:
        try:
            table.store(now_ns)
        except BoardError as error:
            raise ProviderError(str(error), hresults.E_FAIL) from error

    def _listed(self, key: str, entry: Entry) -> AlarmRecord | None:
        """The record of an alarm; None when the list does not have it."""
        now = entry.now
        if not now.is_listed or not self._takes(key, entry.alarm):
            return None
        if now.mode is Mode.SILENCED and not self._tags().plant.switches.silenced_in_list:
            return None
        record = record_of(entry.alarm, now)
        if self._restarts and record.guid:
            record = record._replace(guid=f"{self._restarts:08x}{record.guid[8:]}")
        return record

    def _takes(self, key: str, alarm: Alarm) -> bool:
        """Whether the subscription takes an alarm."""
        takes = self._within.get(key)
        if takes is None:
            areas = [owner.name for owner in alarm.owner.areas]
            own = group_of(alarm).casefold()
            sub_areas = self._tags().plant.switches.alarm_sub_areas
            takes = self._within[key] = any(
                scope.takes_name(key)
                and (scope.area in ("*", own) or (sub_areas and scope.area in areas) or scope.area == alarm.owner.name)
                for scope in self._scopes
            )
        return takes

    # ----------------------------------------------------------------------------------------------------------- acting

    def acknowledge(self, alarm: AlarmName, comment: str, operator: Operator) -> Answer:
        """See AlarmProvider."""
        fault = self._faults.strike_alarms("refuse_ack")
        if fault is not None:
            if fault.hresult is not None:
                raise ProviderError("the acknowledgement fails, as a fault wants it", fault.hresult)
            return Answer(int(fault.number), "refused, as a fault wants it")
        by = Author(operator.user, operator.node, operator.domain, operator.full_name)
        return self._act(alarm, lambda found, edit, now: acknowledge(found, edit, comment, now, by))

    def dismiss(self, alarm: AlarmName, operator: Operator) -> Answer:
        """See AlarmProvider."""
        return self._act(alarm, lambda found, edit, now: None if dismiss(found, edit, now) else failures.OUT_OF_RANGE)

    def shelve(self, alarm: AlarmName, hours: float, reason: str, operator: Operator) -> Answer:
        """See AlarmProvider."""
        by = Author(operator.user, operator.node, operator.domain, operator.full_name)
        text = shelve_command(hours, reason)
        return self._act(alarm, lambda found, edit, now: shelve(found, edit, text, now, by))

    def _act(self, name: AlarmName, act: Callable[[Alarm, Edit, int], MxStatus | None]) -> Answer:
        """Does something to an alarm of the subscription."""
        if not self.is_open:
            raise ProviderError("the alarm manager has no query yet", hresults.E_FAIL)
        self._look()
        table = self._tags().alarm_table()
        now = self._now_ns()
        table.advance(now)
        entry = table.entries.get(name.name.casefold())
        if entry is None or not self._takes(name.name.casefold(), entry.alarm):
            return _NOT_FOUND
        if name.group and name.group.casefold() != group_of(entry.alarm).casefold():
            return _NOT_FOUND
        refused: list[MxStatus | None] = []
        keys: set[Key] = set()

        def edit(changes: Edit) -> None:
            refused.append(act(entry.alarm, changes, now))
            keys.update(changes.made)

        try:
            self._tags().plant.board.change(edit)
        except BoardError as error:
            raise ProviderError(str(error), hresults.E_FAIL) from error
        self._look(keys)
        status = refused[0]
        return Answer(0) if status is None else Answer(_REFUSED, status.describe())


def _by_time(item: tuple[str, Entry]) -> tuple[int, str]:
    key, entry = item
    return entry.now.status.changed_ns, key
