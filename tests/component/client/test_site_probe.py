"""`mxgw-py site-probe` against a real gateway: the simulator answers as assumed, and the report gives nothing away."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mxgateway.testing import LocalGateway
from mxgateway_cli.survey.questions import QUESTIONS

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.shares_processes, pytest.mark.timeout(120)]

MOVING, ARRAY, SCRATCH = "TestMachine_001.TestChangingInt", "TestChildObject.TestIntArray[]", "TestChildObject.TestInt"


async def site_probe(gateway: LocalGateway, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """The command as a process: exit code, report, and what it said beside."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mxgateway_cli", "site-probe", "--endpoint", gateway.endpoint, "--ca-file"),
        *(str(gateway.ca_file), "--api-key-env", "SITE_KEY", "--watch", "1.2", "--json", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SITE_KEY": gateway.api_key},
    )
    out, err = await process.communicate()
    return process.returncode or 0, json.loads(out), err.decode()


async def test_a_simulated_node_answers_as_assumed_and_is_only_read(local_gateway: LocalGateway) -> None:
    async with await local_gateway.connect() as client, await client.open_session() as session:
        (before,) = await session.read([SCRATCH])
        code, report, said = await site_probe(local_gateway, MOVING, ARRAY, SCRATCH)
        (after,) = await session.read([SCRATCH])
    assert (code, report["differences"]) == (0, []), report
    assert "SIMULATED" in said
    assert before.raw.source_timestamp == after.raw.source_timestamp, "nothing was written"
    asked = {one["id"] for one in report["answers"]}
    assert asked | set(report["notAsked"]) == set(QUESTIONS)
    assert {name for name in report["notAsked"] if not QUESTIONS[name].writes} == {"bare-array", "many-items"}
    text = json.dumps(report)
    assert not any(word in text for word in (local_gateway.api_key, "localhost", "TestMachine", "TestChild", MOVING))
    assert set(report["tags"]) == {"tag-1", "tag-2", "tag-3"}
    assert report["tags"]["tag-2"]["vartype"] == "VT_ARRAY|VT_I4"


async def test_a_scratch_tag_is_written_and_gets_its_value_back(local_gateway: LocalGateway, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    more = ("--write", SCRATCH, "--coerce", "--many", "1500", "--with-names", "--output", str(file))
    async with await local_gateway.connect() as client, await client.open_session() as session:
        await session.write_and_confirm(SCRATCH, 4711)
        code, report, _ = await site_probe(local_gateway, MOVING, *more)
        (after,) = await session.read([SCRATCH])
    assert (code, report["differences"]) == (0, []), report
    assert after.value == 4711
    assert json.loads(file.read_text()) == report
    assert SCRATCH in json.dumps(report)
    answers = {one["id"]: one for one in report["answers"]}
    assert {name for name, question in QUESTIONS.items() if question.writes} <= set(answers)
    assert answers["coerce-boolean"]["found"]["becomes"] == "1"
    assert answers["coerce-wide"]["found"]["status"] == [0, 7, 5, 1005]
    assert answers["many-items"]["found"]["items"] == 1500
