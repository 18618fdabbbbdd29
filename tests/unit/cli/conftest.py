from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_gateway import FakeGateway, running_fake

from mxgateway_cli.main import main

API_KEY = "mxgw_test_sentinelsecret"


@dataclass(frozen=True)
class Outcome:
    """What one invocation left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Runs `mxgw-py` in this process, connected to the fake gateway unless told otherwise."""

    def __init__(self, capsys: pytest.CaptureFixture[str], endpoint: str) -> None:
        self._capsys = capsys
        self.endpoint = endpoint

    def bare(self, *arguments: str) -> Outcome:
        code = main.execute(list(arguments), prog_name="mxgw-py")
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    def __call__(self, *arguments: str) -> Outcome:
        return self.bare(arguments[0], "--endpoint", self.endpoint, "--plaintext", *arguments[1:])


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the profile file of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A fake gateway in a thread of its own: commands run an event loop of theirs in the test's thread."""
    fake = FakeGateway()
    ready = threading.Event()
    holder: dict[str, Any] = {}

    async def serve() -> None:
        async with running_fake(fake):
            holder["loop"], holder["stop"] = asyncio.get_running_loop(), asyncio.Event()
            ready.set()
            await holder["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="fake gateway")
    thread.start()
    assert ready.wait(10)
    yield fake
    holder["loop"].call_soon_threadsafe(holder["stop"].set)
    thread.join(10)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], gateway: FakeGateway) -> Cli:
    return Cli(capsys, gateway.endpoint)


@pytest.fixture
def offline(capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command without a gateway."""
    return Cli(capsys, "localhost:1")
