"""The conformance suite: the Python client passes all of it, and the suite itself is as strict as it says."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conformance.__main__ import judged
from conformance.cases import ROOT, Case, CaseError, known_gaps, read_cases, read_suite
from conformance.runner import Outcome, Runner, run, wait_problems
from tests.support.wrong_subject import ANSWERS, DEEDS

from mxgateway.testing.scripted import differences

SUBJECT = [sys.executable, "-m", "conformance.subjects.python"]


@pytest.mark.slow
def test_the_python_client_passes_what_needs_no_long_conversations(tmp_path: Path) -> None:
    """`make conformance` runs all of them: the other suites take half a minute."""
    quick = [each for each in read_cases() if each.op or each.suite in ("session", "galaxy", "alarms")]
    hello, outcomes = run(SUBJECT, quick, tmp_path)
    problems, counts = judged(outcomes, known_gaps("python"))
    assert hello["language"] == "python"
    assert problems == []
    assert counts["passed"] == len(outcomes), counts


@pytest.mark.slow
async def test_a_subject_that_is_wrong_in_one_thing_is_found(tmp_path: Path) -> None:
    wrongs = {name: (suite, op) for name, (suite, op, _) in ANSWERS.items()} | DEEDS
    cases: dict[str, list[Case]] = {
        suite: list(read_cases((suite,))) for suite in {each[0] for each in wrongs.values()}
    }
    unfound = []
    async with Runner([sys.executable, "-m", "tests.support.wrong_subject"], tmp_path) as runner:
        for name, (suite, op) in wrongs.items():
            await runner.tell({"op": "be_wrong", "args": {"name": name}})
            chosen = [each for each in cases[suite] if op in (each.op, *(step.get("op") for step in each.client))]
            for case in chosen:
                if (await runner.run_one(case)).problems:
                    break
            else:
                unfound.append(name)
    assert unfound == []
    assert len(wrongs) >= 20


@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 0, "b": "", "c": False, "d": [], "e": "0"}, {}, True),
        ({"a": 1}, {}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": "1"}, {"a": 1}, False),
        ([1, 2], [1, 2, 3], False),
        ({"a": {"$absent": True}}, {"a": 5}, False),
        ({"a": {"$absent": True}}, {}, True),
        ({"a": {"$any": "string"}}, {}, False),
        ({"a": {"$contains": ["x", "Y"]}}, {"a": "yx"}, True),
        ({"a": {"$length": 2}}, {"a": [1]}, False),
        ({"a": {"$starts": [1]}}, {"a": [1, 2]}, True),
        ({"a": {"$min": 1, "$max": 2}}, {"a": 3}, False),
        ({"a": {"$regex": "^b"}}, {"a": "b"}, True),
    ],
)
def test_documents_are_compared_as_the_readme_says(expected: Any, actual: Any, fits: bool) -> None:
    assert (differences(expected, actual) == []) is fits


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"from": 1, "to": 2, "least": 0.5, "under": 1}, ""),
        ({"from": 1, "to": 3, "under": 2.5}, ""),
        ({"from": 1, "to": 2, "least": 0.51}, "took 0.500"),
        ({"from": 2, "to": 3, "under": 1.5}, "took 1.500"),
        ({"from": 1, "to": 4, "least": 0}, "no request 4"),
    ],
)
def test_waits_are_those_between_the_numbered_requests(wanted: dict[str, Any], words: str) -> None:
    problems = wait_problems([wanted], [10.0, 10.5, 12.0], "waits.Invoke")
    assert len(problems) == bool(words)
    assert all(words in each for each in problems)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schemaVersion": "2.0"}, "schemaVersion"),
        ({"suite": "other"}, "suite"),
        ({"cases": [{"name": "a", "client": [], "wrong": 1}]}, "unknown keys wrong"),
        ({"cases": [{"name": "a", "client": []}, {"name": "a", "client": []}]}, "two cases"),
        ({"cases": [{"name": "a", "client": [{"id": 1}, {"id": 1}]}]}, "two steps"),
        ({"cases": [{"name": "a", "client": [], "expect": {"7": {}}}]}, "no step"),
        ({"cases": [{"name": "a", "client": [], "server": {"rules": [{"on": "Nothing"}]}}]}, "no RPC"),
        (
            {"cases": [{"name": "a", "client": [], "server": {"rules": [{"on": "Invoke", "do": [{"x": 1}]}]}}]},
            "no step",
        ),
    ],
)
def test_nothing_in_a_suite_is_ignored_silently(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"schemaVersion": "1.0", "suite": "mine", "cases": []} | change), encoding="utf-8")
    with pytest.raises((CaseError, ValueError), match=words):
        list(read_suite(path))


def test_a_known_gap_that_passes_is_a_problem_and_one_that_fails_is_none() -> None:
    gone, there = Case("s", "gone", {}), Case("s", "there", {})
    problems, counts = judged([Outcome(gone), Outcome(there, ("broken",))], {"s: gone": "why", "s: there": "why"})
    assert problems == ["s: gone: passes, so it is no known gap any more; take it from the list"]
    assert counts == Counter(passed=1, known=1)


def test_the_cases_keep_their_schema() -> None:
    schema = json.loads((ROOT / "schema" / "suite.schema.json").read_text(encoding="utf-8"))
    known = set(schema["$defs"]["case"]["properties"])
    for path in sorted((ROOT / "cases").glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert set(document) <= set(schema["properties"]), path.name
        for case in document["cases"]:
            assert set(case) <= known, case["name"]
