"""A whole gateway in this process whose alarm monitor has a scripted worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.alarms.link import AlarmLink
from mxgateway_server.app import Gateway
from mxgateway_server.config.settings import Settings
from tests.support.alarm_link import ScriptedLink
from tests.support.gateway import LiveGateway, fake_settings, live_gateway, open_store
from tests.support.waiting import eventually


@asynccontextmanager
async def alarm_gateway(
    state: Path, link: ScriptedLink, *, waits_for_list: bool = True, scopes: list[str] | None = None, **flags: Any
) -> AsyncIterator[LiveGateway]:
    """The gateway, once it has its list."""

    class ScriptedGateway(Gateway):
        def _alarm_link(self, *_: object) -> AlarmLink:
            return link

    def make(settings: Settings, clock: Clock | None) -> Gateway:
        return ScriptedGateway(settings, clock)

    settings = fake_settings(state, **{"alarms.enabled": True, "alarms.default_area": "Plant", **flags})
    async with live_gateway(settings, scopes, make=make) as gateway:
        if waits_for_list:
            await eventually(lambda: link.worker is not None)
            await live(gateway)
        yield gateway


async def live(gateway: LiveGateway) -> None:
    """Waits until the monitor is live."""
    while True:
        status = await gateway.stub.GetAlarmMonitorStatus(pb.GetAlarmMonitorStatusRequest(), metadata=gateway.auth)
        if not status.provider.uncertain:
            return


async def audited(gateway: LiveGateway, event: str, count: int = 1) -> list[AuditRecord]:
    """The newest records of an event, once there are so many."""
    store = await open_store(gateway.settings)
    try:
        while True:
            found = await store.read_audit(event=event)
            if len(found) >= count:
                return found
    finally:
        await store.close()
