"""`mxgw-py tui` as a command."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import pytest
from tests.support.fake_gateway import running_fake
from tests.support.waiting import eventually
from textual.pilot import Pilot

from mxgateway import ClientOptions
from mxgateway_cli.main import main
from mxgateway_cli.tui.run import run
from mxgateway_contract.installing import install_command


def test_without_textual_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A light install gets the pip line and exit code 1, not a traceback."""
    monkeypatch.setitem(sys.modules, "textual", None)
    with pytest.raises(SystemExit) as ended:
        main(["tui", "--endpoint", "localhost:1", "--plaintext"])
    assert ended.value.code == 1
    assert install_command("tui") in capsys.readouterr().err


def test_json_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A full-screen command has no document to print."""
    with pytest.raises(SystemExit) as ended:
        main(["tui", "--json", "--plaintext"])
    assert ended.value.code == 2
    assert "--json" in capsys.readouterr().err


def test_without_a_terminal_it_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe nobody could see or leave the screen, so the command refuses and names what works there."""
    with pytest.raises(SystemExit) as ended:
        main(["tui", "--endpoint", "localhost:1", "--plaintext"])
    assert ended.value.code == 2
    assert "needs a terminal" in capsys.readouterr().err


def test_help_names_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    """The command takes tags, the connection options of all commands, and --read-only."""
    with pytest.raises(SystemExit) as ended:
        main(["tui", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(
        option in text for option in ("[TAG|GLOB|@LIST]...", "--read-only", "--endpoint", "--profile", "--ca-file")
    )


async def by_key(pilot: Pilot[None], key: str) -> None:
    await pilot.press(key)


async def by_signal(_pilot: Pilot[None], number: str) -> None:
    os.kill(os.getpid(), getattr(signal, number))


@pytest.mark.parametrize(
    ("end", "how"),
    [(by_key, "q"), (by_key, "ctrl+c"), (by_signal, "SIGTERM"), (by_signal, "SIGHUP")],
    ids=["q", "ctrl+c", "SIGTERM", "SIGHUP"],
)
async def test_every_way_out_closes_the_session(end: Callable[[Pilot[None], str], Awaitable[None]], how: str) -> None:
    """Keys and signals end the application, the session and the connection alike."""
    async with running_fake() as gateway:

        async def user(pilot: Pilot[None]) -> None:
            await eventually(lambda: "A.B" in gateway.items.values())
            await end(pilot, how)
            await eventually(lambda: not pilot.app.is_running)

        options = ClientOptions(endpoint=gateway.endpoint, plaintext=True)
        async with asyncio.timeout(30):
            await run(options, ["A.B"], read_only=False, auto_pilot=user)
        assert gateway.calls["CloseSession"] == 1
        assert gateway.streams_open == 0
