"""Compares the text of an alarm list with the one before, record by record, and cuts what has changed. Pure."""

from __future__ import annotations

from typing import NamedTuple

from mxgateway_protocol.alarms.matching import follow, match
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.slices import END, begin_of_plain, broken, cut, is_plain, is_tail, whole

LONGEST_LIST = 64 * 1024 * 1024
"""Characters of a whole answer at most."""


class KnownList(NamedTuple):
    """A list that was read.

    Attributes:
        text: as it came; empty when it was not whole.
        begin: see `begin_of_plain`.
        slices: its records as texts.
        records: what each says; None for one that names no alarm.
    """

    text: str
    begin: int
    slices: list[str]
    records: list[AlarmRecord | None]


class Compared(NamedTuple):
    """A list beside the one before.

    Attributes:
        text: as it came.
        begin: see `begin_of_plain`.
        slices: its records as texts.
        known: what each says, where it was there before.
        matched: which of the ones before are there still, as ones.
    """

    text: str
    begin: int
    slices: list[str]
    known: list[AlarmRecord | None]
    matched: bytearray


def compare(before: KnownList, text: str) -> Compared:
    """What is new in a list, and what is as it was.

    Raises:
        ProviderError: it is no list of alarms.
    """
    if len(text) > LONGEST_LIST:
        raise broken(f"it has {len(text)} characters, and may have {LONGEST_LIST}")
    readable = whole(text)
    # A text that has to be mended is none that could be compared letter by letter.
    if readable is text and before.text and before.begin >= 0:
        found = _followed(before, text)
        if found is not None:
            return found
    slices = cut(readable)
    known, matched = match(before.slices, before.records, slices)
    return Compared(text, begin_of_plain(text, slices), slices, known, matched)


def _followed(before: KnownList, text: str) -> Compared | None:
    """Without cutting what is as it was; None for a list of another form."""
    begin = begin_of_plain(text)
    if begin < 0:
        return None
    found = follow((before.text, before.begin), before.slices, before.records, (text, begin), END, is_plain)
    if found is None:
        return None
    slices, known, matched, end = found
    return Compared(text, begin, slices, known, matched) if slices and is_tail(text, end) else None
