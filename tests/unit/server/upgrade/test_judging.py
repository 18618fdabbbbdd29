"""Whether the installed program may take over: what both must have in common, and that any doubt is a no."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_server.upgrade.judging import Answer, own_answer, own_terms, read_answer, refusals

NO_TERMS = json.dumps({"version": "1", "terms": {}, "problems": []})


def test_the_same_program_may_take_over() -> None:
    answer = read_answer(own_answer(()))
    assert answer is not None
    assert answer.terms == own_terms()
    assert refusals(own_terms(), answer) == ()


def test_what_stops_a_start_stops_an_upgrade() -> None:
    answer = read_answer("a library's own word\n" + own_answer(("listen: no such address",)))
    assert answer is not None
    assert refusals(own_terms(), answer) == ("listen: no such address",)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"worker_protocol": WORKER_PROTOCOL_VERSION + 1}, "speaks protocol"),
        ({"state_format": 99}, "does not know the state"),
        ({"state_schema": "0" * 64}, "does not know the state"),
    ],
)
def test_other_terms_are_refused_with_the_remedy(changed: dict[str, object], told: str) -> None:
    answer = Answer(version="9.9", terms=replace(own_terms(), **changed))  # type: ignore[arg-type]
    (refusal,) = refusals(own_terms(), answer)
    assert told in refusal
    assert "version 9.9" in refusal
    assert "drain and restart" in refusal


@pytest.mark.parametrize("text", ["", "\n", "Error: no such option", "[]", "{}", "7", NO_TERMS])
def test_an_answer_that_cannot_be_understood_is_none(text: str) -> None:
    assert read_answer(text) is None
