"""An attack ends in time and makes do with the open files that it has, as on systems that give 1,024 to all."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from attack.floods import FLOODS
from attack.target import FILES, Target, ended_after

FEW = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
runpy.run_module("attack.floods", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there files are not limited so")
def test_a_flood_of_connections_holds_as_many_as_it_may() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(600)
        target = Target(f"127.0.0.1:{listening.getsockname()[1]}", "", "", {}, 0)
        done = subprocess.run(
            [sys.executable, "-c", FEW, "silent", "0.1"],
            env=target.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["connected"] > 100
    assert outcome["connected"] + outcome["refused"] == 600


def test_floods_that_need_more_files_than_one_process_may_have_run_in_several() -> None:
    assert {name for name, flood in FLOODS.items() if flood.processes > 1} == {"silent", "again", "http-silent"}
    assert FILES == 1024


def test_whoever_does_not_answer_is_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with ended_after(process, 0.01):
            assert process.stdout.readline() == b""
    assert process.returncode != 0
