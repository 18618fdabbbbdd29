"""What a local gateway says when it cannot be set up."""

from __future__ import annotations

from pathlib import Path

import pytest

from mxgateway.testing import LocalGateway, LocalGatewayError, local


async def start(galaxy: Path) -> None:
    async with LocalGateway.run(galaxy):
        raise AssertionError("it started")


@pytest.mark.slow
async def test_a_galaxy_that_is_not_there_ends_the_start_before_a_key_is_made(tmp_path: Path) -> None:
    with pytest.raises(LocalGatewayError, match=r"mxgateway galaxy build failed with exit code 1: .*nowhere\.yaml"):
        await start(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("done", "end", "said"),
    [
        ("", "sys.exit('no such area')", "mxgateway galaxy build failed with exit code 1: no such area"),
        ("print('{}')", "sys.exit('no scope')", "mxgateway apikey create failed with exit code 1: no scope"),
        ("print('{}')", "", "mxgateway galaxy build and mxgateway apikey create printed 1 lines"),
        ("print('{}'); print('[]')", "", r"mxgateway apikey create printed no JSON object"),
    ],
)
async def test_the_command_that_failed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: str, end: str, said: str
) -> None:
    monkeypatch.setattr(local, "_COMMANDS", f"import sys\n{done}\n{end}")
    with pytest.raises(LocalGatewayError, match=said):
        await start(tmp_path / "line.yaml")
