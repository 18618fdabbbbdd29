"""The program `mxgateway` itself: what it says when it cannot begin, and what no error of it repeats."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mxgateway_contract.installing import install_command
from mxgateway_server.cli import main as program
from mxgateway_server.cli.main import NEEDED, main

ROOT = Path(__file__).resolve().parents[4]


def test_all_missing_modules_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ("pydantic", "sqlalchemy", "structlog")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else real(name))

    def refuse(_: str) -> Any:
        raise ModuleNotFoundError("No module named 'pydantic'", name="pydantic")

    monkeypatch.setattr(program.importlib, "import_module", refuse)
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: the gateway needs pydantic, sqlalchemy, structlog, which are not installed: "
        f"{install_command('server')}\n"
    )


def _extra() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in project["optional-dependencies"]["server"]:
        yield re.split(r"[\[<>=!~; ]", text)[0].replace("-", "_").casefold()


def test_the_modules_asked_for_are_those_of_the_extra() -> None:
    of_module = importlib.metadata.packages_distributions()
    named = {re.sub("[-.]", "_", of_module[module][0]).casefold() for module in NEEDED}
    assert named == set(_extra()), "NEEDED lists the modules of the extra `server`"


@pytest.mark.parametrize("kind", [click.ClickException, click.UsageError])
def test_no_error_repeats_what_looks_like_a_secret(
    kind: type[click.ClickException], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def failing() -> None:
        raise kind("cannot open mssql://mx:Topsecret@db1/ZB;Password=Topsecret")

    monkeypatch.setattr(program._LazyGroup, "get_command", lambda *_: failing)
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == kind.exit_code
    assert "cannot open mssql://mx:[redacted]" in result.stderr
    assert "Topsecret" not in result.stderr
