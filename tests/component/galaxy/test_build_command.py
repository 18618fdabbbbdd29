"""What `mxgateway galaxy build` says of a Galaxy, and what the gateway then finds in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mxgateway_server.cli.main import main
from mxgateway_server.galaxy import SqlGalaxySource
from mxgateway_server.galaxy.index import GalaxyIndex


def built(output: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["galaxy", "build", "--output", str(output), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("arguments", [("reference",), ("plant",), ("reference", "--objects", "500")])
def test_the_objects_that_the_gateway_loads_are_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = json.loads(built(tmp_path / "g.db", "--json", "--galaxy", *arguments))
    index = GalaxyIndex(SqlGalaxySource(str(tmp_path / "g.db")).read_galaxy())
    assert said["browsable"] == len(index)


def test_a_difference_is_said(tmp_path: Path) -> None:
    """A symbol is deployed, and is no object that browse shows."""
    output = tmp_path / "g.db"
    assert built(output, "--galaxy", "reference") == (
        f"{output}: Galaxy ZB with 80 deployed objects, 79 of which browse shows\n"
    )
    output = tmp_path / "p.db"
    assert built(output, "--galaxy", "plant") == f"{output}: Galaxy Brewery with 301 deployed objects\n"
