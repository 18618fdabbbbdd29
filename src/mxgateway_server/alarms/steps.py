"""The way from one state of an alarm to another, as the changes that must have been between."""

from __future__ import annotations

from typing import TypeAlias

from mxgateway_server.alarms.model import Kind, State

Steps: TypeAlias = tuple[tuple[Kind, State], ...]
"""Changes in order, each with the state after it."""

_RAISE, _ACK, _CLEAR, _RETRIGGER = Kind.RAISE, Kind.ACKNOWLEDGE, Kind.CLEAR, Kind.RETRIGGER
_UNACK_ALM, _ACK_ALM, _UNACK_RTN = State.UNACK_ALM, State.ACK_ALM, State.UNACK_RTN
_ACK_RTN, _LATCHED, _UNKNOWN = State.ACK_RTN, State.LATCHED, State.UNKNOWN

# From a fresh alarm.
_ONWARD: dict[State, Steps] = {
    _UNACK_ALM: (),
    _ACK_ALM: ((_ACK, _ACK_ALM),),
    _UNACK_RTN: ((_CLEAR, _UNACK_RTN),),
    # Acknowledged and returned, disabled or undeployed: nobody can tell, so one change and no operator.
    _ACK_RTN: ((_CLEAR, _ACK_RTN),),
    _LATCHED: ((_ACK, _ACK_ALM), (Kind.LATCH, _LATCHED)),
}


def _fresh(kind: Kind, after: State) -> Steps:
    return ((kind, _UNACK_ALM), *_ONWARD[after])


# Within one occurrence; what is not here is a new one.
_SAME: dict[tuple[State, State], Steps] = {
    **{(_UNACK_ALM, after): steps for after, steps in _ONWARD.items()},
    (_ACK_ALM, _ACK_ALM): (),
    (_ACK_ALM, _ACK_RTN): ((_CLEAR, _ACK_RTN),),
    (_ACK_ALM, _LATCHED): ((Kind.LATCH, _LATCHED),),
    # The provider takes the acknowledgement back: to people that is the alarm again.
    (_ACK_ALM, _UNACK_ALM): ((_RETRIGGER, _UNACK_ALM),),
    (_ACK_ALM, _UNACK_RTN): ((_RETRIGGER, _UNACK_ALM), (_CLEAR, _UNACK_RTN)),
    (_UNACK_RTN, _UNACK_RTN): (),
    (_UNACK_RTN, _ACK_RTN): ((_ACK, _ACK_RTN),),
    (_UNACK_RTN, _LATCHED): ((_ACK, _LATCHED),),
    (_LATCHED, _LATCHED): (),
    (_LATCHED, _ACK_RTN): ((Kind.DISMISS, _ACK_RTN),),
}

# What ends the occurrence that was, so that a new one can begin; and how that is then called.
_ENDING: dict[State, tuple[Steps, Kind]] = {
    _UNACK_ALM: (((_CLEAR, _UNACK_RTN),), _RETRIGGER),
    _ACK_ALM: (((_CLEAR, _ACK_RTN),), _RAISE),
    _UNACK_RTN: ((), _RETRIGGER),
    _LATCHED: ((), _RAISE),
}

ORDINARY: dict[tuple[State | None, State], tuple[Kind, bool]] = {
    (None, _UNACK_ALM): (_RAISE, True),
    **{way: (steps[0][0], steps[0][1].is_listed) for way, steps in _SAME.items() if len(steps) == 1},
}
"""Ways of one change, within an occurrence or to its beginning; also whether the alarm is listed after it."""


def steps_between(before: State | None, after: State, *, is_same_occurrence: bool = True) -> Steps:
    """The shortest way that leads there; empty when nothing has happened.

    Args:
        before: None when it was not in the list.
        after: ACK_RTN when it is not in it any more.
        is_same_occurrence: whether it is the same coming up of the alarm.
    """
    if before is None:
        if after is _ACK_RTN:
            return ()
        return ((_RAISE, _UNKNOWN),) if after is _UNKNOWN else _fresh(_RAISE, after)
    if _UNKNOWN in (before, after):
        return _with_unknown(before, after)
    if is_same_occurrence and (before, after) in _SAME:
        return _SAME[before, after]
    if before is _ACK_RTN:
        return _fresh(_RAISE, after)
    ending, kind = _ENDING[before]
    if after is _ACK_RTN:
        # Whether that was a new occurrence does not matter any more.
        return _SAME[before, after]
    return (*ending, *_fresh(kind, after))


def _with_unknown(before: State, after: State) -> Steps:
    if before is after:
        return ()
    if after is _ACK_RTN:
        return ((_CLEAR, _ACK_RTN),)
    return ((Kind.UPDATE, after),)
