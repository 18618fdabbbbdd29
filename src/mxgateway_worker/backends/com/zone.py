"""The node's local time and its way of reading dates, by Windows itself.

Not by Python's `localtime`: with TZ set, the C run-time of Windows reads it by POSIX rules and is hours off.
"""

from __future__ import annotations

import ctypes
from ctypes import c_double
from datetime import UTC, datetime, timedelta
from typing import Any

from mxgateway_worker.backends.com.winapi import SystemTime, WinApi

_USER_LOCALE = 0x400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WindowsZone:
    """Local time by the rules of the node, each year by its own."""

    def __init__(self, api: WinApi) -> None:
        self._api = api

    def to_utc(self, local_ns: int) -> int:
        return self._converted(self._api.local_to_utc, local_ns)

    def to_local(self, utc_ns: int) -> int:
        return self._converted(self._api.utc_to_local, utc_ns)

    def parse(self, text: str) -> float:
        date = c_double()
        if self._api.parse_date(text.encode("utf-16-le") + b"\0\0", _USER_LOCALE, 0, ctypes.byref(date)) < 0:
            raise ValueError("no date in this node's locale")
        return date.value

    @staticmethod
    def _converted(convert: Any, unix_ns: int) -> int:
        """Whole milliseconds by Windows, which knows no finer ones; what is below them stays as it was."""
        millis, below = divmod(unix_ns, 1_000_000)
        moment = _EPOCH + timedelta(milliseconds=millis)
        given, made = SystemTime(), SystemTime()
        given.year, given.month, given.day = moment.year, moment.month, moment.day
        given.hour, given.minute, given.second = moment.hour, moment.minute, moment.second
        given.milliseconds = moment.microsecond // 1000
        if not convert(None, ctypes.byref(given), ctypes.byref(made)):
            # Years that Windows' zones do not reach (before 1601) have no local time to speak of.
            return unix_ns
        result = datetime(
            made.year, made.month, made.day, made.hour, made.minute, made.second, made.milliseconds * 1000, tzinfo=UTC
        )
        return (result - _EPOCH) // timedelta(milliseconds=1) * 1_000_000 + below
