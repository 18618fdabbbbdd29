"""Joins what has happened since a position to a list that was cut later. Without I/O and clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mxgateway.alarm_model import AlarmChange, AlarmGap
from mxgateway.alarm_reader import AlarmEvent, AlarmReader
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class CatchingUp:
    """Reads a stream that goes on after a position, as far as the cut of the list.

    Args:
        cut: where the list was cut; None when the gateway has no positions.
    """

    def __init__(self, cut: pb.AlarmPosition | None) -> None:
        self.cut = cut
        self._reader = AlarmReader()
        self._reader.begin(resumed=True)
        self._is_over = cut is None

    def is_over(self) -> bool:
        """Whether nothing more is needed of the stream."""
        return self._is_over

    def take(self, messages: Iterable[pb.AlarmFeedMessage], at: pb.AlarmPosition | None) -> Iterator[AlarmEvent]:
        """What of the messages has happened before the cut, in order; an AlarmGap when nobody can tell."""
        assert self.cut is not None
        for message in messages:
            for event in self._reader.read(message):
                if isinstance(event, AlarmGap):
                    self._is_over = True
                    yield event
                    return
                if isinstance(event, AlarmChange):
                    if event.sequence > self.cut.sequence:
                        self._is_over = True
                        return
                    yield event
        if at is not None:
            if at.epoch != self.cut.epoch:
                yield AlarmGap("epoch", 0)
            self._is_over = at.epoch != self.cut.epoch or at.sequence >= self.cut.sequence
