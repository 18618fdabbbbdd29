"""Values, times and rates as short texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rich.cells import cell_len, set_cell_size

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clock_text(unix_ns: int, *, is_utc: bool = False) -> str:
    """Time of day with milliseconds, local or UTC; empty for no time."""
    if not unix_ns:
        return ""
    moment = _moment(unix_ns, is_utc)
    return "" if moment is None else moment.strftime("%H:%M:%S.%f")[:-3]


def moment_text(unix_ns: int, *, is_utc: bool = False) -> str:
    """Date and time with its offset, local or UTC, to the millisecond; empty for no time."""
    if not unix_ns:
        return ""
    moment = _moment(unix_ns, is_utc)
    return f"{unix_ns / _SECOND:g} s since 1970" if moment is None else moment.isoformat(" ", "milliseconds")


def _moment(unix_ns: int, is_utc: bool) -> datetime | None:
    """Local time, or UTC; None beyond the calendar."""
    try:
        moment = _EPOCH + timedelta(microseconds=unix_ns // 1000)
    except OverflowError:
        return None
    if is_utc:
        return moment
    try:
        return moment.astimezone()
    except (OverflowError, OSError, ValueError):
        return moment


def age_text(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def rate_text(per_second: float) -> str:
    return f"{per_second:.1f}/s" if per_second < 100 else f"{per_second:.0f}/s"


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which would tear a table."""
    return "".join(char if char.isprintable() else "·" for char in text)


_OWNER = 5
"""Cells that an object's name keeps at least."""


def fit(text: str, width: int, *, right: bool = False) -> str:
    """One line of text in exactly `width` cells; what does not fit is cut at the end.

    Args:
        right: aligned to the right.
    """
    length = cell_len(text)
    if length <= width:
        return " " * (width - length) + text if right else text + " " * (width - length)
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def fit_reference(reference: str, width: int) -> str:
    """A reference in exactly `width` cells.

    The end of an object's name tells it from its neighbours (Machine_001, Machine_002), and so do head and tail of an
    attribute's: what is cut out is the front of the one and the middle of the other.
    """
    owner, dot, attribute = reference.partition(".")
    if cell_len(reference) <= width or not dot:
        return fit(_tail(reference, width), width)
    # The object keeps a few letters at least, more where the attribute leaves them.
    room = max(min(_OWNER, width // 3), width - 1 - cell_len(attribute))
    front = _tail(owner, room)
    rest = width - cell_len(front) - 1
    if cell_len(attribute) > rest:
        head = max(0, (rest - 1) // 2)
        attribute = set_cell_size(attribute, head) + _tail(attribute, rest - head)
    return fit(f"{front}.{attribute}", width)


def _tail(text: str, width: int) -> str:
    """The end of a text in at most `width` cells, with a mark where it was cut."""
    if cell_len(text) <= width:
        return text
    kept = text
    while kept and cell_len(kept) > width - 1:
        kept = kept[1:]
    return f"…{kept}" if width > 0 else ""
