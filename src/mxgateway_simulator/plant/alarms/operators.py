"""The people in the simulated control room: they acknowledge some of the alarms, each after a while.

Whether and when they do is a function of alarm and occurrence, as signals are of tag and time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mxgateway_simulator.plant.alarms.states import Acknowledgement
from mxgateway_simulator.plant.signals import uniform
from mxgateway_simulator.signal_specs import duration_ns

DEFAULT_COMMENTS = ("seen", "on it", "known, maintenance informed", "checked on site")
SETTING = "operators"


@dataclass(frozen=True, slots=True)
class Operators:
    """Who acknowledges how much of the alarms, and how soon.

    Attributes:
        share: of the occurrences that they acknowledge; 0 for nobody there.
        soonest_ns, latest_ns: after the alarm came up.
    """

    share: float = 0.0
    soonest_ns: int = 0
    latest_ns: int = 0
    names: Sequence[str] = ("operator",)
    node: str = "CONTROLROOM"
    comments: Sequence[str] = DEFAULT_COMMENTS

    def acknowledgement(self, seed: int, occurrence_ns: int) -> Acknowledgement | None:
        """What they do about an occurrence, which may be in the future; None for nothing."""
        if not self.share:
            return None
        number = occurrence_ns // 10**6
        if uniform(seed ^ 0xACED, number) >= self.share:
            return None
        span = self.latest_ns - self.soonest_ns
        time_ns = occurrence_ns + self.soonest_ns + int(uniform(seed ^ 0xBEEF, number) * span)
        name = self.names[int(uniform(seed ^ 0xCAFE, number) * len(self.names))]
        comment = self.comments[int(uniform(seed ^ 0xD00D, number) * len(self.comments))]
        return Acknowledgement(occurrence_ns, time_ns, comment, name, self.node)


def operators_of(settings: Mapping[str, str]) -> Operators:
    """The control room of a Galaxy, from its settings."""
    text = settings.get(SETTING)
    return made_of(json.loads(text)) if text else Operators()


def made_of(spec: Mapping[str, Any]) -> Operators:
    """Operators as a description writes them.

    Raises:
        ValueError: it says something that makes no sense; the text names the key and the remedy.
    """
    share = spec.get("acknowledge", 1.0)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise ValueError(f"acknowledge is a share from 0 to 1, not {share!r}")
    after = spec.get("after", ["10s", "3min"])
    if not isinstance(after, list) or len(after) != 2:
        raise ValueError("after is two durations, the shorter one first: [10s, 3min]")
    soonest, latest = (duration_ns(value) for value in after)
    if soonest > latest:
        raise ValueError(f"after begins with the shorter duration, and {after[0]} is longer than {after[1]}")
    return Operators(
        share=float(share),
        soonest_ns=soonest,
        latest_ns=latest,
        names=_texts(spec, "names", ("operator",)),
        node=str(spec.get("node", "CONTROLROOM")),
        comments=_texts(spec, "comments", DEFAULT_COMMENTS),
    )


def _texts(spec: Mapping[str, Any], key: str, default: Sequence[str]) -> Sequence[str]:
    value = spec.get(key, default)
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{key} is a list of texts")
    return tuple(value)
