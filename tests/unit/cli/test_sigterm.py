"""SIGTERM, which service managers, containers and timeout(1) send, and the end of a terminal: an orderly end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.fake_gateway import FakeGateway, data_change
from tests.support.waiting import wait_until

from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix"),
]
SESSION = ("--session-id", "session-1")
ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _signals_as_a_service_manager_gives_them() -> Iterator[None]:
    """Whatever these tests run under: what is ignored here would be ignored by the programs, too."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def start(gateway: FakeGateway, *arguments: str) -> subprocess.Popen[str]:
    """A command of its own, as a service manager starts it."""
    where = ("--endpoint", gateway.endpoint, "--plaintext")
    return subprocess.Popen(
        [sys.executable, "-m", "mxgateway_cli", arguments[0], *where, *arguments[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def ended(process: subprocess.Popen[str], number: int, ready: Callable[[], bool]) -> tuple[int, str, str]:
    """Sends the signal once the command is at work; exit code, stdout and stderr."""
    with process:
        try:
            wait_until(ready, 30, lambda: f"{process.args} did not begin")
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_recording_is_whole(gateway: FakeGateway, tmp_path: Path, kind: str, number: int) -> None:
    """The file is closed, the report printed, the session closed, and the exit code is 0: as with Ctrl-C."""
    file = tmp_path / f"rec.{kind}"
    gateway.events = [data_change(1), data_change(2)]
    process = start(gateway, "record", "A.B", "--output", str(file), "--json")
    code, out, err = ended(process, number, lambda: gateway.streams_open == 1 and _has_begun(file))
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["complete"] is True
    assert gateway.calls["CloseSession"] == 1
    if kind == "csv":
        assert len(file.read_text().splitlines()) == 1 + report["events"]
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        assert parquet.read_table(file).num_rows == report["events"]


def _has_begun(file: Path) -> bool:
    """Whether there are lines; a Parquet file comes only at the end."""
    return file.suffix == ".parquet" or (file.exists() and file.read_text().count("\n") == 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ("watch", "A.B"),
        ("watch", "A.B", "--json"),
        ("stream-events", *SESSION),
        ("stream-events", *SESSION, "--json"),
        ("stream-events", *SESSION, "--jsonl"),
    ],
)
def test_a_stream_ends_in_order(gateway: FakeGateway, arguments: tuple[str, ...]) -> None:
    """What came is printed, a session of one's own is closed, and the exit code is 0."""
    gateway.events = [data_change(1)]
    code, out, err = ended(start(gateway, *arguments), signal.SIGTERM, lambda: gateway.streams_open == 1)
    assert (code, err) == (0, "")
    if arguments[-1] == "--json" and arguments[0] == "stream-events":
        json.loads(out)
    assert gateway.calls.get("CloseSession", 0) == (1 if arguments[0] == "watch" else 0)


def test_a_watch_of_the_galaxy_ends_in_order(gateway: FakeGateway) -> None:
    gateway.deploy_events = [galaxy_pb.DeployEvent(sequence=1)]
    process = start(gateway, "galaxy-watch", "--json")
    code, out, _ = ended(process, signal.SIGTERM, lambda: gateway.calls.get("WatchDeployEvents", 0) == 1)
    assert code == 0
    assert "events" in json.loads(out)


@pytest.mark.parametrize("name", ["bench-read-bulk", "bench-stream-events"])
def test_a_measurement_closes_its_sessions(gateway: FakeGateway, name: str) -> None:
    """A measurement that was not done has no figures: 143, as shells have it, and no session is left."""
    process = start(gateway, name, "--bulk-size", "1")
    code, out, err = ended(process, signal.SIGTERM, lambda: len(gateway.commands) > 1)
    assert (code, out) == (143, "")
    assert "ended by SIGTERM" in err
    assert gateway.calls["CloseSession"] == 1


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_short_command_closes_its_session(gateway: FakeGateway, number: int, expected: int) -> None:
    """A read that waits for an answer is cut off, and its session does not live on for its lease."""
    gateway.answer("read_bulk", lambda _request: gateway.hold.wait())
    process = start(gateway, "read", "A.B")
    code, out, err = ended(process, number, lambda: bool(gateway.commands_of("read_bulk")))
    assert (code, out) == (expected, "")
    assert "Traceback" not in err
    assert gateway.calls["CloseSession"] == 1


def test_a_batch_between_two_lines_ends_at_once() -> None:
    batch = subprocess.Popen(
        [sys.executable, "-m", "mxgateway_cli", "batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert batch.stdin is not None
    assert batch.stdout is not None
    batch.stdin.write("version\n")
    batch.stdin.flush()
    assert batch.stdout.readline().startswith("mxgw-py")
    code, _, err = ended(batch, signal.SIGTERM, lambda: True)
    assert code == 143
    assert "Traceback" not in err


def test_an_ignored_signal_stays_ignored(gateway: FakeGateway) -> None:
    """Under nohup the end of the terminal does not end a recording."""
    gateway.events = [data_change(1)]
    process = subprocess.Popen(
        ["nohup", sys.executable, "-m", "mxgateway_cli", "watch", "A.B", "--endpoint", gateway.endpoint, "--plaintext"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert "A.B" in process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    code, _, err = ended(process, signal.SIGTERM, lambda: True)
    assert code == 0, err
