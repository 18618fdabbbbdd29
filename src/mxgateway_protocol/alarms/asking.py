"""Asks for a list of alarms until it is whole."""

from __future__ import annotations

from collections.abc import Callable

from mxgateway_protocol.alarms.provider import PollResult
from mxgateway_protocol.alarms.reader import RecordReader

MOST_RECORDS = 100_000
"""Records that are asked for at most; a longer list stays cut."""
_SHARE_TO_SHRINK = 8


class ListReader:
    """Reads whole lists from what gives so many records at most.

    Args:
        max_records: how many to ask for at first. So many in the answer mean that there are more.
    """

    def __init__(self, reader: RecordReader, max_records: int) -> None:
        self.reader = reader
        self._least = self._most = min(max(1, max_records), MOST_RECORDS)

    def read(self, ask: Callable[[int], str], now_ns: int) -> PollResult:
        """What has changed since the list before.

        Args:
            ask: gives the list as XML, of so many records at most.

        Raises:
            ProviderError: the answer is no list.
        """
        text = ask(self._most)
        count = self.reader.count(text)
        while count >= self._most and self._most < MOST_RECORDS:
            self._most = min(2 * self._most, MOST_RECORDS)
            text = ask(self._most)
            count = self.reader.count(text)
        result = self.reader.read(text, now_ns, self._most)
        if count < self._most // _SHARE_TO_SHRINK:
            self._most = max(self._least, self._most // 2)
        return result
