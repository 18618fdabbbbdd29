"""A gateway that can be killed and comes back at the same address, with the same keys and the same Galaxy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from benches.gateway_process import GatewayProcess, Site


class RestartedGateway:
    """A running gateway in plaintext on loopback; `stop` it at the end."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.process = GatewayProcess(self.site)
        self.address = self.process.address

    async def kill(self) -> None:
        self.process.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def restart(self, settings: Mapping[str, str] | None = None) -> None:
        """Starts it again, with other settings if given."""
        flags = ("--listen-plaintext", self.address)
        self.process = await asyncio.to_thread(lambda: GatewayProcess(self.site, settings, flags=flags))

    def stop(self) -> None:
        """Ends it in order, if it runs."""
        if self.process.returncode is None:
            self.process.stop()
