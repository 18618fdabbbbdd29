"""The gateway as a Windows service: what Windows is told, when, and that the gateway ends in order."""

from __future__ import annotations

import queue
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mxgateway_server.cli.main import main
from mxgateway_server.cli.service import command_line
from mxgateway_server.node.service_host import Asked, Ended, GatewayChild, Happening, Ready, host, is_ready
from mxgateway_server.node.service_life import (
    MOST_STOP_SECONDS,
    SERVICE_SPECIFIC_ERROR,
    Control,
    ServiceLife,
    State,
    Told,
    Wish,
)


class Manager:
    """Windows, as far as it listens."""

    def __init__(self) -> None:
        self.heard: list[Told] = []

    def tell(self, told: Told) -> None:
        self.heard.append(told)


class Scripted:
    """A gateway that does what a test says: happenings at its start, and when it is asked to end."""

    def __init__(self, *at_start: Happening, when_asked: tuple[Happening, ...] = (Ended(0),)) -> None:
        self._at_start, self._when_asked = at_start, when_asked
        self._happenings: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self.did: list[str] = []

    def start(self, happenings: queue.SimpleQueue[Happening]) -> None:
        self.did.append("start")
        self._happenings = happenings
        for one in self._at_start:
            happenings.put(one)

    def ask_to_end(self) -> None:
        self.did.append("ask")
        for one in self._when_asked:
            self._happenings.put(one)

    def end(self) -> None:
        self.did.append("end")
        self._happenings.put(Ended(1))


def hosted(child: Scripted, seconds: float = 5.0) -> list[Told]:
    manager = Manager()
    host(manager, child, queue.SimpleQueue(), seconds)
    return manager.heard


@pytest.mark.parametrize("control", [Control.STOP, Control.SHUTDOWN, Control.PRESHUTDOWN])
def test_windows_hears_of_start_ready_stop_and_end(control: Control) -> None:
    child = Scripted(Ready(), Asked(Control.INTERROGATE), Asked(control), Asked(control))
    heard = hosted(child)
    assert [told.state for told in heard] == [
        State.START_PENDING, State.RUNNING, State.STOP_PENDING, State.STOPPED
    ]  # fmt: skip
    assert heard[0].accepts == 0
    assert heard[1].accepts == 0x105
    assert (heard[-1].exit_code, heard[-1].specific) == (0, 0)
    assert child.did == ["start", "ask"]


@pytest.mark.parametrize("code", [78, 0, -1, 3221225477])
def test_an_end_that_nobody_asked_for_is_a_failure(code: int) -> None:
    """So Windows starts it again, also where the gateway itself thinks that all was well."""
    told = hosted(Scripted(Ready(), Ended(code)))[-1]
    assert (told.state, told.exit_code) == (State.STOPPED, SERVICE_SPECIFIC_ERROR)
    assert told.specific == (code & 0xFFFFFFFF or 1)


def test_a_gateway_that_cannot_be_started_is_told() -> None:
    class Missing(Scripted):
        def start(self, happenings: queue.SimpleQueue[Happening]) -> None:
            raise FileNotFoundError(2, "no such program")

    assert [told.state for told in hosted(Missing())] == [State.START_PENDING, State.STOPPED]


def test_while_something_is_pending_the_checkpoint_rises() -> None:
    life = ServiceLife()
    seen = []
    for _ in range(3):
        assert life.second_passed() is Wish.NOTHING
        seen.append(life.told.checkpoint)
    assert seen == [2, 3, 4]
    life.ready()
    life.second_passed()
    assert life.told.checkpoint == 0


def test_a_gateway_that_does_not_end_is_ended() -> None:
    child = Scripted(Ready(), Asked(Control.STOP), when_asked=())
    heard = hosted(child, 0.0)
    assert child.did == ["start", "ask", "end"]
    pending = [told.checkpoint for told in heard if told.state is State.STOP_PENDING]
    assert pending == list(range(1, MOST_STOP_SECONDS + 2))
    assert heard[-1].specific == 1


GATEWAY = """
import sys
print('{"event": "other"}', flush=True)
print("noise", flush=True)
print('{"event": "ready"}', flush=True)
sys.stderr.write("a line of the log\\n")
sys.stdin.read()
sys.exit(%d)
"""


def test_a_real_child_is_asked_by_its_stdin_and_logs_into_a_file(tmp_path: Path) -> None:
    manager, happenings = Manager(), queue.SimpleQueue[Happening]()
    log = tmp_path / "logs" / "service.log"

    class Told(Manager):
        def tell(self, told: object) -> None:
            super().tell(told)  # type: ignore[arg-type]
            if self.heard[-1].state is State.RUNNING:
                happenings.put(Asked(Control.STOP))

    manager = Told()
    host(manager, GatewayChild([sys.executable, "-c", GATEWAY % 0], log), happenings)
    assert manager.heard[-1].state is State.STOPPED
    assert manager.heard[-1].exit_code == 0
    assert "a line of the log" in log.read_text()


def test_a_log_that_has_grown_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mxgateway_server.node.service_host.LARGEST_LOG", 4)
    log = tmp_path / "service.log"
    log.write_text("old lines")
    host(Manager(), GatewayChild([sys.executable, "-c", "pass"], log), queue.SimpleQueue())
    assert log.read_text() == ""
    assert (tmp_path / "service.log.1").read_text() == "old lines"


@pytest.mark.parametrize(
    ("line", "ready"), [(b'{"event": "ready"}\n', True), (b'{"event": "x"}', False), (b"ready", False), (b"[]", False)]
)
def test_only_the_ready_line_is_one(line: bytes, ready: bool) -> None:
    assert is_ready(line) is ready


def test_the_command_line_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without quotes Windows would try C:\\Program first."""
    monkeypatch.setattr(sys, "executable", "C:\\Program Files\\Python\\python.exe")
    line = command_line("gw", Path("/etc/with blank.toml"), Path("/var/state dir"))
    assert line.startswith('"C:\\Program Files\\Python\\python.exe" -P -m mxgateway_server service run --name gw')
    assert '"/etc/with blank.toml"' in line
    assert '"/var/state dir"' in line


@pytest.mark.parametrize(
    "arguments", [["install"], ["start"], ["stop"], ["remove"], ["status"], ["run", "--state-dir", "x"]]
)
@pytest.mark.skipif(sys.platform == "win32", reason="says what holds elsewhere")
def test_elsewhere_than_on_windows_it_names_systemd(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["service", *arguments])
    assert done.exit_code == 1
    assert "systemd" in done.output
