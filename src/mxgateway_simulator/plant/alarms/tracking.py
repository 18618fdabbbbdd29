"""Follows one condition through time: from samples to the times that it was there.

A track is folded over the instants at which something can change. It is a value: fold it from the same start over the
same instants and it is the same in every worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mxgateway_simulator.plant.alarms.states import Run

Look = Callable[[int, bool], tuple[bool | None, Any]]
"""(time, whether the condition holds so far) → whether it holds then, None for no telling, and the value behind it."""


class Track(NamedTuple):
    """What is known of a condition up to a time.

    Attributes:
        at_ns: up to when it has been followed.
        run: the present or last run.
        pending_ns: since when the condition waits for its time deadband to end; 0 when it does not.
        pending_value: what it was then.
    """

    at_ns: int = 0
    run: Run = Run()
    pending_ns: int = 0
    pending_value: Any = None

    @property
    def holds(self) -> bool:
        """Whether the condition holds, if only for less than the time deadband."""
        return self.run.is_on or self.pending_ns > 0


class Delay(NamedTuple):
    """A time deadband, and which time the alarm carries after it: that of its beginning, or of its end."""

    ns: int = 0
    stamps_first: bool = True


def followed(
    track: Track,
    until_ns: int,
    points: Iterable[int],
    look: Look,
    delay: Delay,
    stamp: Callable[[int], int],
) -> Track:
    """The track up to `until_ns`, with the instants in between, in order.

    Args:
        stamp: the time that a value of an instant carries.
    """
    so_far, pending = track.holds, track.pending_ns
    for at in points:
        if pending:
            track = _ripened(track, at, delay)
            pending = track.pending_ns
        holds, value = look(at, so_far)
        if holds is None or holds == so_far:
            continue
        if holds:
            track = _begun(track, at, value, delay, stamp(at))
        elif pending:
            track = track._replace(pending_ns=0, pending_value=None)
        else:
            track = track._replace(run=track.run._replace(is_on=False, off_ns=at))
        so_far, pending = holds, track.pending_ns
    return _ripened(track, until_ns, delay)._replace(at_ns=until_ns)


def _begun(track: Track, at: int, value: Any, delay: Delay, stamp_ns: int) -> Track:
    if delay.ns:
        return track._replace(pending_ns=at, pending_value=value)
    return track._replace(run=Run(is_on=True, on_ns=at, off_ns=track.run.off_ns, stamp_ns=stamp_ns, value=value))


def _ripened(track: Track, at: int, delay: Delay) -> Track:
    """The track when a time deadband is over by then."""
    if not track.pending_ns or at < track.pending_ns + delay.ns:
        return track
    on_ns = track.pending_ns if delay.stamps_first else track.pending_ns + delay.ns
    run = Run(is_on=True, on_ns=on_ns, off_ns=track.run.off_ns, stamp_ns=on_ns, value=track.pending_value)
    return track._replace(run=run, pending_ns=0, pending_value=None)
