"""Advised items: first callbacks, changes, and what is shown when the plant stops, starts or is redeployed."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from mxgateway_contract import failures
from mxgateway_contract import quality as q
from mxgateway_contract.references import WHOLE
from mxgateway_contract.status import OK, Category, Detail, MxStatus, Source
from mxgateway_protocol.backend import EventSink, Sample
from mxgateway_protocol.variants import EMPTY, DataType, Variant
from mxgateway_simulator.lmx.coercion import outward, told_type
from mxgateway_simulator.lmx.items import NOT_ADVISED, Group, Item
from mxgateway_simulator.lmx.schedule import Schedule
from mxgateway_simulator.plant.entries import ANYTHING, Key
from mxgateway_simulator.plant.plant_tags import PlantTags
from mxgateway_simulator.plant.signals import NEVER, Signal, seed_of, uniform
from mxgateway_simulator.plant.tags import Binding, Tag, Unresolved, Vtq

_OK = (OK,)
_MS = 10**6
_FLOOD_BURST = 512
_WAITING = MxStatus(-1, Category.PENDING, Source.RESPONDING_LMX, Detail.RESOLVING_ATTRIBUTE)


class Subscriptions:
    """Keeps advised items connected to the plant and delivers what they see to the sink."""

    def __init__(self, tags: PlantTags, schedule: Schedule, sink: EventSink) -> None:
        self._tags = tags
        self._plant = plant = tags.plant
        self._switches = plant.switches
        self._schedule = schedule
        self.sink = sink
        self._latency_ns = plant.switches.change_latency_ms * _MS
        self.turn_ns = 0
        """How long after a change of many tags it is this session's turn to be told."""
        self._groups: dict[tuple[int, int], Group] = {}
        self._floods: dict[Item, None] = {}
        self._watchers: dict[Key, dict[Item, None]] = {}
        self._advised: dict[Item, None] = {}
        self._warm_ns: int | None = None
        """When the first reference of the session is bound, and with it the way to the plant."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is advised, so that nobody would notice a change."""
        return not self._advised

    @property
    def is_flooding(self) -> bool:
        return bool(self._floods)

    # ------------------------------------------------------------------------------------------------------- connecting

    def start(self, item: Item, now_ns: int) -> None:
        """Begins to connect an item that was just advised."""
        item.generation += 1
        item.is_connected = item.is_lost = item.is_suspended = False
        item.last = None
        item.is_fresh = True
        item.flush_due_ns = None
        item.server_handle = item.server.handle
        self._advised[item] = None
        if self._switches.waiting_callback_first:
            self._schedule.add(now_ns, partial(self._say_waiting, item, item.generation))
        self._schedule.add(self._first_due_ns(item, now_ns), partial(self._bind, item, item.generation))

    def _say_waiting(self, item: Item, generation: int, now_ns: int) -> None:
        if generation == item.generation:
            self._deliver_raw(item, EMPTY, q.INITIALIZING, now_ns, (_WAITING,))

    def _first_due_ns(self, item: Item, now_ns: int) -> int:
        switches = self._switches
        if self._warm_ns is not None:
            # Items that are advised while the first one binds wait for the same connections.
            return max(now_ns + switches.first_callback_warm_ms * _MS, self._warm_ns)
        span = switches.first_callback_cold_max_ms - switches.first_callback_cold_min_ms
        share = uniform(seed_of(item.reference), 0)
        self._warm_ns = now_ns + round((switches.first_callback_cold_min_ms + span * share) * _MS)
        return self._warm_ns

    def time_jumped(self, delta_ns: int) -> None:
        """The clock was set."""
        if self._warm_ns is not None:
            self._warm_ns += delta_ns

    def stop(self, item: Item) -> None:
        """Disconnects an item; nothing more is delivered for it."""
        item.generation += 1
        item.is_connected = item.is_lost = item.is_suspended = False
        self._advised.pop(item, None)
        self._unwatch(item)
        item.binding = None
        item.samples.clear()

    def _bind(self, item: Item, generation: int, now_ns: int) -> None:
        if generation == item.generation:
            self._connect(item, now_ns)

    def _connect(self, item: Item, now_ns: int) -> bool:
        found = self._tags.resolve(item.reference, item.context)
        if isinstance(found, Binding) and item.is_buffered and self._switches.buffered_needs_buffer:
            row = found.tag.row
            if not row.behaviour.get("buffer"):
                found = Unresolved(failures.NO_PROPERTY, q.BAD_CONFIGURATION_ERROR)
        if isinstance(found, Unresolved):
            self._deliver_raw(item, EMPTY, found.quality, now_ns, (found.status,))
            item.last = Vtq(None, found.quality, now_ns, found.status)
            return False
        self._attach(item, found)
        item.is_connected = True
        self._show(item, now_ns, force=True)
        return True

    def _attach(self, item: Item, binding: Binding) -> None:
        item.binding = binding
        item.data_type = binding.data_type if item.is_buffered else told_type(binding.data_type, self._switches)
        item.is_down = self._plant.condition(binding.tag, 0) is not None
        for key in binding.tag.keys:
            self._watchers.setdefault(key, {})[item] = None

    def _unwatch(self, item: Item) -> None:
        self._leave(item)
        item.timer += 1
        if item.binding is None:
            return
        for key in item.binding.tag.keys:
            watchers = self._watchers.get(key)
            if watchers is not None:
                watchers.pop(item, None)
                if not watchers:
                    del self._watchers[key]

    # --------------------------------------------------------------------------------------------- changes from outside

    def board_changed(self, keys: Collection[Key], now_ns: int) -> None:
        """Shows the items that look at changed entries of the board what has become of them."""
        items: dict[Item, None] = {}
        for key in keys:
            items.update(self._watchers.get(key, {}))
        if keys:
            items.update(self._watchers.get(ANYTHING, {}))
        timed = self._switches.write_equal_value_echoes
        for item in items:
            if self._latency_ns:
                again = partial(self._show_later, item, item.generation, timed)
                self._schedule.add(now_ns + self._latency_ns, again)
            else:
                self._show(item, now_ns, timed=timed)

    def _show_later(self, item: Item, generation: int, timed: bool, now_ns: int) -> None:
        if generation == item.generation and item.binding is not None:
            self._show(item, now_ns, timed=timed)

    def echo(self, key: Key, now_ns: int, *, equal_too: bool) -> None:
        """Shows a write to everybody who looks at what was written."""
        for item in list(self._watchers.get(key, ())):
            if self._latency_ns:
                again = partial(self._show_later, item, item.generation, equal_too)
                self._schedule.add(now_ns + self._latency_ns, again)
            else:
                self._show(item, now_ns, force=equal_too, timed=equal_too)
        for item in list(self._watchers.get(ANYTHING, ())):
            if self._latency_ns:
                self._schedule.add(now_ns + self._latency_ns, partial(self._show_later, item, item.generation, False))
            else:
                self._show(item, now_ns, timed=False)

    def galaxy_changed(self, now_ns: int) -> None:
        """Resolves all advised items anew, after objects were deployed or undeployed."""
        for item in list(self._advised):
            if not item.is_connected and item.last is None:
                continue  # its first callback is still to come
            self._rebind(item, now_ns)

    def _rebind(self, item: Item, now_ns: int) -> None:
        before = item.binding
        if before is None or item.is_lost:
            if self._switches.rebind_after_deploy:
                item.binding = None
                if isinstance(self._tags.resolve(item.reference, item.context), Binding):
                    self._restart(item, now_ns)
            return
        found = self._tags.resolve(item.reference, item.context)
        if isinstance(found, Unresolved):
            self._unwatch(item)
            item.is_lost = True
            status = found.status
            if status.detail == self._switches.bad_reference_detail:
                status = failures.UNRESOLVED._replace(detail=self._switches.undeployed_detail)
            self._lose(item, status, found.quality, now_ns)
            return
        same = before.tag.object == found.tag.object and before.tag.row == found.tag.row
        changed = _signature_mismatch(before.tag, found.tag)
        self._unwatch(item)
        self._attach(item, found)
        if same:
            self._show(item, now_ns)
            return
        if changed and self._switches.redeploy_signature_callback:
            self._lose(item, changed, q.BAD_CONFIGURATION_ERROR, now_ns)
        self._restart(item, now_ns)

    def _lose(self, item: Item, status: MxStatus, quality: int, now_ns: int) -> None:
        self._flush_before(item, now_ns)
        self._deliver_raw(item, EMPTY, quality, now_ns, (status,))
        item.last = Vtq(None, quality, now_ns, status)

    def _restart(self, item: Item, now_ns: int) -> None:
        item.is_lost = False
        if self._switches.initializing_callback and item.last is not None:
            self._deliver_raw(item, EMPTY, q.INITIALIZING, now_ns, _OK)
        if item.binding is None:
            self._connect(item, now_ns)
        else:
            self._show(item, now_ns, force=True)

    # ---------------------------------------------------------------------------------------------------------- showing

    def _show(self, item: Item, now_ns: int, *, force: bool = False, timed: bool = True) -> None:
        """Delivers what the item sees now, when that is news, and arranges for the next time."""
        binding = item.binding
        if binding is None or item.is_lost:
            return
        plant = self._plant
        if item.group is not None and item.last is not None:
            item.last = Vtq(item.last_value, q.GOOD, item.last_at_ns)
        at = now_ns - self._latency_ns
        vtq, following = plant.read(binding, at)
        is_down = plant.condition(binding.tag, at) is not None
        if item.is_down and not is_down and self._switches.initializing_callback and vtq.quality != q.INITIALIZING:
            self._deliver(item, Vtq(vtq.value, q.INITIALIZING, vtq.timestamp_ns, OK), now_ns)
        item.is_down = is_down
        before = item.last
        # A property is news when it changes, whatever the attribute's time does.
        timed = timed and binding.aspect in ("value", "buffer")
        if force or before is None or (vtq != before if timed else _untimed(vtq) != _untimed(before)):
            self._deliver(item, vtq, now_ns)
        self._arrange(item, binding, vtq, at, following)

    def _arrange(self, item: Item, binding: Binding, vtq: Vtq, at: int, following: int) -> None:
        self._leave(item)
        item.timer += 1
        if following == NEVER:
            return
        tag = binding.tag
        signal = tag.signal
        whole = binding.aspect == "value" and (binding.element is None or binding.element == WHOLE)
        # Types that may be delivered as something else than they are kept as take the long way.
        plain = whole and not item.is_buffered and tag.data_type not in (DataType.QUALIFIED_ENUM, DataType.TIME)
        if plain and isinstance(signal, Signal) and vtq.quality == q.GOOD and self._plant.is_free(tag, at):
            self._join(item, signal, vtq)
            return
        self._schedule.add(following + self._latency_ns, partial(self._tick, item, item.timer))

    def _tick(self, item: Item, timer: int, now_ns: int) -> None:
        if timer == item.timer:
            # A signal's step to the same value is no news; a write of the same value is.
            self._show(item, now_ns, timed=False)

    def _deliver(self, item: Item, vtq: Vtq, now_ns: int) -> None:
        item.last = vtq
        if item.is_suspended or item.advise == NOT_ADVISED:
            return
        shown = self._variant(item, vtq)
        if item.is_buffered and vtq.status == OK:
            self._collect(item, Sample(shown, vtq.quality, vtq.timestamp_ns), now_ns)
        else:
            self._flush_before(item, now_ns)
            self._deliver_raw(item, shown, vtq.quality, vtq.timestamp_ns, (vtq.status,))

    def _variant(self, item: Item, vtq: Vtq) -> Variant:
        binding = item.binding
        if vtq.value is None or binding is None:
            return EMPTY
        is_array = binding.element == WHOLE and binding.aspect in ("value", "buffer")
        shown = outward(vtq.value, binding.data_type, is_array, self._switches, binding.tag.enum)
        return shown if item.is_buffered else shown._replace(data_type=item.data_type)

    def _deliver_raw(
        self, item: Item, value: Variant, quality: int, timestamp_ns: int, statuses: tuple[MxStatus, ...]
    ) -> None:
        if item.is_buffered:
            samples = (Sample(value, quality, timestamp_ns),)
            self.sink.on_buffered_data_change(item.server.handle, item.handle, value.data_type, samples, statuses)
        else:
            self.sink.on_data_change(item.server.handle, item.handle, value, quality, timestamp_ns, statuses)

    def _collect(self, item: Item, sample: Sample, now_ns: int) -> None:
        """Keeps a sample of a buffered item until its interval ends; the first one goes at once."""
        item.samples.append(sample)
        if item.flush_due_ns is not None:
            return
        interval = item.server.buffered_interval_ns
        item.flush_due_ns = now_ns if item.is_fresh else (now_ns // interval + 1) * interval
        item.is_fresh = False
        self._schedule.add(item.flush_due_ns, partial(self._flush, item, item.generation))

    def _flush_before(self, item: Item, now_ns: int) -> None:
        """Samples that wait for their interval to end come before the failure that follows them."""
        if item.samples:
            self._flush(item, item.generation, now_ns)

    def _flush(self, item: Item, generation: int, now_ns: int) -> None:
        if generation != item.generation or not item.samples:
            return
        item.flush_due_ns = None
        samples, item.samples = tuple(item.samples), []
        batches = [samples] if self._switches.buffered_batch else [(sample,) for sample in samples]
        for batch in batches:
            self.sink.on_buffered_data_change(item.server.handle, item.handle, item.data_type, batch, _OK)

    def show_suspended(self, item: Item, now_ns: int) -> None:
        """The callback that says that a suspended item gets no values."""
        last = item.last
        if last is not None and item.is_connected:
            shown = self._variant(item, last)
            self._deliver_raw(item, shown, q.INITIALIZING, last.timestamp_ns, _OK)

    def tell_failure(self, item: Item, now_ns: int) -> bool:
        """The callback of a reference that failed, once more; False when it has not failed."""
        last = item.last
        if last is None or item.is_connected or last.status.is_success:
            return False
        self._deliver_raw(item, EMPTY, last.quality, now_ns, (last.status,))
        return True

    def show_again(self, item: Item, now_ns: int) -> None:
        """Delivers the current value, news or not."""
        if item.is_connected:
            self._show(item, now_ns, force=True)

    # -------------------------------------------------------------------------------- signals on a grid, many at a time

    def _join(self, item: Item, signal: Signal, vtq: Vtq) -> None:
        item.step = signal.step
        item.last_value = vtq.value
        item.vartype = self._variant(item, vtq).vartype
        if not signal.interval_ns:
            self._floods[item] = None
            return
        key = (signal.interval_ns, signal.offset_ns)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(*key)
            at = (vtq.timestamp_ns - signal.offset_ns) // signal.interval_ns + 1
            due = signal.offset_ns + at * signal.interval_ns
            self._schedule.add(due + self._delay_ns(group), partial(self._tick_group, group))
        group.items[item] = None
        item.group = group
        item.last_at_ns = vtq.timestamp_ns

    def _leave(self, item: Item) -> None:
        if item.group is not None:
            # An empty group ends with its next tick.
            item.group.items.pop(item, None)
            item.group = None
        self._floods.pop(item, None)

    def _delay_ns(self, group: Group) -> int:
        return self._latency_ns + min(self.turn_ns, group.interval_ns // 2)

    def _tick_group(self, group: Group, now_ns: int) -> None:
        if not group.items:
            self._groups.pop((group.interval_ns, group.offset_ns), None)
            return
        interval = group.interval_ns
        k = (now_ns - self._latency_ns - group.offset_ns) // interval
        at = group.offset_ns + k * interval
        self._schedule.add(at + interval + self._delay_ns(group), partial(self._tick_group, group))
        send = self.sink.on_data_change
        for item in list(group.items):
            value = item.step(k, at)  # type: ignore[misc]
            if value == item.last_value:
                continue
            item.last_value = value
            item.last_at_ns = at
            if not item.is_suspended:
                shown = Variant(item.vartype, value, item.data_type)
                send(item.server_handle, item.handle, shown, 192, at, _OK)

    def flood(self, now_ns: int) -> None:
        """One burst of the items that change as fast as they are looked at."""
        send = self.sink.on_data_change
        items = [item for item in self._floods if not item.is_suspended]
        for _ in range(_FLOOD_BURST // len(items) if items else 0):
            for item in items:
                shown = Variant(item.vartype, item.step(0, 0), item.data_type)  # type: ignore[misc]
                send(item.server_handle, item.handle, shown, 192, now_ns, _OK)


def _signature_mismatch(before: Tag, after: Tag) -> MxStatus | None:
    """What says that a deployment has changed an attribute, or its object; None when it has not."""
    old, new = before.row, after.row
    if (old.data_type, old.is_array, old.category) != (new.data_type, new.is_array, new.category):
        return failures.ATTRIBUTE_CHANGED
    return failures.OBJECT_CHANGED if before.object.package_id != after.object.package_id else None


def _untimed(vtq: Vtq) -> tuple[object, int, MxStatus]:
    return vtq.value, vtq.quality, vtq.status
