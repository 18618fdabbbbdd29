"""Writes on their way: what is refused, what is stored, and what the completion says."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from mxgateway_contract import failures
from mxgateway_contract.references import WHOLE
from mxgateway_contract.status import PENDING, Category, Detail, MxStatus, Source
from mxgateway_protocol.backend import EventSink
from mxgateway_protocol.variants import DataType
from mxgateway_simulator.errors import BoardError
from mxgateway_simulator.lmx.automation import by_automation
from mxgateway_simulator.lmx.coercion import CoercionError, coerce, coerce_array, is_wide_integer
from mxgateway_simulator.lmx.items import PendingWrite
from mxgateway_simulator.lmx.schedule import Schedule
from mxgateway_simulator.lmx.subscriptions import Subscriptions
from mxgateway_simulator.lmx.users import UserDirectory, refusal, secured_refusal
from mxgateway_simulator.plant.board import Edit
from mxgateway_simulator.plant.entries import Key
from mxgateway_simulator.plant.plant_tags import PlantTags
from mxgateway_simulator.plant.tags import Author, Binding, Tag

logger = logging.getLogger(__name__)

_MS = 10**6
_LARGEST_BATCH = 256
_AUTOMATED = frozenset(
    {DataType.BOOLEAN, DataType.INTEGER, DataType.FLOAT, DataType.DOUBLE, DataType.TIME}
    | {DataType.STRING, DataType.BIG_STRING, DataType.INTERNATIONALIZED_STRING}
)
_NUMBERS = (DataType.INTEGER, DataType.FLOAT, DataType.DOUBLE)


class Writes:
    """Takes accepted writes, carries them out when they are due, in order, and completes them."""

    def __init__(
        self,
        tags: PlantTags,
        directory: UserDirectory,
        subscriptions: Subscriptions,
        schedule: Schedule,
        sink: EventSink,
    ) -> None:
        self._tags = tags
        self._plant = plant = tags.plant
        self._switches = plant.switches
        self._directory = directory
        self._subscriptions = subscriptions
        self._schedule = schedule
        self.sink = sink
        self._due: list[PendingWrite] = []
        responder = self._switches.write_ok_source == "responding_object"
        source = Source.RESPONDING_AUTOMATION_OBJECT if responder else Source.REQUESTING_LMX
        self._ok = MxStatus(-1, Category.OK, source, Detail.SUCCESS)

    def accept(self, write: PendingWrite, now_ns: int) -> None:
        """Queues a write whose call succeeded."""
        write.item.pending.append(write)
        self._schedule.add(now_ns + self._switches.write_latency_ms * _MS, partial(self._fall_due, write))
        if self._switches.write_pending_completion_first:
            self.sink.on_write_complete(write.item.server.handle, write.item.handle, (PENDING,))

    def _fall_due(self, write: PendingWrite, now_ns: int) -> None:
        self._due.append(write)

    def carry_out(self, now_ns: int) -> None:
        """Stores what is due and delivers completions and echoes, in the order of the writes."""
        while self._due:
            batch: list[PendingWrite] = []
            keys: set[str] = set()
            while self._due and len(batch) < _LARGEST_BATCH:
                key = self._due[0].binding.tag.key
                if key in keys:
                    break  # so that each write of one attribute shows a value of its own
                keys.add(key)
                batch.append(self._due.pop(0))
            self._carry_out(batch, now_ns)

    def _carry_out(self, batch: list[PendingWrite], now_ns: int) -> None:
        results: list[tuple[MxStatus, list[Key]]] = []

        def edit_all(edit: Edit) -> None:
            for write in batch:
                before = len(edit.made)
                status = self._perform(edit, write, now_ns)
                results.append((status, list(edit.made)[before:]))

        try:
            self._plant.board.change(edit_all)
        except BoardError:
            logger.exception("writes could not be stored count=%d", len(batch))
            results = [(failures.NOT_STORED, [])] * len(batch)
        for write, (status, keys) in zip(batch, results, strict=True):
            self._finish(write, status, keys, now_ns)

    def _finish(self, write: PendingWrite, status: MxStatus, keys: list[Key], now_ns: int) -> None:
        item = write.item
        if write in item.pending:
            item.pending.remove(write)
        dropped = item.is_removed and self._switches.remove_drops_completions
        first = self._switches.write_completion_first
        if first and not dropped:
            self.sink.on_write_complete(item.server.handle, item.handle, (status,))
        if status.is_success:
            for key in keys:
                self._subscriptions.echo(key, now_ns, equal_too=self._switches.write_equal_value_echoes)
        if not first and not dropped:
            self.sink.on_write_complete(item.server.handle, item.handle, (status,))

    def _perform(self, edit: Edit, write: PendingWrite, now_ns: int) -> MxStatus:
        """Checks in order: reachable, writeable, allowed, of the right type, in range; then stores."""
        plant, binding = self._plant, write.binding
        tag = binding.tag
        if write.item.is_lost and write.item.last is not None:
            return write.item.last.status
        hindrance = plant.condition(tag, now_ns)
        if hindrance is not None and not hindrance[0].is_success:
            return hindrance[0]
        if binding.aspect not in ("value", "buffer") and not binding.aspect.isdigit():
            return failures.NOT_WRITEABLE
        refused = self._refusal(write, tag)
        if refused is not None:
            return refused
        try:
            value = self._coerced(write, binding)
        except CoercionError as error:
            return self._misfit(error)
        if not _in_range(tag, value):
            return failures.OUT_OF_RANGE
        time_ns = now_ns if write.time_ns is None else write.time_ns
        by = Author(write.user.name if write.user is not None else "", self._plant.node)
        return plant.store(edit, binding, value, time_ns, now_ns, by) or self._ok

    def _refusal(self, write: PendingWrite, tag: Tag) -> MxStatus | None:
        if write.secured:
            return secured_refusal(self._directory, tag, write.advise, write.user, write.verifier)
        return refusal(self._directory, self._switches, tag, write.advise, write.user)

    def _coerced(self, write: PendingWrite, binding: Binding) -> Any:
        tag = binding.tag
        if self._switches.wide_integers == "refused" and is_wide_integer(write.value):
            raise CoercionError(Detail.INCORRECT_DATA_TYPE)
        if binding.aspect.isdigit():
            return coerce(write.value, DataType.BOOLEAN)
        if binding.element == WHOLE:
            exact = self._switches.array_elements == "exact"
            return coerce_array(write.value, tag.data_type, tag.enum, exact=exact)
        if self._switches.coercion == "automation" and tag.data_type in _AUTOMATED:
            return by_automation(write.value, tag.data_type)
        return coerce(write.value, tag.data_type, tag.enum)

    def _misfit(self, error: CoercionError) -> MxStatus:
        if error.detail == Detail.DATA_OUT_OF_RANGE:
            return failures.OUT_OF_RANGE
        status = failures.NOT_COERCIBLE
        if self._switches.not_coercible_category == "operational":
            status = status._replace(category=Category.OPERATIONAL_ERROR)
        return status._replace(detail=error.detail) if self._switches.not_coercible_detail == "specific" else status


def _in_range(tag: Tag, value: Any) -> bool:
    limits: Sequence[float] | None = tag.row.behaviour.get("range")
    if limits is None or tag.data_type not in _NUMBERS:
        return True
    values = value if isinstance(value, tuple) else (value,)
    return all(limits[0] <= element <= limits[1] for element in values)
