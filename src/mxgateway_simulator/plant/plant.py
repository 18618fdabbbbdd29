"""The plant that all sessions share: what an attribute shows at a moment, and what a write to it does.

It holds no clock: whoever asks says what time it is. What is not on the board is a function of tag and time.
"""

from __future__ import annotations

from typing import Any

from mxgateway_contract import failures
from mxgateway_contract import quality as q
from mxgateway_contract.references import WHOLE
from mxgateway_contract.status import OK, MxStatus, Source
from mxgateway_protocol.variants import DataType
from mxgateway_simulator.plant.board import Board, Edit, Entries
from mxgateway_simulator.plant.entries import ENGINE, SCAN, VALUE, Step, Written
from mxgateway_simulator.plant.galaxy_file import GalaxyFile
from mxgateway_simulator.plant.signals import NEVER, Sampled, Signal
from mxgateway_simulator.plant.tags import NOBODY, Author, Binding, Tag, Vtq
from mxgateway_simulator.switches import Switches

STEPS_KEPT = 8
"""How many changes of a number by writing the board remembers, for what follows it with a lag, and for alarms."""


class Plant:
    """The plant of one Galaxy.

    Args:
        node: computer of whoever writes, for what remembers it.
    """

    def __init__(self, galaxy: GalaxyFile, board: Board, switches: Switches, node: str = "") -> None:
        self.galaxy = galaxy
        self.board = board
        self.switches = switches
        self.node = node
        self._initializing_ns = switches.initializing_ms * 10**6

    def written(self, tag: Tag, entries: Entries | None = None) -> Written | None:
        """What was written to an attribute, or None; not what was written while it was of another type."""
        held = (entries or self.board).written(tag.key)
        return held if held is None or held.shape in (None, tag.shape) else None

    def _held(self, tag: Tag, t_ns: int, entries: Entries | None = None) -> Written | None:
        """What was written to an attribute and still stands; None when its signal goes on."""
        held = self.written(tag, entries)
        if held is not None and tag.resume_ns and t_ns >= held.written_ns + tag.resume_ns:
            return None
        return held

    def array(self, tag: Tag) -> tuple[Any, ...]:
        """The elements of an array as it was written, or as it is configured."""
        held = self.written(tag)
        return tuple(held.value if held else tag.row.value)

    # ----------------------------------------------------------------------------------------------------------- seeing

    def sample(self, tag: Tag, t_ns: int) -> Sampled:
        """The value of an attribute, leaving aside whether its object runs."""
        if tag.computed is not None:
            return tag.computed(t_ns)
        held = self.written(tag)
        resumed_ns = held.written_ns + tag.resume_ns if held is not None and tag.resume_ns else 0
        if held is not None and not 0 < resumed_ns <= t_ns:
            return Sampled(held.value, held.time_ns, resumed_ns or NEVER)
        if tag.signal is not None:
            sampled = tag.signal.sample(t_ns, self.board.revision if tag.looks_around else 0)
            return sampled if sampled.changed_ns >= resumed_ns else sampled._replace(changed_ns=resumed_ns)
        # Never newer than now, should the clock stand before the last deploy.
        return Sampled(tag.row.value, max(min(tag.since_ns, t_ns), resumed_ns), NEVER)

    def value_at(self, tag: Tag, t_ns: int) -> Any:
        """The value of an attribute at a time that may have passed: before a write, what stood there then."""
        held = self.written(tag) if tag.computed is None else None
        if held is None and tag.computed is None and isinstance(tag.signal, Signal):
            # Without looking for when it came to this value.
            return tag.signal.value_at(t_ns)
        if held is None or t_ns >= held.written_ns or not held.steps:
            return self.sample(tag, t_ns).value
        value = held.steps[0].value
        for at, written in held.steps:
            if at <= t_ns:
                value = written
        return value

    def steps(self, tag: Tag, t_ns: int) -> tuple[Step, ...]:
        """Writes to a tag with their times, oldest first, and what stood before; empty when no write stands."""
        held = self._held(tag, t_ns)
        return held.steps if held else ()

    def is_free(self, tag: Tag, t_ns: int) -> bool:
        """Whether nothing but the tag's signal decides what it shows from now on: it runs, and no write stands."""
        if tag.computed is not None or tag.quality is not None or self._held(tag, t_ns) is not None:
            return False
        return self.condition(tag, 0) is None

    def condition(self, tag: Tag, t_ns: int) -> tuple[MxStatus, int, int] | None:
        """What keeps the tag from showing good values: status, quality and since when; None when nothing does."""
        board = self.board
        for name, status in ((tag.platform, failures.PLATFORM_DOWN), (tag.engine, failures.ENGINE_DOWN)):
            entry = board.switched(ENGINE, name) if name else None
            if entry and not entry.is_on:
                if self.switches.stopped_engine_source == "requesting_nmx":
                    status = status._replace(detected_by=Source.REQUESTING_NMX)
                return status, q.BAD_COMMUNICATION_FAILURE, entry.time_ns
        if tag.row.name.casefold() in ("scanstate", "scanstatecmd"):
            return None
        own = tag.object.tag_name.casefold()
        for name in (own, tag.engine, tag.platform):
            entry = board.switched(SCAN, name) if name else None
            if entry and not entry.is_on:
                return OK, q.BAD, entry.time_ns
        return None

    def started_ns(self, tag: Tag) -> int:
        """When the object last came (back) to life: scan on, or engine start; 0 when it always ran."""
        latest = 0
        for kind in (SCAN, ENGINE):
            for name in (tag.object.tag_name.casefold(), tag.engine, tag.platform):
                entry = self.board.switched(kind, name) if name else None
                if entry and entry.is_on:
                    latest = max(latest, entry.time_ns)
        return latest

    def read(self, binding: Binding, t_ns: int) -> tuple[Vtq, int]:
        """What a binding shows, and the first time at which that may change by itself."""
        tag = binding.tag
        value, changed, following = self.sample(tag, t_ns)
        quality = q.GOOD
        status = OK
        if tag.quality is not None:
            excursion = tag.quality.sample(t_ns)
            quality = excursion.value
            following = min(following, excursion.next_ns)
            if tag.signal is not None or quality != q.GOOD:
                changed = max(changed, excursion.changed_ns)
        held = self._held(tag, t_ns) if tag.computed is None else None
        if held is not None:
            quality = held.quality
        hindrance = self.condition(tag, t_ns)
        if hindrance is not None:
            status, quality, since = hindrance
            changed = max(changed, since)
            following = NEVER
            if not status.is_success and not self.switches.stopped_engine_keeps_value:
                value = None
        else:
            started = self.started_ns(tag)
            if started:
                changed = max(changed, started)
                if t_ns < started + self._initializing_ns:
                    quality = q.INITIALIZING
                    following = min(following, started + self._initializing_ns)
            element = binding.element
            if element is not None and element != WHOLE and element > len(value):
                # The array has been written with fewer elements since the item was advised.
                return Vtq(None, q.BAD_CONFIGURATION_ERROR, changed, failures.WRONG_INDEX), following
        if (
            tag.data_type == DataType.QUALIFIED_STRUCT
            and binding.aspect in ("value", "buffer")
            and status.is_success
            and self.switches.qualified_struct_as == "failure"
        ):
            return Vtq(None, q.BAD_CONFIGURATION_ERROR, changed, failures.WHOLE_STRUCT), following
        return Vtq(self._selected(binding, value, quality, changed), quality, changed, status), following

    def _selected(self, binding: Binding, value: Any, quality: int, changed: int) -> Any:
        """The part of a value that the binding means."""
        tag, index, prop = binding.tag, binding.element, binding.aspect
        if index is not None and index != WHOLE and value is not None:
            value = value[index - 1] if index <= len(value) else None
        if prop in ("value", "buffer"):
            return value
        if prop.isdigit():
            return bool(value >> int(prop) & 1) if value is not None else None
        row = tag.row
        return {
            "type": row.data_type,
            "quality": _galaxy_quality(quality),
            "dimension1": len(self.array(tag)) if row.is_array else 0,
            "securityclassification": row.security,
            "locked": row.locked,
            "category": row.category,
            "time": changed,
            "name": row.name,
        }[prop]

    # --------------------------------------------------------------------------------------------------------- changing

    def store(
        self, edit: Edit, binding: Binding, value: Any, time_ns: int, now_ns: int, by: Author = NOBODY
    ) -> MxStatus | None:
        """Puts a coerced value on the board, or does what writing it means.

        Args:
            by: who writes, for what remembers it.

        Returns:
            Why it is refused; None when it is done.
        """
        tag, index, prop = binding.tag, binding.element, binding.aspect
        if tag.check is not None and (refused := tag.check(value)) is not None:
            return refused
        if tag.act is not None:
            return tag.act(edit, value, now_ns, by)
        if tag.before_write is not None:
            tag.before_write(edit, now_ns)
        held = self._held(tag, now_ns, edit)
        before = held.value if held else self.sample(tag, now_ns).value
        if index is not None and index != WHOLE:
            if index > len(before):
                return failures.NO_ELEMENT
            value = (*before[: index - 1], _with_bit(before[index - 1], prop, value), *before[index:])
        elif prop.isdigit():
            value = _with_bit(before, prop, value)
        steps: tuple[Step, ...] = ()
        if not tag.row.is_array and (isinstance(value, (bool, int, float)) or tag.keeps_steps):
            earlier = held.steps if held and held.steps else (Step(0, before),)
            # The same value again is no step: what counts is since when it stands.
            is_new = len(earlier) == 1 or earlier[-1].value != value
            steps = (*earlier, Step(now_ns, value))[-STEPS_KEPT:] if is_new else earlier
        edit.put(
            VALUE,
            tag.key,
            Written(value=value, quality=q.GOOD, time_ns=time_ns, written_ns=now_ns, shape=tag.shape, steps=steps),
        )
        return None


def _with_bit(value: Any, prop: str, bit: Any) -> Any:
    if not prop.isdigit():
        return bit
    raw = (value & 0xFFFFFFFF) | 1 << int(prop) if bit else (value & 0xFFFFFFFF) & ~(1 << int(prop))
    return raw - (1 << 32) if raw & 0x80000000 else raw


def _galaxy_quality(quality: int) -> int:
    """The Galaxy's four states: Good 0, Uncertain 1, Initializing 2, Bad 3."""
    if q.is_good(quality):
        return 0
    if q.is_uncertain(quality):
        return 1
    return 2 if quality == q.INITIALIZING else 3
