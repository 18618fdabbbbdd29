"""A kind that someone adds to proto and catalogue and forgets everywhere else opens no door for a limited key."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.support.gateway import ROOT
from tests.support.grown_contract import KINDS

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]

WAYS = {"Invoke": "PERMISSION_DENIED", "InvokeStream": "PROTOCOL_STATUS_CODE_PERMISSION_DENIED"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.grown_contract", str(tmp_path_factory.mktemp("state"))],
        cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_a_limited_key_may_send_it_only_where_its_fields_say_that_it_writes_a_permitted_item(
    found: dict[str, Any], name: str, way: str
) -> None:
    """POKE names a handle and a value, as a write does, so it is judged as one; what the others touch is unknown."""
    if name == "POKE":
        assert found[name]["limited"][way] not in WAYS.values()
    else:
        assert found[name]["limited"][way] == WAYS[way]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_a_free_key_may_send_it(found: dict[str, Any], name: str, way: str) -> None:
    assert found[name]["free"][way] not in WAYS.values()
