"""The site's questions: each has a place in the checklist, and its switch is one of the simulator's."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Cli

from mxgateway_cli.survey.questions import QUESTIONS
from mxgateway_cli.survey.report import aliases, answer, lines
from mxgateway_simulator.switches import Switches

CHECKLIST = Path(__file__).parents[3] / "docs" / "site-checklist.md"


def test_the_checklist_has_every_question_and_no_other() -> None:
    named = set(re.findall(r"^\| `([a-z-]+)` \|", CHECKLIST.read_text("utf-8"), re.MULTILINE))
    assert named == set(QUESTIONS)


def test_what_a_question_names_as_its_switch_is_one() -> None:
    switches = {field.name for field in dataclasses.fields(Switches)}
    assert {question.switch for question in QUESTIONS.values()} - {""} <= switches


@pytest.mark.parametrize(
    ("name", "found", "judged"),
    [
        ("double-advise", {"hresult": "0x00000000"}, True),
        ("double-advise", {"hresult": "0x80070057"}, False),
        ("unknown-object", {"status": [0, 4, 1, 6], "quality": 4, "more": 1}, True),
        ("unknown-object", {"answer": "none in time"}, False),
        ("register-time", {"registerMs": 1.0}, None),
    ],
)
def test_an_answer_is_judged_by_what_is_assumed_of_it(name: str, found: dict[str, object], judged: bool | None) -> None:
    told = answer(name, found)
    assert told["isAsAssumed"] is judged
    assert told.get("switch", "") == QUESTIONS[name].switch


def test_tags_are_numbered_unless_their_names_are_wanted() -> None:
    assert aliases(["A.x", "B.y", "A.x"], with_names=False) == {"A.x": "tag-1", "B.y": "tag-2"}
    assert aliases(["A.x"], with_names=True) == {"A.x": "A.x"}


def test_people_read_what_differs_first() -> None:
    answers = [answer("register-time", {}), answer("double-advise", {"hresult": "0x80070057"})]
    first, assumed, found, *_ = lines({"answers": answers, "notAsked": {"arrays": "why"}})
    assert first.startswith("DIFFERS")
    assert "0x00000000" in assumed
    assert "0x80070057" in found


def test_coercions_need_a_scratch_tag(offline: Cli) -> None:
    outcome = offline("site-probe", "A.b", "--coerce")
    assert outcome.code == 2
    assert "--write" in outcome.err
