"""A real gateway for many tests: a subprocess, kept by an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mxgateway.testing import LocalGateway
from tests.support.process_leaks import SHARED


@contextmanager
def shared_gateway(
    galaxy: str | os.PathLike[str] = "reference", arguments: Iterable[str] = (), *, alarms: str = ""
) -> Iterator[LocalGateway]:
    """Runs a gateway until the block ends. For module fixtures; the tests need the mark `shares_processes`."""
    ready: list[LocalGateway] = []
    failures: list[BaseException] = []
    started, stop = threading.Event(), threading.Event()

    async def run() -> None:
        async with LocalGateway.run(galaxy, arguments=arguments, alarms=alarms) as gateway:
            ready.append(gateway)
            started.set()
            await asyncio.to_thread(stop.wait)

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread, below
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=work, name="shared gateway")
    thread.start()
    started.wait()
    try:
        if not ready:
            raise failures[0]
        SHARED.add(ready[0].pid)
        yield ready[0]
    finally:
        stop.set()
        thread.join()
        SHARED.difference_update(gateway.pid for gateway in ready)


def environment(gateway: LocalGateway) -> dict[str, str]:
    """The environment of a program that is to use the gateway."""
    return {
        **os.environ,
        "MXGATEWAY_ENDPOINT": gateway.endpoint,
        "MXGATEWAY_API_KEY": gateway.api_key,
        "MXGATEWAY_CA_FILE": str(gateway.ca_file),
    }
