"""Runs the application and the connection behind it, and ends both together."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from textual.app import AutopilotCallbackType

from mxgateway import ClientOptions
from mxgateway_cli.tui.app import MxGatewayApp
from mxgateway_cli.tui.gateway_plant import GatewayPlant


async def run(
    options: ClientOptions,
    tags: Iterable[str],
    *,
    list_name: str = "",
    read_only: bool,
    auto_pilot: AutopilotCallbackType | None = None,
) -> None:
    """Shows the application until the user quits; the session is closed then.

    Args:
        options: the gateway.
        tags: watched from the start.
        list_name: the saved list that these are; empty for none.
        read_only: refuses every write.
        auto_pilot: plays the user, without a terminal; for tests.

    Raises:
        ExceptionGroup: the connection failed in a way that trying again cannot mend.
    """
    plant = GatewayPlant(options, read_only=read_only)
    app = MxGatewayApp(plant, tags, list_name=list_name)

    async def connection() -> None:
        try:
            await plant.run(app)
        finally:
            # Whatever ends the connection for good gives the terminal back first.
            app.exit()

    async with asyncio.TaskGroup() as tasks:
        link = tasks.create_task(connection())
        try:
            with ended_by_signals(app):
                await app.run_async(headless=auto_pilot is not None, auto_pilot=auto_pilot)
        finally:
            link.cancel()


@contextmanager
def ended_by_signals(app: MxGatewayApp) -> Iterator[None]:
    """Within it SIGTERM, and the hang-up of a closed terminal, quit: the terminal is restored, the session closed."""
    if sys.platform == "win32":
        yield
        return
    loop, signals = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGHUP)
    for each in signals:
        loop.add_signal_handler(each, app.exit)
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
