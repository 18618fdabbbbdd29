"""What becomes of an alarm, as the worker tells it."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from mxgateway_protocol.alarms.records import AlarmRecord


class Kind(IntEnum):
    """AlarmTransitionKind of the contract."""

    RAISE = 1
    ACKNOWLEDGE = 2
    CLEAR = 3
    RETRIGGER = 4
    SHELVE = 100
    UNSHELVE = 101
    MODE = 102
    UPDATE = 103
    REMOVE = 104
    LATCH = 105
    DISMISS = 106


class Origin(IntEnum):
    """AlarmOrigin of the contract, as far as a worker needs it."""

    LIVE = 0
    INFERRED = 3


class Change(NamedTuple):
    """One transition.

    Attributes:
        alarm: as it is after it.
        at_ns: when it happened, by the provider's time; 0 when nobody knows.
        is_gone: whether the alarm is not in the list any more.
    """

    kind: Kind
    alarm: AlarmRecord
    at_ns: int
    origin: Origin = Origin.LIVE
    is_gone: bool = False
