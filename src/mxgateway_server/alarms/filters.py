"""Which alarms a caller wants, in a normal form: equal filters are equal, whatever order their words came in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from mxgateway_protocol.globs import Glob
from mxgateway_server.alarms.model import Alarm, AlarmSource, Mode, State
from mxgateway_server.errors import InvalidRequestError

MAX_ENTRIES = 64
MAX_CHARACTERS = 400
MAX_PRIORITY = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFilter:
    """The wishes of one caller, all texts without case and each list in order; see the contract's AlarmFilter.

    Attributes:
        prefix: beginning of the full reference.
    """

    prefix: str = ""
    areas: tuple[str, ...] = ()
    has_sub_areas: bool = True
    references: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    priority_min: int = 0
    priority_max: int = 0
    states: tuple[State, ...] = ()
    classes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    text: str = ""
    excludes_shelved: bool = False
    excludes_silenced: bool = False

    @property
    def number(self) -> int:
        """64 bits that tell filters apart, the same in every gateway and run; 0 for the filter that takes all."""
        if self == ALL:
            return 0
        told = json.dumps({each.name: getattr(self, each.name) for each in fields(self)}, sort_keys=True)
        return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big") or 1


ALL = AlarmFilter()


def make_filter(
    *,
    prefix: str = "",
    areas: Iterable[str] = (),
    has_sub_areas: bool = True,
    references: Iterable[str] = (),
    objects: Iterable[str] = (),
    priority_min: int = 0,
    priority_max: int = 0,
    states: Iterable[int] = (),
    classes: Iterable[str] = (),
    types: Iterable[str] = (),
    text: str = "",
    excludes_shelved: bool = False,
    excludes_silenced: bool = False,
) -> AlarmFilter:
    """A filter from what a caller wrote.

    Raises:
        InvalidRequestError: names the field that is wrong, and what it takes.
    """
    for name, priority in (("priority_min", priority_min), ("priority_max", priority_max)):
        if not 0 <= priority <= MAX_PRIORITY:
            raise InvalidRequestError(f"filter.{name} is 1 (most urgent) to {MAX_PRIORITY}, or 0 for no limit")
    if priority_min and priority_max and priority_min > priority_max:
        raise InvalidRequestError("filter.priority_min is above filter.priority_max; 1 is the most urgent")
    known = set(State)
    wanted = sorted(set(states))
    if len(wanted) > MAX_ENTRIES or not known.issuperset(wanted):
        raise InvalidRequestError("filter.states has a state that this gateway does not know")
    found = _list("areas", areas)
    return AlarmFilter(
        prefix=_entry("alarm_filter_prefix", prefix),
        areas=found,
        # Without areas it means nothing, and must not tell filters apart.
        has_sub_areas=has_sub_areas or not found,
        references=_list("references", references),
        objects=_list("objects", objects),
        priority_min=priority_min,
        priority_max=priority_max,
        states=tuple(State(each) for each in wanted),
        classes=_list("classes", classes),
        types=_list("types", types),
        text=_entry("filter.text", text),
        excludes_shelved=excludes_shelved,
        excludes_silenced=excludes_silenced,
    )


def _list(name: str, given: Iterable[str]) -> tuple[str, ...]:
    entries = list(given)
    if len(entries) > MAX_ENTRIES:
        raise InvalidRequestError(f"filter.{name} has {len(entries)} entries and may have {MAX_ENTRIES}")
    if not all(entries):
        raise InvalidRequestError(f"filter.{name} has an empty entry; leave the list empty to take all")
    return tuple(sorted({_entry(f"filter.{name}", entry) for entry in entries}))


def _entry(name: str, text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise InvalidRequestError(f"{name} has {len(text)} characters and may have {MAX_CHARACTERS}")
    if not text.isprintable():
        raise InvalidRequestError(f"{name} holds control characters")
    return text.casefold()


class Sieve:
    """A filter made ready for many alarms. What it says of an alarm depends on that alarm alone."""

    def __init__(self, wanted: AlarmFilter) -> None:
        self.filter = wanted
        self._areas = frozenset(wanted.areas)
        self._references = _globs(wanted.references)
        self._objects = _globs(wanted.objects)
        self._states = frozenset(wanted.states)
        self._classes = frozenset(wanted.classes)
        self._types = frozenset(wanted.types)
        self._takes_all = wanted == ALL
        self.is_of_sources = not (
            wanted.priority_min
            or wanted.priority_max
            or wanted.states
            or wanted.text
            or wanted.excludes_shelved
            or wanted.excludes_silenced
        )
        """Whether it takes an alarm in every state, or in none."""

    def takes(self, alarm: Alarm) -> bool:
        """Whether the filter takes this alarm."""
        return self._takes_all or (self.takes_moment(alarm) and self.takes_source(alarm.source))

    def takes_moment(self, alarm: Alarm) -> bool:
        """Whether the filter takes this alarm as it is here, if it takes its source."""
        wanted = self.filter
        if wanted.priority_min and alarm.priority < wanted.priority_min:
            return False
        if wanted.priority_max and alarm.priority > wanted.priority_max:
            return False
        if self._states and alarm.state not in self._states:
            return False
        if wanted.excludes_shelved and alarm.is_shelved:
            return False
        if wanted.excludes_silenced and alarm.mode is Mode.SILENCED:
            return False
        return not wanted.text or self._has_text(alarm)

    def takes_source(self, source: AlarmSource) -> bool:
        """Whether the filter can take this alarm in some state."""
        wanted = self.filter
        if not source.key.startswith(wanted.prefix):
            return False
        if self._areas and not (
            self._areas & source.folded_areas if wanted.has_sub_areas else source.area.casefold() in self._areas
        ):
            return False
        if self._references and not any(glob.matches_folded(source.key) for glob in self._references):
            return False
        if self._objects and not any(glob.matches_folded(source.folded_object) for glob in self._objects):
            return False
        if self._classes and source.alarm_class.casefold() not in self._classes:
            return False
        return not self._types or source.type_name.casefold() in self._types

    def _has_text(self, alarm: Alarm) -> bool:
        text = self.filter.text
        return text in alarm.key or text in alarm.description.casefold() or text in alarm.comment.casefold()


def _globs(patterns: Sequence[str]) -> tuple[Glob, ...]:
    # Not from the shared cache, which callers could push others' globs out of.
    return tuple(Glob(pattern) for pattern in patterns)
