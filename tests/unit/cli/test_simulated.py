"""Simulated values are announced on stderr, once, and never among results."""

from __future__ import annotations

import io
import json

import pytest
from tests.support.fake_gateway import FakeGateway, data_change, write_complete
from tests.unit.cli.conftest import API_KEY, Cli

from mxgateway_cli.commands.batch import END_OF_RECORD
from mxgateway_cli.simulated import SIMULATED

COMMANDS = {
    "read": ("read", "A.B"),
    "watch": ("watch", "A.B", "--max-events", "1"),
    "open-session": ("open-session",),
    "smoke": ("smoke", "--item", "A.B"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("simulated", [True, False])
def test_commands_announce_simulated_values(
    gateway: FakeGateway, cli: Cli, name: str, form: str, simulated: bool
) -> None:
    """Every command that shows or touches values says on stderr that they are simulated, and only then."""
    gateway.is_simulated = simulated
    gateway.events = [data_change(1)]
    outcome = cli(*COMMANDS[name], *(["--json"] if form == "json" else []))
    assert outcome.code == 0, outcome.err
    assert outcome.err.splitlines().count(SIMULATED) == simulated
    assert SIMULATED not in outcome.out
    if form == "json" and name in ("open-session", "smoke"):
        assert outcome.json["isSimulated"] is simulated


def test_a_write_announces_it(gateway: FakeGateway, cli: Cli) -> None:
    """A write into a simulated plant says so before it is sent."""
    gateway.is_simulated = True
    gateway.events = [data_change(1), write_complete(2, 1)]
    outcome = cli("write", "A.B", "5", "--type", "int32")
    assert (outcome.code, outcome.err.splitlines()) == (0, [SIMULATED])


def test_a_batch_announces_it_once(
    gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of a batch share one announcement, and it is no part of their results."""
    gateway.is_simulated = True
    line = f"read A.B --json --plaintext --endpoint {cli.endpoint} --api-key {API_KEY}"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{line}\n{line}\n"))
    outcome = cli.bare("batch")
    assert (outcome.code, outcome.err.splitlines()) == (0, [SIMULATED])
    first, second, rest = outcome.out.split(END_OF_RECORD)
    assert [len(json.loads(each)["results"]) for each in (first, second)] == [1, 1]
    assert not rest.strip()
