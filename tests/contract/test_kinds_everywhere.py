"""A kind of the catalogue is in every part that has to know it; each part that forgets it fails here."""

from __future__ import annotations

import inspect

import pytest
from tests.support.fake_backend import FakeBackend

from mxgateway.session import Session
from mxgateway_cli.main import COMMANDS as CLI_COMMANDS
from mxgateway_contract.commands import COMMANDS, Command, Group
from mxgateway_protocol.backend import Backend
from mxgateway_simulator.backend import SimulatorBackend
from mxgateway_worker.backends.com.backend import ComBackend
from mxgateway_worker.backends.replay import ReplayBackend

COM = [command for command in COMMANDS.values() if command.group is Group.COM]
CALLED = [command for command in COMMANDS.values() if command.group in (Group.COM, Group.BULK)]


def arguments(method: object) -> list[str]:
    return [name for name in inspect.signature(method).parameters if name != "self"]  # type: ignore[arg-type]


@pytest.mark.parametrize("command", COM, ids=lambda command: command.name)
def test_every_backend_has_the_method_of_every_com_kind_with_the_payloads_fields_as_its_arguments(
    command: Command,
) -> None:
    """The worker hands the fields over in their order."""
    wanted = getattr(Backend, command.payload, None)
    assert wanted is not None, f"mxgateway_protocol.backend.Backend has no {command.payload}"
    assert len(arguments(wanted)) == len(command.parameters)
    for backend in (FakeBackend, SimulatorBackend, ReplayBackend, ComBackend):
        method = getattr(backend, command.payload, None)
        assert method is not None, f"{backend.__name__} has no {command.payload}"
        assert arguments(method) == arguments(wanted), backend


@pytest.mark.parametrize("command", CALLED, ids=lambda command: command.name)
def test_the_library_has_a_method_and_the_command_line_a_command_for_every_kind_of_mxaccess(command: Command) -> None:
    name = command.payload.replace("un_advise", "unadvise")
    assert inspect.iscoroutinefunction(getattr(Session, name, None)), f"mxgateway.Session has no {name}"
    assert name.replace("_", "-") in CLI_COMMANDS, f"mxgw-py has no {name.replace('_', '-')}"
