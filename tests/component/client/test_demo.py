"""The demo as a user runs it: it works, says so, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.fleeting import command_line, lives
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def demo(home: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """Starts the demo with a home and a temporary folder of its own."""
    scratch = home / "tmp"
    scratch.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "TMPDIR": str(scratch),
        **environ,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "mxgateway_cli", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def until(output: Iterable[str], text: str) -> Iterator[str]:
    """The lines up to the first one with the text, or all of them."""
    for line in output:
        yield line
        if text in line:
            return


def test_demo_reports_success(tmp_path: Path) -> None:
    """--duration --json prints one object with the documented keys, exits 0, and leaves no file; --dashboard opens a
    link that signs in."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n', encoding="ascii")
    browser.chmod(0o700)
    process = demo(tmp_path, "--duration", "3", "--json", "--dashboard", BROWSER=str(browser))
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["objects"] > 200
    assert report["tags"] == 100
    assert report["events"] > 100
    assert report["eventsPerSecond"] > 0
    assert report["qualityGood"] > 80
    assert report["writeCompleted"] is True
    assert report["cleanShutdown"] is True
    assert report["problems"] == []
    assert "mxgw_" not in out + err
    (told,) = re.findall(r"^dashboard: (http://localhost:\d+)$", err, re.MULTILINE)
    assert re.fullmatch(re.escape(told) + r"/login#ticket=[\w-]{43}\n", opened.read_text(encoding="ascii"))
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_demo_in_order(tmp_path: Path, number: int) -> None:
    """Ctrl-C and SIGTERM end a running demo with 0: no process, no file is left."""
    process = demo(tmp_path, "--duration", "60")
    assert process.stderr is not None
    lines = list(until(process.stderr, "OnWriteComplete"))
    assert "OnWriteComplete" in lines[-1], lines
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("mxgateway_server" in command_line(child) for child in children)
    second = [line for line in lines if "second terminal" in line]
    assert [len(line.rstrip()) <= 80 for line in second] == [True], second
    assert "--profile demo " in second[0]
    read = subprocess.run(
        [sys.executable, "-m", "mxgateway_cli", "browse", "--profile", "demo", "--json"],
        env={**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert read.returncode == 0, read.stderr
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "everything ended cleanly" in out
    wait_until(lambda: not any(child.is_running() for child in children), 10)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not list((tmp_path / "config").rglob("*.json")), "the profile went with the demo"


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_killed_demo_leaves_no_process(tmp_path: Path) -> None:
    """Even kill -9 of the demo ends gateway and workers, because they end with their parent's pipe."""
    process = demo(tmp_path, "--duration", "60")
    assert process.stderr is not None
    lines = list(until(process.stderr, "OnWriteComplete"))
    assert "OnWriteComplete" in lines[-1], lines
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    began = time.monotonic()
    wait_until(lambda: not any(map(lives, children)), 30, lambda: "left")
    assert time.monotonic() - began < 30
