"""The Windows Pythons of the Wine lab have what gateway and worker import, in the versions that are tested here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAB = ROOT / "tests" / "wine" / "lab"


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0].lower().replace("_", "-")


def pins(platform: str) -> dict[str, str]:
    lines = (LAB / f"pins-{platform}.txt").read_text(encoding="utf-8").splitlines()
    return {name_of(line): line.split()[0].partition("==")[2] for line in lines if line and not line.startswith("#")}


def test_the_64_bit_python_has_what_the_gateway_needs() -> None:
    """A dependency that is new in the extra `server` has to come here, too, or no gateway starts in the ring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {name_of(one) for one in (*project["dependencies"], *project["optional-dependencies"]["server"])}
    assert needed <= set(pins("win_amd64"))


def test_versions_are_those_of_the_constraints() -> None:
    """Of the gateway; the 32-bit one has tools of tests whose newer versions have no builds for it."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = {name_of(line): line.partition("==")[2] for line in lines if "==" in line}
    found = pins("win_amd64")
    assert {name: tested[name] for name in found if name in tested} == {
        name: version for name, version in found.items() if name in tested
    }
    assert pins("win32")["protobuf"] == tested["protobuf"]
