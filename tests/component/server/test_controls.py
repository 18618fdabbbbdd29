"""What the console asks of a running gateway: answered to its own account, acted on, and noted who asked."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from click.testing import CliRunner, Result
from tests.support.gateway import LiveGateway, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway_server import controls, logs
from mxgateway_server.app import Gateway
from mxgateway_server.cli.main import main
from mxgateway_server.config.settings import Settings
from mxgateway_server.control import server
from mxgateway_server.control.client import NoGatewayError, ask
from mxgateway_server.control.place import sockets
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.node.notify import Notifier

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the socket is POSIX's")


async def console(gateway: LiveGateway, *arguments: str) -> Result:
    arguments = (*arguments, "--state-dir", str(gateway.settings.state_path))
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


async def reachable(state: Path) -> None:
    await eventually(lambda: bool(sockets(state)))


async def test_status_tells_people_and_programs(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        await reachable(tmp_path)
        await gateway.perform("watch-health")
        session = await gateway.open(client_session_name="night shift")
        shown = await console(gateway, "status")
        assert shown.exit_code == 0, shown.output
        assert "ready" in shown.stdout
        assert session in shown.stdout
        assert "night shift" in shown.stdout
        data = json.loads((await console(gateway, "status", "--json")).stdout)
        assert [each["sessionId"] for each in data["sessions"]] == [session]
        assert gateway.key not in json.dumps(data)


async def test_the_socket_is_for_the_gateways_own_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with live_gateway(fake_settings(tmp_path)):
        await reachable(tmp_path)
        (path,) = sockets(tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        monkeypatch.setattr(server, "peer_user", lambda _: None)
        with pytest.raises(ConfigurationError, match="own account"):
            await asyncio.to_thread(ask, tmp_path, "status")
        monkeypatch.undo()
        with pytest.raises(ConfigurationError, match="there are: diagnose, drain"):
            await asyncio.to_thread(ask, tmp_path, "dance")
    assert sockets(tmp_path) == []


def test_a_socket_that_a_killed_gateway_left_is_no_gateway(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "run" / "control-1.sock"))
    left.close()
    with pytest.raises(NoGatewayError, match="no gateway runs"):
        ask(tmp_path, "status")
    shown = CliRunner().invoke(main, ["status", "--state-dir", str(tmp_path)])
    assert (shown.exit_code, "no gateway runs" in shown.stderr) == (1, True)


def reading(*settings: Settings | Exception) -> Callable[..., Gateway]:
    """Makes gateways that read these settings, one after the other, when they reload."""
    waiting = list(settings)

    def read() -> Settings:
        found = waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return lambda first, clock: Gateway(first, clock, read)


async def test_a_reload_takes_what_it_can_and_nothing_of_what_is_wrong(
    tmp_path: Path,
) -> None:
    settings = fake_settings(tmp_path)
    other = fake_settings(tmp_path, sessions__max_sessions=1, logging__level="error", galaxy__poll_interval_seconds=7.0)
    wrong = ConfigurationError("sessions.max_sessions: write a whole number")
    async with live_gateway(settings, make=reading(wrong, other)) as gateway:
        await reachable(tmp_path)
        refused = await console(gateway, "reload")
        assert (refused.exit_code, "write a whole number" in refused.stderr) == (1, True)
        assert gateway.status().max_sessions == 64
        assert gateway.gateway.parts.status.counters.reload_ok is False
        done = await console(gateway, "reload", "--json")
        assert json.loads(done.stdout) == {
            "changed": ["sessions.max_sessions", "logging.level"],
            "needsRestart": ["galaxy.poll_interval_seconds"],
        }
        assert (gateway.status().max_sessions, gateway.status().log.level) == (1, "error")  # type: ignore[union-attr]
        assert gateway.gateway.parts.status.counters.reload_ok is True
        await gateway.open()
        with pytest.raises(grpc.aio.AioRpcError, match="max_sessions"):
            await gateway.open()


async def test_a_signal_reloads_as_well(tmp_path: Path) -> None:
    other = fake_settings(tmp_path, sessions__max_sessions=2)
    async with live_gateway(fake_settings(tmp_path), make=reading(other)) as gateway:
        gateway.gateway.reload()
        await eventually(lambda: gateway.status().max_sessions == 2)


async def test_a_drained_gateway_lets_sessions_go_on_and_stops_after_the_last(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        await reachable(tmp_path)
        session = await gateway.open()
        shown = await console(gateway, "drain", "--seconds", "600")
        assert "1 sessions are open" in shown.stdout
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await gateway.open()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert gateway.status().health.readiness == "not_ready"
        await gateway.ping(session)
        await gateway.close(session)
        async with asyncio.timeout(20):
            await gateway.task


async def test_the_level_of_the_log_falls_back_and_it_is_noted_who_changed_it(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        await reachable(tmp_path)
        shown = await console(gateway, "log-level", "debug", "--seconds", "1")
        assert shown.exit_code == 0, shown.output
        assert gateway.status().log.level == "debug"  # type: ignore[union-attr]
        await eventually(lambda: gateway.status().log.level == "info")  # type: ignore[union-attr]
        await eventually(lambda: gateway.status().audit.waiting == 0)
        shown = await console(gateway, "audit", "query", "--event", "log-level-changed", "--json")
        record = json.loads(shown.stdout)
        assert record["actor"].startswith("cli:")
        assert record["origin"] == "control"


async def test_what_the_process_does_is_told_without_what_its_variables_hold(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        await reachable(tmp_path)
        found: Any = await asyncio.to_thread(ask, tmp_path, "diagnose")
        assert any("ControlServer" in task["name"] for task in found["tasks"])
        assert "mxgateway_build_info" in found["metrics"]
        assert gateway.key not in json.dumps(found)
        (control,) = [task for task in found["tasks"] if "ControlServer" in task["name"]]
        assert ", in run\n" in "".join(control["stack"])


async def test_telling_it_does_not_hold_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records, pictures and lines of source are made into text by another thread than that of the calls."""
    threads: set[int] = set()

    def noted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            threads.add(threading.get_ident())
            return real(*arguments)

        return call

    for module, name in ((controls, "to_json"), (controls, "_plain"), (controls.traceback, "format_list")):
        monkeypatch.setattr(module, name, noted(getattr(module, name)))
    logs.recent.add({"event": "one", "level": "info"})
    async with live_gateway(fake_settings(tmp_path)):
        await reachable(tmp_path)
        threads.clear()
        await asyncio.to_thread(ask, tmp_path, "diagnose")
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("kind", ["path", "abstract", "nobody", "none"])
async def test_systemd_is_told_where_it_listens_and_nothing_fails_where_it_does_not(tmp_path: Path, kind: str) -> None:
    name = {"path": str(tmp_path / "n"), "abstract": f"@mxgw-{os.getpid()}", "nobody": str(tmp_path / "x"), "none": ""}
    address = name[kind]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        if kind in ("path", "abstract"):
            systemd.bind("\0" + address[1:] if kind == "abstract" else address)
        notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())})
        assert notifier.watchdog_seconds == 0.03
        notifier.ready("ready; 0 of 64 sessions")
        well = iter([True, False, True])
        done = asyncio.Event()

        def is_alive() -> bool:
            found = next(well, None)
            if found is None:
                done.set()
            return bool(found)

        task = asyncio.create_task(notifier.keep_alive(is_alive, lambda: "ready"))
        if kind in ("path", "abstract", "nobody"):
            await done.wait()
            task.cancel()
        await asyncio.wait((task,))
        notifier.stopping()
        if kind in ("path", "abstract"):
            told = [systemd.recv(4096).decode().split("\n")[0] for _ in range(4)]
            assert told == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_systemd_is_told_of_another_program_of_the_same_process_and_its_watchdog_is_fed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "n"))
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "n")}).replacing(60)
        reloading, fed = (systemd.recv(4096).decode().split("\n") for _ in range(2))
    assert reloading[0] == "RELOADING=1"
    assert reloading[1].startswith("MONOTONIC_USEC=")
    assert reloading[2:] == ["EXTEND_TIMEOUT_USEC=60000000", "STATUS=upgrading"]
    assert fed == ["WATCHDOG=1"]


def test_a_watchdog_of_another_process_is_none_of_ours() -> None:
    assert Notifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_seconds == 0
    assert Notifier({"WATCHDOG_USEC": "soon"}).watchdog_seconds == 0
