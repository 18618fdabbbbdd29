"""Alarms by their attributes, for when the alarm manager does not answer.

It has a server handle of its own. Its items are the session's items but for their events, which come here. What
acknowledges is added and not advised, until somebody acknowledges.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from mxgateway_contract import quality as q
from mxgateway_contract.status import MxStatus
from mxgateway_protocol.alarms.provider import PollResult
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import Variant, VarType
from mxgateway_worker.alarms.attribute_values import Role, Seen, Watched, WatchedAlarm
from mxgateway_worker.calls import InvalidCommandError, LimitReachedError, SessionCalls
from mxgateway_worker.items import TrackedItem

logger = logging.getLogger(__name__)

ADDED_A_TURN = 100
"""Items that are added in one turn: the rest waits, so that commands and events run between."""
_CLIENT_NAME = "mxgateway-alarms"
_NEEDED = ("alarm_full_reference", "active_subtag", "acked_subtag")


class AttributeProvider:
    """Watches the attributes of alarms."""

    def __init__(self, calls: SessionCalls) -> None:
        self._calls = calls
        self._server = 0
        self._alarms: dict[str, WatchedAlarm] = {}
        self._items: dict[str, list[TrackedItem]] = {}
        self._comments: dict[str, TrackedItem] = {}
        self._to_add: list[tuple[str, str, str]] = []
        self._dirty: dict[str, None] = {}
        self._told: dict[str, AlarmRecord] = {}
        self._gone: list[AlarmRecord] = []
        self._to_write: list[tuple[TrackedItem, str]] = []
        self._once: list[TrackedItem] = []
        self._to_drop: list[TrackedItem] = []

    @property
    def watched(self) -> int:
        """How many alarms are watched."""
        return len(self._alarms)

    @property
    def is_ready(self) -> bool:
        """Whether every attribute has had its first callback."""
        return not self._to_add and all(alarm.has_told for alarm in self._alarms.values())

    @property
    def returned_are_invisible(self) -> bool:
        """Whether alarms that returned unacknowledged before this worker looked cannot be seen."""
        return any(not alarm.tells_times for alarm in self._alarms.values())

    @property
    def is_adding(self) -> bool:
        """Whether there is more to add at once."""
        return bool(self._to_add or self._to_write or self._to_drop)

    @property
    def has_work(self) -> bool:
        return bool(self._to_add or self._dirty or self._gone or self._to_write or self._to_drop)

    def knows(self, key: str) -> bool:
        return key in self._alarms

    # ------------------------------------------------------------------------------------------------------- watch list

    def watch(self, targets: Sequence[Watched]) -> None:
        """Watches these alarms from now on, and no others.

        Raises:
            MxComError: no server handle is to be had.
        """
        wanted = {target.reference.casefold(): target for target in targets}
        for key in [key for key, alarm in self._alarms.items() if wanted.get(key) != alarm.watched]:
            self._unwatch(key)
        if wanted and not self._server:
            self._server = self._calls.register(_CLIENT_NAME)
        for key, target in wanted.items():
            if key not in self._alarms:
                self._alarms[key] = WatchedAlarm(target)
                self._to_add += [(key, role, reference) for role, reference in target.attributes]

    def _unwatch(self, key: str) -> None:
        del self._alarms[key]
        self._dirty.pop(key, None)
        self._to_add = [each for each in self._to_add if each[0] != key]
        comment = self._comments.pop(key, None)
        for item in [*self._items.pop(key, ()), *([comment] if comment else ())]:
            self._drop(item)
        told = self._told.pop(key, None)
        if told is not None:
            self._gone.append(told)

    def _drop(self, item: TrackedItem) -> None:
        """Undoes what was done for an item, and nothing else: what was only added is not un-advised."""
        try:
            if item.advised:
                self._calls.un_advise(item.server_handle, item.item_handle)
            self._calls.remove_item(item.server_handle, item.item_handle)
        except MxComError as error:
            logger.info("an item of the alarm watch could not be dropped item=%s reason=%s", item.reference, error)

    def close(self) -> None:
        """Drops everything; never raises."""
        self._to_add.clear()
        for item in [
            *(item for items in self._items.values() for item in items),
            *self._comments.values(),
            *self._once,
        ]:
            self._drop(item)
        if self._server:
            try:
                self._calls.unregister(self._server)
            except MxComError as error:
                logger.info("the server handle of the alarm watch could not be dropped reason=%s", error)
        self._server = 0
        self._alarms, self._items, self._comments = {}, {}, {}
        self._dirty, self._told, self._gone, self._to_write = {}, {}, [], []
        self._once, self._to_drop = [], []

    # ---------------------------------------------------------------------------------------------------------- values

    def turn(self) -> PollResult:
        """Adds a portion of what is to be watched, and says what the attributes have told since the turn before."""
        portion, self._to_add = self._to_add[:ADDED_A_TURN], self._to_add[ADDED_A_TURN:]
        for key, role, reference in portion:
            self._add(key, role, reference)
        self._write_texts()
        dropped, self._to_drop = self._to_drop, []
        for item in dropped:
            self._once.remove(item)
            self._drop(item)
        return self._settled()

    def _add(self, key: str, role: str, reference: str) -> None:
        try:
            item = self._calls.add_item(self._server, reference)
            item.answer = partial(self._changed, key, role)
            self._items.setdefault(key, []).append(item)
            self._calls.advise(self._server, item.item_handle)
        except (MxComError, LimitReachedError) as error:
            logger.warning("an attribute of an alarm cannot be watched attribute=%s reason=%s", reference, error)
            self._changed(key, role, Variant(VarType.VT_EMPTY, None), q.BAD, 0, ())

    def _changed(
        self, key: str, role: str, value: Variant, quality: int, time_ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        alarm = self._alarms.get(key)
        if alarm is None:
            return
        is_good = q.is_good(quality) and all(status.is_success for status in statuses)
        before = alarm.seen.get(role)
        if not is_good and before is not None and role not in (Role.ACTIVE, Role.ACKED):
            return  # the last good one stands
        alarm.seen[role] = Seen(value.value if is_good or before is None else before.value, is_good, time_ns)
        self._dirty[key] = None

    def _settled(self) -> PollResult:
        """What the batch that is over comes to."""
        fresh: list[AlarmRecord] = []
        gone, self._gone = self._gone, []
        dirty, self._dirty = self._dirty, {}
        for key in dirty:
            alarm = self._alarms[key]
            if not alarm.has_told:
                self._dirty[key] = None  # until it has
                continue
            before, now = self._told.get(key), alarm.settle()
            if now is None or now == before:
                if now is None and before is not None:
                    gone.append(self._told.pop(key))
                continue
            if before is not None and before.guid != now.guid:
                gone.append(before)
            self._told[key] = now
            fresh.append(now)
        return PollResult(fresh, gone, len(self._told))

    # ---------------------------------------------------------------------------------------------------- acknowledging

    def acknowledge(self, key: str, comment: str, completed: Callable[[Sequence[MxStatus]], None]) -> str:
        """Writes the comment to what acknowledges the alarm, in the turns to come.

        Args:
            completed: told of the write's completion; of nothing when MXAccess refused it.

        Returns:
            Why it cannot be done; empty when it is under way.

        Raises:
            MxComError: MXAccess refuses the call.
        """
        alarm = self._alarms.get(key)
        if alarm is None:
            return "the alarm is not among those whose attributes are watched"
        if not alarm.watched.comment:
            return "no attribute that acknowledges is configured (alarms.fallback.subtags.ack_comment)"
        item = self._comments.get(key)
        if item is None:
            item = self._comments[key] = self._calls.add_item(self._server, alarm.watched.comment)
        self._write_to(item, comment, completed)
        return ""

    def write(self, reference: str, text: str, completed: Callable[[Sequence[MxStatus]], None]) -> None:
        """Writes a text to an attribute that is not watched, in the turns to come.

        Args:
            completed: as with `acknowledge`.

        Raises:
            MxComError: MXAccess refuses the call.
        """
        if not self._server:
            self._server = self._calls.register(_CLIENT_NAME)
        item = self._calls.add_item(self._server, reference)
        self._once.append(item)

        def done(statuses: Sequence[MxStatus]) -> None:
            self._to_drop.append(item)
            completed(statuses)

        self._write_to(item, text, done)

    def _write_to(self, item: TrackedItem, text: str, completed: Callable[[Sequence[MxStatus]], None]) -> None:
        item.completed = completed
        if item.advised:
            self._to_write.append((item, text))
            return
        # A write needs an item whose type is known: the first callback tells it.
        item.answer = partial(self._type_known, item, text)
        self._calls.advise(self._server, item.item_handle)

    def _type_known(
        self, item: TrackedItem, text: str, value: Variant, quality: int, time_ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        item.answer = _ignore
        if all(status.is_success for status in statuses):
            # Not from within the callback.
            self._to_write.append((item, text))
        elif item.completed is not None:
            item.completed(statuses)

    def _write_texts(self) -> None:
        waiting, self._to_write = self._to_write, []
        for item, text in waiting:
            try:
                value = Variant(VarType.VT_BSTR, text)
                self._calls.backend.write(item.server_handle, item.item_handle, value, 0)
            except MxComError as error:
                logger.info(
                    "an acknowledgement or shelving could not be written item=%s reason=%s", item.reference, error
                )
                if item.completed is not None:
                    item.completed(())


def _ignore(value: Variant, quality: int, time_ns: int, statuses: Sequence[MxStatus]) -> None:
    """The echo of a comment says nothing that the alarm's other attributes do not."""


def watch_list(targets: Iterable[Mapping[str, str]]) -> list[Watched]:
    """Alarms to watch, from the fields of the contract's AlarmSubtagTarget by name.

    Raises:
        InvalidCommandError: one has no reference, or nothing that tells whether it is there and acknowledged.
    """
    roles = (
        (Role.ACTIVE, "active_subtag"),
        (Role.ACKED, "acked_subtag"),
        (Role.PRIORITY, "priority_subtag"),
        (Role.TIME_ON, "time_on_subtag"),
        (Role.TIME_OFF, "time_off_subtag"),
        (Role.TIME_ACKED, "time_acked_subtag"),
    )
    found: list[Watched] = []
    for target in targets:
        missing = [name for name in _NEEDED if not target.get(name)]
        if missing:
            raise InvalidCommandError(f"watch_list[{len(found)}]: {missing[0]} is empty")
        attributes = tuple((role, target[name]) for role, name in roles if target.get(name))
        found.append(
            Watched(
                reference=target["alarm_full_reference"],
                source=target.get("source_object_reference", ""),
                area=target.get("area", ""),
                attributes=attributes,
                comment=target.get("ack_comment_subtag", ""),
            )
        )
    return found
