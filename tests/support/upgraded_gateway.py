"""A gateway in a process of its own that becomes the installed program: its site, and waiting until it has."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from benches.gateway_process import Site
from click.testing import CliRunner

from mxgateway_server.cli.main import main
from mxgateway_server.control.client import NoGatewayError, ask

LIMIT = 60.0
SCOPES = "session:open,session:close,invoke:read,invoke:write,events:read,metadata:read,admin"
TICKING = "Tick100_001.Value"
SETPOINT = "Setpoint_001.Value"
GALAXY = """
format: 1
galaxy: Small
security: none
lastDeploy: "2025-01-06T06:00:00+00:00"
templates:
  $Tick100:
    derivedFrom: $UserDefined
    attributes:
      Value: {type: Double, signal: {kind: counter, every: 100ms, wrap: 1000000000}}
  $Setpoint:
    derivedFrom: $UserDefined
    attributes:
      Value: {type: Integer, value: 0}
instances:
  Platform: {template: $WinPlatform, node: NODE}
  Engine: {template: $AppEngine, host: Platform}
  Area: {template: $Area, host: Engine}
  Tick100_001: {template: $Tick100, area: Area}
  Setpoint_001: {template: $Setpoint, area: Area}
"""


def small_site(folder: Path) -> Site:
    """What a gateway needs, with a tag that ticks and one that can be written."""
    description, galaxy, state = folder / "small.yaml", folder / "galaxy.db", folder / "state"
    description.write_text(GALAXY)
    # In this process: each command of its own would take longer than an upgrade.
    _console("galaxy", "build", "--galaxy", str(description), "--output", str(galaxy))
    created = _console(
        *("apikey", "create", "--state-dir", str(state), "--key-id", "upgrader", "--display-name", "upgrader"),
        *("--scopes", SCOPES, "--json"),
    )
    return Site(folder, state, galaxy, json.loads(created)["apiKey"])


def _console(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


async def program_of(state: Path) -> dict[str, Any]:
    """What the gateway says of its program, as soon as one answers."""
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                status = await asyncio.to_thread(ask, state, "status")
            except NoGatewayError:
                await short_pause()
                continue
            program: dict[str, Any] = status["program"]
            return program


async def upgraded(state: Path) -> dict[str, Any]:
    """Upgrades the gateway of this state directory; what the new program says of itself.

    Raises:
        ConfigurationError: it was refused.
    """
    before = await program_of(state)
    try:
        answer = await asyncio.to_thread(ask, state, "upgrade")
        raise AssertionError(f"a gateway that replaces itself does not answer: {answer}")
    except NoGatewayError:
        pass  # the old program is gone, and its connections with it
    after = await program_of(state)
    assert after["sinceNs"] != before["sinceNs"], "the program was not replaced"
    return after


async def short_pause() -> None:
    """Leaves others their turn before the next attempt."""
    turn = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.02, lambda: turn.done() or turn.set_result(None))
    await turn
