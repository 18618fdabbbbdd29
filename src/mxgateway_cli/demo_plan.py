"""What the demo looks at in a Galaxy: which tags, and which set point. Without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mxgateway import GalaxyAttribute, GalaxyObject

# Data types that move visibly: Boolean, Integer, Float, Double.
_MOVING = (1, 2, 3, 4)
_SET_POINTS = ("SP", "SpeedSP", "RateSP", "TestInt", "TestChangingInt")
_FOLLOWERS = {"SP": "PV", "SpeedSP": "Speed", "RateSP": "Rate"}


@dataclass(frozen=True)
class DemoPlan:
    """The tags to subscribe, the set point among them (empty when there is none), and how much there is in all."""

    tags: list[str]
    set_point: str
    objects: int
    attributes: int


def plan(objects: Iterable[GalaxyObject], count: int) -> DemoPlan:
    """Chooses about `count` tags: a set point and what follows it first, then process values of many objects."""
    objects = list(objects)
    set_point, follower = _set_point(objects)
    tags = [tag for tag in (follower, set_point) if tag]
    for tag in _round_robin([_candidates(each) for each in objects]):
        if len(tags) >= count:
            break
        if tag not in tags:
            tags.append(tag)
    return DemoPlan(tags, set_point, len(objects), sum(len(each.attributes) for each in objects))


def _set_point(objects: list[GalaxyObject]) -> tuple[str, str]:
    for name in _SET_POINTS:
        for each in objects:
            found = _attribute(each, name)
            if found is not None:
                follower = _attribute(each, _FOLLOWERS.get(name, ""))
                return found.full_tag_reference, follower.full_tag_reference if follower is not None else ""
    return "", ""


def _attribute(each: GalaxyObject, name: str) -> GalaxyAttribute | None:
    return next((a for a in each.attributes if a.attribute_name == name and not a.is_array), None)


def _candidates(each: GalaxyObject) -> list[str]:
    """References of an object that are worth watching, historized ones first."""
    moving = [
        a for a in each.attributes if a.mx_data_type in _MOVING and not a.is_array and "." not in a.attribute_name
    ]
    historized = [a.full_tag_reference for a in moving if a.is_historized]
    return historized or [a.full_tag_reference for a in moving if a.attribute_name.startswith("Test")]


def _round_robin(lists: list[list[str]]) -> Iterator[str]:
    for index in range(max(map(len, lists), default=0)):
        for each in lists:
            if index < len(each):
                yield each[index]
