"""Dates and times as alarm records write them: text, in the local time of the provider's machine.

Neither the order of day and month nor the zone is told. The order is found out from the first date that can be read in
one way only, and then stays; the hour that a clock passes twice is read as the later one, unless that is to come yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

ORDERS = ("mdy", "dmy", "ymd")
_DATE = re.compile(r"\s*(\d{1,4})\s*[/.\-]\s*(\d{1,2})\s*[/.\-]\s*(\d{1,4})\.?\s*")
_TIME = re.compile(
    r"\s*(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,:](\d{1,9}))?)?\s*([^\W\d_]\S*(?:\s*\S+)?)?\s*", re.UNICODE
)
_SECOND = 10**9
_QUARTER = 900
_DAY = 86_400
_AFTERNOON = frozenset({"pm", "p.m.", "p. m.", "nachm.", "μμ", "下午", "午後", "오후", "म.उ."})
_FORENOON = frozenset({"am", "a.m.", "a. m.", "vorm.", "πμ", "上午", "午前", "오전", "म.पू."})
_EPOCH = datetime(1970, 1, 1)

Offset = Callable[[datetime, int], int]
"""(naive local time, fold) → seconds that local time is ahead of UTC then."""


class TimeFormatError(ValueError):
    """A date or time that cannot be read."""


class RecordClock:
    """Reads the dates and times of one provider's records.

    Args:
        order: `mdy`, `dmy`, `ymd`, or empty to find out.
    """

    def __init__(self, offset: Offset, order: str = "") -> None:
        self._offset = offset
        self._order = order
        self._dates: dict[str, tuple[int, int, int]] = {}
        self._offsets: dict[tuple[int, int, int, int, int], tuple[int, int]] = {}

    @property
    def order(self) -> str:
        """The order of the dates; empty while it is not known."""
        return self._order

    def settle(self, dates: Iterable[str], now_ns: int) -> None:
        """Finds the order out, from the dates of a whole list, unless it is known.

        A date tells when it can be read in one way only, or when all others are still to come. Without one that does,
        months come first until one does.
        """
        latest = _EPOCH + timedelta(seconds=now_ns // _SECOND) + timedelta(days=1)
        for text in dates:
            if self._order:
                return
            self._order = _order_of(text, latest)

    def read(self, date: str, clock: str, now_ns: int) -> int:
        """Nanoseconds since 1970 UTC.

        Raises:
            TimeFormatError: they are no date and time.
        """
        day = self._dates.get(date)
        if day is None:
            day = _day(date, self._order or "mdy")
            if self._order:
                if len(self._dates) > 1000:
                    self._dates.clear()
                self._dates[date] = day
        hour, minute, second, fraction_ns = _clock(clock)
        ahead, ahead_earlier = self._ahead(day, hour, minute)
        local = datetime(*day, hour, minute, second) - _EPOCH
        seconds = local.days * 86_400 + local.seconds
        later = (seconds - ahead) * _SECOND + fraction_ns
        # An hour that the clock passes twice: the later one, unless that is to come yet.
        return later if ahead == ahead_earlier or later <= now_ns else (seconds - ahead_earlier) * _SECOND + fraction_ns

    def _ahead(self, day: tuple[int, int, int], hour: int, minute: int) -> tuple[int, int]:
        """Seconds that local time is ahead of UTC, in the later and in the earlier reading."""
        key = (*day, hour, minute // 15)
        found = self._offsets.get(key)
        if found is None:
            local = datetime(*day, hour, minute)
            first, second = self._offset(local, 0), self._offset(local, 1)
            # In the hour that is left out in spring there is no later reading.
            found = (min(first, second), max(first, second)) if second < first else (first, first)
            if len(self._offsets) > 10_000:
                self._offsets.clear()
            self._offsets[key] = found
        return found


def _parts(text: str) -> tuple[int, int, int]:
    match = _DATE.fullmatch(text)
    if match is None:
        raise TimeFormatError(f"{text!r} is no date")
    return int(match[1]), int(match[2]), int(match[3])


def _order_of(text: str, latest: datetime) -> str:
    """The order that a date can only have; empty when there are several."""
    possible = []
    for order in ORDERS:
        try:
            year, month, day = _day(text, order)
        except TimeFormatError:
            continue
        if datetime(year, month, day) <= latest:
            possible.append(order)
    if "ymd" in possible:
        return "ymd" if text.strip()[:4].isdigit() else _only(possible[:-1])
    return _only(possible)


def _only(orders: Sequence[str]) -> str:
    return orders[0] if len(orders) == 1 else ""


def _day(text: str, order: str) -> tuple[int, int, int]:
    first, second, third = _parts(text)
    if first > 31:
        order = "ymd"
    year, month, day = {
        "mdy": (third, first, second),
        "dmy": (third, second, first),
        "ymd": (first, second, third),
    }[order]
    if year < 100:
        year += 2000 if year < 70 else 1900
    try:
        datetime(year, month, day)
    except ValueError:
        raise TimeFormatError(f"{text!r} is no date in the order {order}") from None
    return year, month, day


def _clock(text: str) -> tuple[int, int, int, int]:
    """Hour, minute, second and nanoseconds."""
    match = _TIME.fullmatch(text)
    if match is None:
        # Some languages write their word for the half of the day in front.
        word, _, rest = text.strip().partition(" ")
        match = _TIME.fullmatch(rest) if rest else None
        if match is None or match[5]:
            raise TimeFormatError(f"{text!r} is no time")
        half = word
    else:
        half = match[5] or ""
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    half = half.casefold()
    if half in _AFTERNOON:
        hour = hour % 12 + 12
    elif half in _FORENOON:
        hour %= 12
    elif half:
        raise TimeFormatError(f"{text!r} is no time")
    if hour > 23 or minute > 59 or second > 59:
        raise TimeFormatError(f"{text!r} is no time")
    fraction = (match[4] or "").ljust(9, "0")
    return hour, minute, second, int(fraction)


def local_texts(unix_ns: int, offset: Offset, order: str) -> tuple[str, str]:
    """A moment as a provider's machine writes it: date and time, with tenths of a millisecond."""
    seconds, rest = divmod(unix_ns, _SECOND)
    quarter, second = divmod(seconds, _QUARTER)
    days, second = divmod(quarter * _QUARTER + _ahead(quarter, offset) + second, _DAY)
    minutes, second = divmod(second, 60)
    return _date_text(days, order), f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{rest // 10**5:04d}"


@lru_cache(maxsize=4096)
def _ahead(quarter: int, offset: Offset) -> int:
    """The offset in a quarter of an hour since 1970: clocks are set where one begins."""
    moment = _EPOCH + timedelta(seconds=quarter * _QUARTER)
    # The offset is one of local time, which is what is looked for: two looks settle it but at a change of the clock.
    ahead = offset(moment, 0)
    for fold in (0, 1):
        found = offset(moment + timedelta(seconds=ahead), fold)
        if found == ahead:
            break
        ahead = found
    return ahead


@lru_cache(maxsize=256)
def _date_text(days: int, order: str) -> str:
    local = _EPOCH + timedelta(days=days)
    year, month, day = f"{local.year:04d}", f"{local.month:02d}", f"{local.day:02d}"
    return "/".join({"mdy": (month, day, year), "dmy": (day, month, year), "ymd": (year, month, day)}[order])
