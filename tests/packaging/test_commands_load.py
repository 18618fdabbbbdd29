"""Every command of both programs loads and explains itself, with whatever version of click is installed."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from mxgateway_cli.main import main as client
from mxgateway_server.cli.main import main as gateway


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    with click.Context(group) as context:
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            if isinstance(found, click.Group):
                yield from _commands(found, (*path, name))
            else:
                yield (*path, name)


@pytest.mark.parametrize("path", [("mxgw-py", *path) for path in _commands(client)], ids=" ".join)
def test_each_command_of_the_client_explains_itself(path: tuple[str, ...]) -> None:
    _explains_itself(client, path)


@pytest.mark.parametrize("path", [("mxgateway", *path) for path in _commands(gateway)], ids=" ".join)
def test_each_command_of_the_gateway_explains_itself(path: tuple[str, ...]) -> None:
    _explains_itself(gateway, path)


def _explains_itself(program: click.Group, path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(program, [*path[1:], "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output
