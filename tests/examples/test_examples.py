"""Every example runs as a user runs it, against a real gateway with the simulator."""

from __future__ import annotations

import ast
import asyncio
import csv
import io
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.shared_gateway import environment

from mxgateway.testing import LocalGateway

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
COUNTING = "TestMachine_001.TestChangingInt"

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]


def run(
    gateway: LocalGateway, *arguments: str, exit_code: int = 0, **variables: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=EXAMPLES,
        env=environment(gateway) | variables,
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr + gateway.log[-4000:]
    assert gateway.api_key not in done.stdout + done.stderr
    return done


@contextmanager
def started(gateway: LocalGateway, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program that runs until it is told to stop; its stdout and stderr are one."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=EXAMPLES,
        env=environment(gateway),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError("".join(seen))


def test_every_example_is_listed_and_tested() -> None:
    programs = {path.name for path in EXAMPLES.glob("*.py")} - {"gateway_options.py"}
    programs |= {path.name for path in EXAMPLES.glob("*.ipynb")}
    programs |= {f"{path.name}/" for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) == programs
    here = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in programs if f'"{name.rstrip("/")}"' not in here] == []


def test_csv_logger_writes_values_and_keeps_failures_apart(gateway: LocalGateway) -> None:
    done = run(gateway, "csv_logger.py", "--count", "3", COUNTING, "No.Such")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 3
    good = [row for row in rows if row["tag"] == COUNTING]
    assert good
    assert all(row["quality"] == "Good" and row["status"] == "OK" and row["value"].isdigit() for row in good)
    [bad] = [row for row in rows if row["tag"] == "No.Such"]
    assert (bad["value"], bad["quality"], bad["time"]) == ("", "", "")
    assert bad["status"].startswith("failed")


def test_threshold_alert_says_that_a_tag_is_high(gateway: LocalGateway) -> None:
    done = run(gateway, "threshold_alert.py", "--above", "-1", "--count", "1", COUNTING)
    assert f"{COUNTING}: unknown -> high" in done.stdout


def test_bulk_write_verified_proves_each_write(gateway: LocalGateway) -> None:
    settings = ("SpareChildObject.TestInt=117", 'SpareChildObject.TestString="text"')
    done = run(gateway, "bulk_write_verified.py", *settings)
    assert done.stdout.splitlines() == [
        "SpareChildObject.TestInt = 117: verified",
        "SpareChildObject.TestString = 'text': verified",
    ]


def test_bulk_write_verified_names_what_failed_and_exits_with_1(gateway: LocalGateway) -> None:
    settings = ("SpareChildObject.ClassViewOnly=1", "No.Such=1", "SpareChildObject.TestFloat=1.5")
    done = run(gateway, "bulk_write_verified.py", *settings, exit_code=1)
    assert done.stdout.splitlines() == [
        "SpareChildObject.ClassViewOnly = 1: refused with detail 1007",
        "No.Such = 1: the tag is not there",
        "SpareChildObject.TestFloat = 1.5: verified",
    ]


def test_bridge_writes_json_lines(gateway: LocalGateway) -> None:
    done = run(gateway, "bridge_jsonl.py", "--count", "2", COUNTING)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["tag"], line["quality"], line["good"]) for line in lines] == [(COUNTING, 192, True)] * 2
    assert lines[1]["value"] == lines[0]["value"] + 1
    assert "bridge: connected" in done.stderr


def test_browse_to_csv_lists_the_tags_of_a_glob(gateway: LocalGateway) -> None:
    done = run(gateway, "browse_to_csv.py", "--glob", "TestMachine_00?")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["object"] for row in rows} == {f"TestMachine_{number:03d}" for number in range(1, 10)}
    [history] = [row for row in rows if row["reference"] == "TestMachine_001.TestHistoryValue"]
    assert (history["type"], history["historized"]) == ("Float", "yes")
    assert done.stderr.strip() == f"{len(rows)} tags"


def test_watch_deploys_shows_the_present_state(gateway: LocalGateway) -> None:
    assert re.match(
        r"#\d+ deployed 2025-01-06T06:00:00Z: \d+ objects", run(gateway, "watch_deploys.py", "--count", "1").stdout
    )


def test_pandas_read_prints_both_frames(gateway: LocalGateway) -> None:
    flags = ("--glob", "TestMachine_00[12]", "--attribute", "TestHistoryValue", "--count", "3")
    done = run(gateway, "pandas_read.py", *flags[:1], "TestMachine_00*", *flags[2:])
    assert "TestMachine_009.TestHistoryValue" in done.stdout
    assert "time" in done.stdout


def test_secured_write_takes_one_signature_for_a_secured_attribute(line_gateway: LocalGateway) -> None:
    flags = ("secured_write.py", "--operator", "operator1", "Filler_01.Recipe", "7")
    done = run(line_gateway, *flags, MXGATEWAY_OPERATOR_PASSWORD="operator1")
    assert done.stdout == "Filler_01.Recipe = 7: written\n"


def test_secured_write_wants_a_verifier_for_a_verified_attribute(line_gateway: LocalGateway) -> None:
    flags = ("secured_write.py", "--operator", "operator1", "Filler_02.Interlock", "false")
    passwords = {"MXGATEWAY_OPERATOR_PASSWORD": "operator1", "MXGATEWAY_VERIFIER_PASSWORD": "supervisor1"}
    alone = run(line_gateway, *flags, exit_code=1, **passwords)
    assert "wants a verified write" in alone.stdout or "the verifier may not do this" in alone.stdout
    assert "written" in run(line_gateway, *flags, "--verifier", "supervisor1", **passwords).stdout


def test_secured_write_refuses_a_wrong_password_and_does_not_show_it(line_gateway: LocalGateway) -> None:
    flags = ("secured_write.py", "--operator", "operator1", "Filler_01.Recipe", "8")
    done = run(line_gateway, *flags, exit_code=1, MXGATEWAY_OPERATOR_PASSWORD="sentinel-password")
    assert "name or password is wrong" in done.stdout
    assert "sentinel-password" not in done.stdout + done.stderr + line_gateway.log


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM to a child there")
def test_service_ends_in_order_on_sigterm(gateway: LocalGateway) -> None:
    with started(gateway, "service.py", COUNTING) as process:
        line_with(process, f"{COUNTING} = ")
        process.send_signal(signal.SIGTERM)
        assert "stopped" in line_with(process, "stopped")
        assert process.wait(10) == 0


def test_service_does_its_count(gateway: LocalGateway) -> None:
    assert run(gateway, "service.py", "--count", "1", COUNTING).stderr.rstrip().endswith("stopped")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child there")
def test_http_endpoint_reads_writes_and_streams(gateway: LocalGateway) -> None:
    with started(gateway, "http_endpoint.py", "--port", "0") as process:
        address = re.search(r"http://[\d.]+:\d+", line_with(process, "running on"))
        assert address is not None
        base = address[0]
        put = urllib.request.Request(f"{base}/tags/SpareChildObject.TestDouble", b"2.5", method="PUT")
        assert fetch(put) == (200, {"tag": "SpareChildObject.TestDouble", "value": 2.5, "written": True})
        status, body = fetch(urllib.request.Request(f"{base}/tags/SpareChildObject.TestDouble"))
        assert (status, body["value"], body["quality"]) == (200, 2.5, 192)
        assert fetch(urllib.request.Request(f"{base}/tags/No.Such"))[0] == 404
        refused = urllib.request.Request(f"{base}/tags/SpareChildObject.ClassViewOnly", b"1", method="PUT")
        assert fetch(refused)[0] == 422
        with urllib.request.urlopen(f"{base}/events?tag={COUNTING}", timeout=20) as stream:
            assert stream.readline().startswith(b"id: ")
            assert json.loads(stream.readline().removeprefix(b"data: "))["tag"] == COUNTING
        process.send_signal(signal.SIGINT)
        assert process.wait(15) in (0, -signal.SIGINT, 130)


def fetch(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def test_every_cell_of_the_notebook_runs(gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MXGATEWAY_ENDPOINT", "MXGATEWAY_API_KEY", "MXGATEWAY_CA_FILE"):
        monkeypatch.setenv(name, environment(gateway)[name])
    notebook = json.loads((EXAMPLES / "tags.ipynb").read_text(encoding="utf-8"))
    assert not [cell for cell in notebook["cells"] if cell.get("outputs")], "commit the notebook without outputs"
    names: dict[str, Any] = {}
    async with asyncio.timeout(40):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                # As Jupyter does: a cell may await.
                code = compile("".join(cell["source"]), cell["id"], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                result = eval(code, names)
                if result is not None:
                    await result
    assert len(names["recorded"]) == 20
    assert names["latest"]["good"].all()


def test_the_bottling_line_is_tested_by_its_own_test(gateway: LocalGateway) -> None:
    done = run(gateway, "-m", "pytest", "-q", "-p", "no:cacheprovider", "bottling_line")
    assert "1 passed" in done.stdout
