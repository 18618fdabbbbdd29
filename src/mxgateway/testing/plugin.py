"""pytest fixtures with a real gateway. Say `pytest_plugins = ["mxgateway.testing.plugin"]` in your top conftest.py.

    async def test_level(mx_gateway):
        async with await mx_gateway.connect() as client, await client.open_session() as session:
            ...

The fixture is of session scope: the gateway starts with the first test that wants it. It runs in a thread of its own,
so it serves tests with and without asyncio alike; for blocking tests `mxgateway.sync.GatewayClient.connect(
mx_gateway.options())`. Tests that write ask for `mx_plant` as well, which is `mx_gateway.plant`, reset before and after
each of them. Set `mx_gateway_galaxy` in pytest's configuration to use another Galaxy than `reference`, and
`mx_gateway_alarms` to the area whose alarms the gateway is to keep.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from mxgateway.testing.local import LocalGateway
from mxgateway.testing.plant import LocalPlant


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the ini option."""
    parser.addini(
        "mx_gateway_galaxy", "Galaxy of the fixture mx_gateway: a name, a .yaml or a .db", default="reference"
    )
    parser.addini("mx_gateway_alarms", "Area whose alarms it keeps; empty for none", default="")


class _GatewayThread:
    """Runs a LocalGateway on an event loop of its own."""

    def __init__(self, galaxy: str, alarms: str) -> None:
        self._galaxy = galaxy
        self._alarms = alarms
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="mx_gateway")
        self.gateway: LocalGateway | None = None
        self.error: Exception | None = None

    def __enter__(self) -> LocalGateway:
        self._thread.start()
        self._ready.wait()
        if self.gateway is None:
            self._thread.join()
            raise self.error or RuntimeError("the gateway did not start")
        return self.gateway

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with LocalGateway.run(self._galaxy, alarms=self._alarms) as self.gateway:
                self._ready.set()
                await self._stop.wait()
        except Exception as error:
            if self._ready.is_set():
                raise
            self.error = error
        finally:
            self._ready.set()


@pytest.fixture(scope="session")
def mx_gateway(pytestconfig: pytest.Config) -> Iterator[LocalGateway]:
    """A real gateway with the simulator: TLS, a key with every scope, the Galaxy of the ini option."""
    galaxy, alarms = (str(pytestconfig.getini(name)) for name in ("mx_gateway_galaxy", "mx_gateway_alarms"))
    with _GatewayThread(galaxy, alarms) as gateway:
        yield gateway


@pytest.fixture
def mx_plant(mx_gateway: LocalGateway) -> Iterator[LocalPlant]:
    """The plant behind `mx_gateway`, as it was built: nothing that another test wrote or set is left."""
    mx_gateway.reset()
    yield mx_gateway.plant
    mx_gateway.reset()
