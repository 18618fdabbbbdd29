"""`python -m conformance`: runs the suite with one subject, or with each that can be built here."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from conformance.cases import ROOT, Case, CaseError, known_gaps, read_cases
from conformance.runner import Outcome, run

REPOSITORY = ROOT.parent


def main() -> int:
    """Exit code 0: every case passed, apart from known gaps. 1: some did not. 2: wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--subject", default="all", help="A language of subjects.json, a program, or all.")
    parser.add_argument("--suite", action="append", default=[], help="Only this suite; repeatable.")
    parser.add_argument("--case", default="", help="Only cases whose name holds this.")
    parser.add_argument("-v", "--verbose", action="store_true", help="Every case, not only those that failed.")
    given = parser.parse_args()
    try:
        cases = [each for each in read_cases(tuple(given.suite)) if given.case in each.name]
    except CaseError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    subjects = read_subjects()
    names = list(subjects) if given.subject == "all" else [given.subject]
    failed = False
    for name in names:
        command = command_of(name, subjects.get(name), skips=given.subject == "all" and not os.environ.get("CI"))
        if command is not None:
            failed |= not _report(name, command, cases, given.verbose)
    return 1 if failed else 0


def read_subjects() -> dict[str, Any]:
    """How the subject of each language is built and started."""
    subjects: dict[str, Any] = json.loads((ROOT / "subjects.json").read_text(encoding="utf-8"))
    return subjects


def command_of(name: str, subject: dict[str, Any] | None, *, skips: bool) -> list[str] | None:
    """The command of a subject, built; None when its tools are not here and it may be skipped."""
    if subject is None:
        return [str(Path(name).resolve())]
    missing = [tool for tool in subject.get("tools", ()) if shutil.which(tool) is None]
    if missing and skips:
        print(f"skipped: {name} ({', '.join(missing)} not found)")
        return None
    if subject.get("build"):
        subprocess.run(subject["build"], check=True, cwd=REPOSITORY / subject.get("folder", "."))
    return [
        sys.executable if part == "{python}" else str(REPOSITORY / part) if part.startswith("clients/") else part
        for part in subject["command"]
    ]


def _report(name: str, command: list[str], cases: list[Case], verbose: bool) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        hello, outcomes = run(command, cases, Path(folder))
    language = str(hello.get("language", name))
    problems, counts = judged(outcomes, known_gaps(language))
    for outcome in outcomes if verbose else ():
        print(f"{'skip' if outcome.skipped else 'FAIL' if outcome.problems else 'ok  '} {outcome.case.title}")
    for line in problems:
        print(line)
    print(
        f"{language} {hello.get('version', '')}: {counts['passed']} passed, {counts['failed']} failed, "
        f"{counts['known']} known gaps, {counts['skipped']} skipped, in {time.monotonic() - began:.1f} s"
    )
    return not problems


def judged(outcomes: list[Outcome], gaps: dict[str, str]) -> tuple[list[str], Counter[str]]:
    """What speaks against a subject, a line each, and the counts."""
    problems: list[str] = []
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        title = outcome.case.title
        if outcome.skipped:
            counts["skipped"] += 1
        elif outcome.problems and title in gaps:
            counts["known"] += 1
        elif outcome.problems:
            counts["failed"] += 1
            problems += [f"{title}", *(f"    {each}" for each in outcome.problems)]
        else:
            counts["passed"] += 1
            if title in gaps:
                problems.append(f"{title}: passes, so it is no known gap any more; take it from the list")
    return problems, counts


if __name__ == "__main__":
    raise SystemExit(main())
