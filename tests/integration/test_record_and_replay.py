"""What `mxgw-py record` writes, the replay backend plays, from the recording's beginning."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]

MOVING = "TestMachine_001.TestChangingInt"
OLD = "TestChildObject.TestStringArray[]"


async def test_a_recording_with_an_old_constant_plays_its_changes_at_once(tmp_path: Path) -> None:
    """The constant's source time is years before the moving tag's; the recording is seconds long all the same."""
    import asyncio

    file = tmp_path / "recording.csv"
    async with LocalGateway.run("reference") as gateway:
        arguments = ["record", MOVING, OLD, "--output", str(file), "--max-events", "4", "--duration", "50"]
        arguments += ["--endpoint", gateway.endpoint, "--ca-file", str(gateway.ca_file), "--api-key-env", "KEY"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mxgateway_cli", *arguments),
            env={**os.environ, "KEY": gateway.api_key},
            stdout=subprocess.DEVNULL,
        )
        assert await process.wait() == 0
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    recorded = [int(row["value"]) for row in rows if row["tag"] == MOVING]
    assert len(recorded) == 3
    options = {
        "MXGATEWAY__WORKER__BACKEND_OPTIONS__FILE": str(file),
        "MXGATEWAY__WORKER__BACKEND_OPTIONS__LOOP": "true",
    }
    async with (
        LocalGateway.run("reference", arguments=["--backend", "replay"], environment=options) as gateway,
        await gateway.connect() as client,
        client.subscribe([MOVING, OLD]) as changes,
    ):
        played: dict[str, list[object]] = {MOVING: [], OLD: []}
        while len(played[MOVING]) < 3 or not played[OLD]:
            change = await changes.next_change(30)
            if change.is_good:
                played[change.tag].append(change.value)
        assert set(played[MOVING]) <= set(recorded)
        assert played[OLD][0][:3] == ["one", "two", "three"]  # type: ignore[index]
