"""Filters: what they take, that equal ones are equal, and what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.unit.server.alarms.alarm_parts import alarm, source

from mxgateway_server.alarms.filters import ALL, Sieve, make_filter
from mxgateway_server.alarms.model import Mode, State
from mxgateway_server.errors import InvalidRequestError

ONE = alarm(
    "Tank_001.Level.Hi",
    State.ACK_ALM,
    source=source("Tank_001.Level.Hi", alarm_class="VALUE", type_name="DSC"),
    priority=300,
    description="Level too HIGH",
    comment="Anna saw it",
    mode=Mode.SILENCED,
    is_shelved=True,
)


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        ({}, True),
        ({"prefix": "galaxy!LINE1.tank"}, True),
        ({"prefix": "Galaxy!Line2"}, False),
        ({"areas": ["line1"]}, True),
        ({"areas": ["PLANT"]}, True),
        ({"areas": ["PLANT"], "has_sub_areas": False}, False),
        ({"areas": ["Line1"], "has_sub_areas": False}, True),
        ({"areas": ["Line2", "Line1"]}, True),
        ({"references": ["*level*"]}, True),
        ({"references": ["level"]}, False),
        ({"objects": ["TANK_00?"]}, True),
        ({"objects": ["Tank_001.Level"]}, False),
        ({"priority_min": 300, "priority_max": 300}, True),
        ({"priority_max": 299}, False),
        ({"priority_min": 301}, False),
        ({"states": [State.ACK_ALM]}, True),
        ({"states": [State.UNACK_ALM, State.UNACK_RTN]}, False),
        ({"classes": ["value"]}, True),
        ({"classes": ["DSC"]}, False),
        ({"types": ["dsc"]}, True),
        ({"types": ["SYS"]}, False),
        ({"text": "too high"}, True),
        ({"text": "ANNA"}, True),
        ({"text": "tank_001"}, True),
        ({"text": "nothing"}, False),
        ({"excludes_shelved": True}, False),
        ({"excludes_silenced": True}, False),
        ({"areas": ["Line1"], "text": "nothing"}, False),
    ],
)
def test_what_a_filter_takes(wanted: dict[str, Any], takes: bool) -> None:
    assert Sieve(make_filter(**wanted)).takes(ONE) is takes


def test_filters_that_mean_the_same_are_the_same_and_have_the_same_number() -> None:
    one = make_filter(areas=["B", "a", "A"], states=[3, 1], has_sub_areas=True)
    other = make_filter(areas=["a", "b"], states=[1, 3, 3])
    assert one == other
    assert one.number == other.number == 16983991606771061216
    assert make_filter(has_sub_areas=False) == ALL
    assert ALL.number == 0
    numbers = {make_filter(text=text).number for text in map(str, range(1000))}
    assert len(numbers) == 1000
    assert all(0 < number < 2**64 for number in numbers)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"areas": ["x"] * 65}, "filter.areas"),
        ({"objects": ["x" * 401]}, "filter.objects"),
        ({"references": ["a\nb"]}, "filter.references"),
        ({"types": [""]}, "filter.types"),
        ({"text": "x" * 401}, "filter.text"),
        ({"prefix": "x" * 401}, "alarm_filter_prefix"),
        ({"priority_max": 1000}, "filter.priority_max"),
        ({"priority_min": -1}, "filter.priority_min"),
        ({"states": [77]}, "filter.states"),
    ],
)
def test_case_51_what_no_filter_can_be_is_refused_by_its_field(wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError, match=field):
        make_filter(**wanted)


def test_case_51_a_glob_made_to_stall_is_matched_in_a_moment() -> None:
    sieve = Sieve(make_filter(references=["*a*" * 100 + "b"] * 1, text="a" * 400))
    long = alarm("Tank.Hi", source=source("T" + "a" * 2000 + ".Hi"))
    began = time.perf_counter()
    for _ in range(100):
        sieve.takes(long)
    assert time.perf_counter() - began < 5
