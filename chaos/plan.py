"""The plan of a storm: which faults hit whom, and when. The same seed gives the same plan."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Scope(Enum):
    """What a fault touches."""

    SESSION = "session"
    """One actor's worker, through the process or the backend."""
    CONNECTION = "connection"
    """One actor's way to the gateway."""
    GATEWAY = "gateway"
    """All actors."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault.

    Attributes:
        weight: how often it comes, relative to the others.
        seconds: shortest and longest time that it lasts.
    """

    name: str
    scope: Scope
    meaning: str
    weight: int = 4
    seconds: tuple[float, float] = (0.0, 0.0)


CALL = 3.0
"""Seconds that an actor gives a call."""

_SESSION = (
    FaultKind("kill_worker", Scope.SESSION, "SIGKILL to the worker", 6),
    FaultKind("freeze_worker", Scope.SESSION, "SIGSTOP to the worker, SIGCONT later", 6, (0.3, 2.0)),
    FaultKind("freeze_worker_long", Scope.SESSION, "SIGSTOP until the gateway gives the worker up", 1, (60.0, 60.0)),
    FaultKind(
        "slow_call", Scope.SESSION, "a call into the backend takes long, but ends within its deadline", 4, (0.3, 1.0)
    ),
    FaultKind(
        "hang_call", Scope.SESSION, "a call into the backend takes longer than its deadline", 4, (CALL, CALL + 1)
    ),
    FaultKind("garbage_frame", Scope.SESSION, "the worker sends bytes that are no frame", 4),
    FaultKind("worker_exit", Scope.SESSION, "the worker exits by itself with a code of its own", 3),
    FaultKind("disk_full_worker", Scope.SESSION, "the worker can write to no file", 4, (0.5, 2.0)),
    FaultKind("clock_worker", Scope.SESSION, "the worker's wall clock is set forward or back", 4),
)
_CONNECTION = (
    FaultKind("cut", Scope.CONNECTION, "connections close in order (FIN)", 5),
    FaultKind("reset", Scope.CONNECTION, "connections are reset (RST)", 5),
    FaultKind("half_open", Scope.CONNECTION, "connections go silent; the gateway is never told", 4, (1.0, 4.0)),
    FaultKind("black_hole", Scope.CONNECTION, "nothing passes, either way; then it all does", 4, (0.3, 2.0)),
    FaultKind("delay", Scope.CONNECTION, "everything comes late", 4, (0.5, 3.0)),
    FaultKind("throttle", Scope.CONNECTION, "a narrow line", 4, (0.5, 3.0)),
    FaultKind("refuse", Scope.CONNECTION, "connections break and new ones are refused", 4, (0.3, 2.0)),
)
_GATEWAY = (
    FaultKind("freeze_gateway", Scope.GATEWAY, "SIGSTOP to the gateway, SIGCONT later", 3, (0.3, 2.0)),
    FaultKind("disk_full_gateway", Scope.GATEWAY, "the gateway can write to no file", 3, (0.5, 3.0)),
    FaultKind("clock_gateway", Scope.GATEWAY, "the gateway's wall clock is set forward or back", 3),
    FaultKind("kill_gateway", Scope.GATEWAY, "SIGKILL to the gateway, and a new one", 2),
    FaultKind("upgrade", Scope.GATEWAY, "the gateway becomes the program that is installed; all sessions stay", 1),
    FaultKind("drain", Scope.GATEWAY, "SIGTERM to the gateway with sessions at work, and a new one", 2),
)

KINDS: Mapping[str, FaultKind] = {kind.name: kind for kind in (*_SESSION, *_CONNECTION, *_GATEWAY)}

USUAL_KINDS = tuple(name for name in KINDS if name != "upgrade")
"""Kinds of a storm that names none: where gateways are upgraded, no clock can be set (see StormSite)."""

SHORT_KINDS = tuple(name for name in USUAL_KINDS if name not in ("freeze_worker_long", "hang_call"))
"""Kinds whose whole course takes a few seconds."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned fault.

    Attributes:
        index: its place in the plan.
        target: index of the actor, modulo the number of actors; -1 for all.
        seconds: how long it lasts, for those that last.
        pause: seconds from the previous fault's beginning to this one's.
        choice: a number that decides what else there is to choose.
    """

    index: int
    kind: str
    target: int
    seconds: float
    pause: float
    choice: int

    @property
    def scope(self) -> Scope:
        return KINDS[self.kind].scope


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of a storm, in order."""

    seed: int
    actors: int
    faults: tuple[Fault, ...] = field(repr=False)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"index": f.index, "kind": f.kind, "target": f.target, "seconds": f.seconds, "pause": f.pause}
            for f in self.faults
        ]


def make_plan(
    seed: int,
    faults: int,
    actors: int,
    kinds: Sequence[str] = tuple(KINDS),
    pauses: tuple[float, float] = (0.1, 1.2),
) -> Plan:
    """A plan of so many faults; every kind comes at least once when there is room for all.

    Args:
        actors: how many there are to hit.
        kinds: names of the kinds to choose from.
        pauses: shortest and longest time between two beginnings.

    Raises:
        ValueError: a kind that does not exist, no kind, or no actor.
    """
    unknown = [name for name in kinds if name not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"no such fault: {', '.join(unknown) or 'none given'}; there are {', '.join(KINDS)}")
    if actors < 1 or faults < 0:
        raise ValueError("a storm needs an actor, and no negative number of faults")
    # Names only feed the generator, so that the plan does not depend on the order in which kinds are given.
    rng = random.Random(seed)
    ordered = sorted(kinds)
    weights = [KINDS[name].weight for name in ordered]
    names = list(ordered) if faults >= len(ordered) else []
    names += rng.choices(ordered, weights, k=faults - len(names))
    rng.shuffle(names)
    planned = []
    for index, name in enumerate(names):
        kind = KINDS[name]
        target = rng.randrange(actors)
        planned.append(
            Fault(
                index,
                name,
                -1 if kind.scope is Scope.GATEWAY else target,
                round(rng.uniform(*kind.seconds), 3),
                round(rng.uniform(*pauses), 3),
                rng.randrange(2**16),
            )
        )
    return Plan(seed, actors, tuple(planned))
