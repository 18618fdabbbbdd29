"""The suites of `cases/`, checked when they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mxgateway.testing.scripted import Script
from mxgateway.testing.scripted.gateway import RPCS

ROOT = Path(__file__).resolve().parent
SCHEMA_MAJOR = 1
EXPECTATIONS = {"requests", "requests_of", "waits", "open_streams", "cancelled"}


class CaseError(ValueError):
    """A suite is wrong; the text says where."""


@dataclass(frozen=True)
class Case:
    """One case. Pure ones have an `op` and `args` in place of `server` and `client`."""

    suite: str
    name: str
    expect: Any
    op: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    client: list[dict[str, Any]] = field(default_factory=list)
    needs: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        return f"{self.suite}: {self.name}"


def read_cases(suites: tuple[str, ...] = ()) -> Iterator[Case]:
    """All cases, or those of some suites.

    Raises:
        CaseError: a suite breaks the format, or there is none of a name.
    """
    files = {path.stem: path for path in sorted((ROOT / "cases").glob("*.json"))}
    for name in suites or files:
        if name not in files:
            raise CaseError(f"there is no suite {name!r}; there are {', '.join(files)}")
        yield from read_suite(files[name])


def read_suite(path: Path) -> Iterator[Case]:
    """The cases of one file.

    Raises:
        CaseError: it breaks the format.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    if int(str(document.get("schemaVersion", "0")).partition(".")[0]) != SCHEMA_MAJOR:
        raise CaseError(f"{path.name}: schemaVersion {document.get('schemaVersion')} is none that this runner knows")
    if document.get("suite") != path.stem:
        raise CaseError(f"{path.name}: its suite is {document.get('suite')!r}")
    names: set[str] = set()
    for each in document["cases"]:
        if each["name"] in names:
            raise CaseError(f"{path.name}: two cases {each['name']!r}")
        names.add(each["name"])
        yield _pure(document, each) if "op" in document else _conversation(document, each)


def _pure(document: dict[str, Any], each: dict[str, Any]) -> Case:
    _known(document, each, {"name", "args", "expect", "finding", "needs"})
    return Case(
        document["suite"],
        each["name"],
        each["expect"],
        document["op"],
        each["args"],
        needs=frozenset(each.get("needs", ())),
    )


def _conversation(document: dict[str, Any], each: dict[str, Any]) -> Case:
    _known(document, each, {"name", "server", "client", "expect", "finding", "needs"})
    server = each.get("server", {})
    Script(server, RPCS)
    ids = [str(step["id"]) for step in each["client"] if "id" in step]
    if len(ids) != len(set(ids)):
        raise CaseError(f"{document['suite']}: {each['name']}: two steps of one id")
    if unknown := set(each.get("expect", {})) - EXPECTATIONS - set(ids):
        raise CaseError(
            f"{document['suite']}: {each['name']}: expect has {', '.join(sorted(unknown))}, which is no step"
        )
    return Case(
        document["suite"],
        each["name"],
        each.get("expect", {}),
        server=server,
        client=each["client"],
        needs=frozenset(each.get("needs", ())),
    )


def _known(document: dict[str, Any], each: dict[str, Any], keys: set[str]) -> None:
    if unknown := set(each) - keys:
        raise CaseError(f"{document['suite']}: {each.get('name')}: unknown keys {', '.join(sorted(unknown))}")


def known_gaps(language: str) -> dict[str, str]:
    """Titles of cases that may fail, with their reasons.

    Raises:
        CaseError: one has no reason.
    """
    path = ROOT / "known-gaps" / f"{language}.txt"
    gaps: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        title, _, reason = line.partition("#")
        if not line.strip():
            continue
        if not reason.strip():
            raise CaseError(f"{path.name}: {line!r} has no reason after #")
        gaps[title.strip()] = reason.strip()
    return gaps
