"""Finds, in a list that comes again and again, what was there the time before: by its text. Pure.

Most lists are as they were but for a few records, so both are gone through side by side, a stretch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from operator import not_
from typing import TypeVar

_LOOK_AROUND = 8
_STRETCH = 32

_Known = TypeVar("_Known")


def match(
    old: Sequence[str], records: Sequence[_Known | None], pieces: Sequence[str]
) -> tuple[list[_Known | None], bytearray]:
    """What is known of each piece that was there before, and which of the old pieces are there still, as ones.

    Args:
        records: what is known of each of the old pieces.
    """
    matched = bytearray(len(old))
    found: list[_Known | None] = [None] * len(pieces)
    missed: list[int] = []
    place, index = 0, 0
    while index < len(pieces):
        stretch = pieces[index : index + _STRETCH]
        end = place + len(stretch)
        if old[place:end] == stretch and matched.find(1, place, end) < 0:
            found[index : index + len(stretch)] = records[place:end]
            matched[place:end] = b"\1" * len(stretch)
            place = end
        else:
            place = _match_each(old, records, stretch, index, place, found, matched, missed)
        index += len(stretch)
    if missed and old:
        _match_by_text(old, records, pieces, missed, found, matched)
    return found, matched


def follow(
    before: tuple[str, int],
    old: Sequence[str],
    records: Sequence[_Known | None],
    now: tuple[str, int],
    mark: str,
    is_piece: Callable[[str], object],
) -> tuple[list[str], list[_Known | None], bytearray, int] | None:
    """As `match`, of a list that is not cut into pieces yet: what is as it was need not be.

    Args:
        before: the text of the list before, and where its first piece begins. It has the old pieces one after the
            other, each with the mark behind it, and nothing else in between.
        now: the same of the list now.
        mark: ends each piece.

    Returns:
        The pieces, what is known of each, which of the old ones are there still, and where the last one ends; None
        when there is something else among them.
    """
    old_text, old_at = before
    text, at = now
    matched = bytearray(len(old))
    pieces: list[str] = []
    found: list[_Known | None] = []
    missed: list[int] = []
    place = 0
    while place < len(old) or text.find(mark, at) >= 0:
        stretch = old[place : place + _STRETCH]
        end = place + len(stretch)
        size = _size(stretch, mark)
        if stretch and text.startswith(old_text[old_at : old_at + size], at) and matched.find(1, place, end) < 0:
            pieces += stretch
            found += records[place:end]
            matched[place:end] = b"\1" * len(stretch)
            place, old_at, at = end, old_at + size, at + size
            continue
        fresh, at = _next_pieces(text, at, mark)
        if not fresh:
            break
        found += [None] * len(fresh)
        reached = _match_each(old, records, fresh, len(pieces), place, found, matched, missed)
        pieces += fresh
        old_at += _size(old[place:reached], mark) - _size(old[reached:place], mark)
        place = reached
    if not all(is_piece(pieces[index]) for index in missed):
        return None
    if missed and old:
        _match_by_text(old, records, pieces, missed, found, matched)
    return pieces, found, matched, at


def _size(pieces: Sequence[str], mark: str) -> int:
    return sum(map(len, pieces)) + len(mark) * len(pieces)


def _next_pieces(text: str, at: int, mark: str) -> tuple[list[str], int]:
    """The next few pieces, and where they end."""
    fresh: list[str] = []
    while len(fresh) < _STRETCH:
        end = text.find(mark, at)
        if end < 0:
            break
        fresh.append(text[at:end])
        at = end + len(mark)
    return fresh, at


def _match_each(
    old: Sequence[str],
    records: Sequence[_Known | None],
    stretch: Sequence[str],
    index: int,
    place: int,
    found: list[_Known | None],
    matched: bytearray,
    missed: list[int],
) -> int:
    """Looks for the pieces of a stretch one by one; the place of the old ones after it."""
    count = len(old)
    for number, piece in enumerate(stretch, index):
        is_next = place < count and old[place] == piece and not matched[place]
        near = place if is_next else _near(old, piece, place, matched)
        if near is None:
            # Most likely it is what has become of the one in this place.
            missed.append(number)
            place += 1
        else:
            found[number] = records[near]
            matched[near] = 1
            place = near + 1
    return place


def _near(old: Sequence[str], piece: str, place: int, matched: bytearray) -> int | None:
    """Where a piece is among the old ones around a place; None when it is not there."""
    for near in range(max(0, place - _LOOK_AROUND), min(place + _LOOK_AROUND, len(old))):
        if old[near] == piece and not matched[near]:
            return near
    return None


def _match_by_text(
    old: Sequence[str],
    records: Sequence[_Known | None],
    pieces: Sequence[str],
    missed: Sequence[int],
    found: list[_Known | None],
    matched: bytearray,
) -> None:
    """The same for what has another place in the list than before."""
    places: dict[str, list[int]] = {}
    for place in compress(range(len(old)), map(not_, matched)):
        places.setdefault(old[place], []).append(place)
    for index in missed:
        same = places.get(pieces[index])
        if same:
            place = same.pop()
            found[index] = records[place]
            matched[place] = 1
