"""Whether two reports mean the same coming up of an alarm, and what is known of it from both."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from mxgateway_server.alarms.model import Alarm, AlarmSource, Mode

SAME_START_NS = 2_000_000_000
"""Starts that differ by no more are the same start, told by two providers."""

_FORMER_GUIDS = 4

# Empty from a provider that does not tell them; what was known of this occurrence stays.
_KEPT = (
    *("acknowledged_ns", "cleared_ns", "operator_user", "operator_node", "operator_domain", "operator_full_name"),
    *("comment", "description", "value", "limit", "changed_ns"),
)
_SHELVING = ("is_shelved", "shelved_until_ns", "shelve_user", "shelve_node", "shelve_reason")
# What a reader sees of an alarm beside its state, mode and shelving.
_SHOWN = (
    *("priority", "description", "comment", "operator_user", "operator_node", "operator_domain"),
    *("operator_full_name", "value", "limit", "raw_state", "shelved_until_ns", "shelve_user", "shelve_reason"),
)

_kept = attrgetter(*_KEPT)
_shelving = attrgetter(*_SHELVING)
# All that a provider tells.
_told = attrgetter(
    *("state", "guid", "is_guid_derived", "priority", "raised_ns", "mode", "is_shelved", "shelve_node"),
    *("is_degraded", "provider_mode", "is_uncertain", *_KEPT, *_SHOWN),
)


def is_all_the_same(known: Alarm, told: Alarm) -> bool:
    """Whether a provider tells exactly what is known: quick, for lists of which little has changed."""
    if known.source is not told.source and known.source.facts() != told.source.facts():
        return False
    found: bool = _told(known) == _told(told)
    return found


def is_same_occurrence(known: Alarm, told: Alarm, *, is_other_provider: bool = False) -> bool:
    """Whether both are the same coming up of one alarm.

    The start decides where both tell it, as a restarted provider gives new GUIDs and some give one GUID to all
    occurrences; else the GUID does.

    Args:
        is_other_provider: GUIDs cannot be compared: the two come from different providers, or from one that was
            started again.
    """
    if known.raised_ns and told.raised_ns:
        apart = told.raised_ns - known.raised_ns
        return abs(apart) <= SAME_START_NS or (apart < 0 and told.guid != "" and told.guid == known.guid)
    if is_other_provider or not (known.guid and told.guid) or known.is_guid_derived or told.is_guid_derived:
        return True
    return told.guid in known.all_guids


def is_the_next_of(known: Alarm, told: Alarm) -> bool:
    """Whether this is surely the same occurrence, told so fully that nothing of what was known has to be added.

    Then `merged` gives back what is told; and neither mode nor shelving has changed.
    """
    mode = told.mode
    return (
        told.source is known.source
        and told.guid == known.guid
        and told.raised_ns == known.raised_ns
        and mode is known.mode
        and told.is_shelved == known.is_shelved
        and told.is_guid_derived == known.is_guid_derived
        and not (known.former_guids or told.former_guids)
        # Nearly all of these are empty in what was known, so one look at each is enough. The same as in _KEPT.
        and not (known.acknowledged_ns and not told.acknowledged_ns)
        and not (known.cleared_ns and not told.cleared_ns)
        and not (known.operator_user and not told.operator_user)
        and not (known.operator_node and not told.operator_node)
        and not (known.operator_domain and not told.operator_domain)
        and not (known.operator_full_name and not told.operator_full_name)
        and not (known.comment and not told.comment)
        and not (known.description and not told.description)
        and not (known.value and not told.value)
        and not (known.limit and not told.limit)
        and not (known.changed_ns and not told.changed_ns)
        and (mode is not Mode.UNKNOWN or _shelving(known) == _shelving(told))
    )


def is_older(known: Alarm, told: Alarm) -> bool:
    """Whether the report is about an occurrence before the one that is known."""
    if not (known.raised_ns and told.raised_ns) or told.guid == known.guid:
        return False
    return told.raised_ns < known.raised_ns - SAME_START_NS


def merged(known: Alarm, told: Alarm, *, is_same: bool) -> Alarm:
    """What is told, with what it leaves out taken from what was known.

    Args:
        is_same: whether it is the same occurrence; of another one only what belongs to the alarm itself is taken over.
    """
    changed: dict[str, Any] = {}
    if is_same:
        kept = zip(_KEPT, _kept(known), _kept(told), strict=True)
        changed = {name: value for name, value, new in kept if value and not new}
    source = _merged_source(known.source, told.source)
    if source is not told.source:
        changed["source"] = source
    if told.mode is Mode.UNKNOWN:
        for name in ("mode", *_SHELVING):
            changed[name] = getattr(known, name)
    if not is_same:
        if not told.description:
            changed["description"] = known.description
        return told.having(**changed) if changed else told
    began = known.raised_ns
    if began != told.raised_ns and began and (not told.raised_ns or abs(told.raised_ns - began) <= SAME_START_NS):
        changed["raised_ns"] = began
    _merge_guids(known, told, changed)
    return told.having(**changed) if changed else told


def _merge_guids(known: Alarm, told: Alarm, changed: dict[str, Any]) -> None:
    guid, is_derived = told.guid, told.is_guid_derived
    if guid == known.guid and is_derived == known.is_guid_derived and not told.former_guids:
        if known.former_guids:
            changed["former_guids"] = known.former_guids
        return
    if not guid or (is_derived and known.guid and not known.is_guid_derived):
        # What the alarm manager gave is worth more than what was made from the start.
        guid, is_derived = known.guid, known.is_guid_derived
    others = dict.fromkeys((*known.all_guids, *told.all_guids))
    others.pop(guid, None)
    changed |= {
        "guid": guid,
        "is_guid_derived": is_derived,
        "former_guids": tuple(name for name in others if name)[-_FORMER_GUIDS:],
    }


def _merged_source(known: AlarmSource, told: AlarmSource) -> AlarmSource:
    if told is known:
        return known
    full = AlarmSource(
        reference=told.reference,
        provider=told.provider,
        group=told.group,
        name=told.name,
        object_reference=told.object_reference or known.object_reference,
        type_name=told.type_name or known.type_name,
        alarm_class=told.alarm_class or known.alarm_class,
        area=told.area or known.area,
        area_path=told.area_path or known.area_path,
    )
    return known if full.facts() == known.facts() else full


def shows_the_same(one: Alarm, other: Alarm) -> bool:
    """Whether a reader sees no difference but in state, mode, shelving, times and names of the occurrence."""
    if one.source is not other.source and one.source.facts() != other.source.facts():
        return False
    return all(getattr(one, name) == getattr(other, name) for name in _SHOWN)
