"""Switches: every choice has a name, a default, a meaning and a place in the documentation."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mxgateway_simulator.backend import create_backend
from mxgateway_simulator.errors import OptionError
from mxgateway_simulator.reference_tables import PAGES
from mxgateway_simulator.switches import PROFILES, SWITCH_NOTES, Switches

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", list(PAGES))
def test_generated_pages_are_up_to_date(page: str) -> None:
    """docs/ holds what `python -m mxgateway_simulator.reference_tables docs` writes."""
    assert (DOCS / page).read_text("utf-8") == PAGES[page]()


def test_every_switch_has_a_note() -> None:
    """No switch without its meaning, no note without its switch."""
    assert [field.name for field in dataclasses.fields(Switches)] == list(SWITCH_NOTES)


def test_profiles_name_switches() -> None:
    """Both profiles can be parsed, and the realistic one delays."""
    assert Switches.parse(PROFILES["test"]) == Switches()
    realistic = Switches.parse(PROFILES["realistic"])
    assert (realistic.first_callback_cold_min_ms, realistic.first_callback_cold_max_ms) == (3000, 8000)
    assert realistic.change_latency_ms == 100


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("doubl_advise", "success", "did you mean 'double_advise'"),
        ("double_advise", "maybe", "success, e_invalidarg"),
        ("waiting_callback_first", "perhaps", "true or false"),
        ("change_latency_ms", "soon", "whole number"),
        ("change_latency_ms", "-1", "from 0"),
        ("first_callback_cold_min_ms", "10", "above first_callback_cold_max_ms"),
    ],
)
def test_wrong_switches_are_refused_with_the_remedy(name: str, value: str, remedy: str) -> None:
    """The error names the switch and what it takes."""
    with pytest.raises(OptionError, match=remedy) as caught:
        Switches.parse({name: value})
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({}, "needs the option galaxy"),
        ({"galaxy": "x.db", "profil": "test"}, "no option profil"),
        ({"galaxy": "x.db", "profile": "fast"}, "test, realistic"),
        ({"galaxy": "x.db", "switch.nothing": "1"}, "no switch 'nothing'"),
        ({"galaxy": "x.db", "fault.hang_cal": ""}, "did you mean hang_call"),
        ({"galaxy": "x.db", "fault.hang_call": "metod=advise"}, "does not take 'metod'"),
    ],
)
def test_wrong_options_are_refused_with_the_remedy(options: dict[str, str], remedy: str) -> None:
    """Options are checked before anything is opened."""
    with pytest.raises(OptionError, match=remedy):
        create_backend(options)
