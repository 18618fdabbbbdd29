"""The report of a site: answers beside what is assumed, without secrets and, unless wanted, without names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mxgateway_cli.survey.questions import QUESTIONS


def aliases(tags: Sequence[str], *, with_names: bool) -> dict[str, str]:
    """What each tag is called in the report: its own name, or a number."""
    return {tag: tag if with_names else f"tag-{number}" for number, tag in enumerate(dict.fromkeys(tags), 1)}


def answer(name: str, found: Mapping[str, Any], tag: str = "") -> dict[str, Any]:
    """One answer as the report has it."""
    question = QUESTIONS[name]
    told: dict[str, Any] = {
        "id": name,
        "question": question.text,
        "found": dict(found),
        "assumed": dict(question.assumed),
        "isAsAssumed": question.is_as_assumed(found),
    }
    if tag:
        told["tag"] = tag
    if question.switch:
        told["switch"] = question.switch
    return told


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report for people: what differs first."""
    answers = report["answers"]
    for one in sorted(answers, key=lambda each: each["isAsAssumed"] is not False):
        mark = {True: "as assumed", False: "DIFFERS   ", None: "noted     "}[one["isAsAssumed"]]
        yield f"{mark}  {one['id']}: {one['question']}"
        if one["isAsAssumed"] is False:
            yield f"            assumed {one['assumed']}"
        yield f"            found   {one['found']}"
    for name, why in report["notAsked"].items():
        yield f"not asked   {name}: {why}"
