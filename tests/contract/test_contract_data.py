"""What all clients share as data is what the code says."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest
from tests.support.code_blocks import ROOT
from tools import contract_data

from mxgateway_cli.main import main as group


@pytest.mark.parametrize("name", sorted(contract_data.FILES))
def test_the_committed_file_is_what_the_code_gives(name: str) -> None:
    committed = (ROOT / "conformance" / name).read_text(encoding="utf-8")
    assert committed == contract_data.rendered(contract_data.FILES[name]()), "run `make tables`"


def _cli() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "conformance" / "cli.json").read_text(encoding="utf-8"))
    return document


def test_every_option_that_is_left_to_python_is_one() -> None:
    for command, names in contract_data.PYTHON_ONLY.items():
        found = group.get_command(click.Context(group), command or "ping")
        assert found is not None
        there = {each.opts[0] for each in found.params} | {
            str(each.metavar or (each.name or "").upper()) for each in found.params
        }
        assert set(names) <= there, command


def test_every_command_that_connects_has_the_common_options_and_known_types() -> None:
    document = _cli()
    assert [each["name"] for each in document["commonOptions"]] == list(contract_data.COMMON_OPTIONS)
    assert {each["name"] for each in document["commands"] if not each["connects"]} == {"version", "batch"}
    types = {option["type"] for each in document["commands"] for option in each["options"]}
    assert types <= {"text", "int", "float", "flag", "choice", "RFC3339", "file"}
