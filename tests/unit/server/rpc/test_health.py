"""The health service: its watches are bounded, and one who does not read is in nobody's way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from tests.support.waiting import eventually

from mxgateway_server.errors import WatchLimitError
from mxgateway_server.rpc.health import HealthService

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Caller:
    """The end of a call; `reads` unset is one who takes nothing."""

    def __init__(self, peer: str = "ipv4:10.0.0.1:5000", *, reads: bool = True) -> None:
        self._peer = peer
        self.told: list[int] = []
        self._reads = asyncio.Event()
        if reads:
            self._reads.set()

    def peer(self) -> str:
        return self._peer

    async def write(self, answer: health_pb2.HealthCheckResponse) -> None:
        await self._reads.wait()
        self.told.append(answer.status)


def watch(service: HealthService, caller: Any, name: str = "") -> asyncio.Task[None]:
    return asyncio.create_task(service.Watch(health_pb2.HealthCheckRequest(service=name), caller))


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_whoever_watches_is_told_of_each_change_though_another_does_not_read() -> None:
    service = HealthService(watches=10, watches_per_address=10)
    service.set("", NOT_SERVING)
    reader, deaf = Caller(), Caller(reads=False)
    tasks = [watch(service, deaf), watch(service, reader)]
    await eventually(lambda: reader.told == [NOT_SERVING])
    service.set("", SERVING)
    await eventually(lambda: reader.told == [NOT_SERVING, SERVING])
    service.set("", SERVING)
    service.set("", NOT_SERVING)
    await eventually(lambda: reader.told == [NOT_SERVING, SERVING, NOT_SERVING])
    assert deaf.told == []
    await ended(*tasks)


async def test_a_service_that_nobody_knows_is_told_as_such_until_it_is_known() -> None:
    service, caller = HealthService(1, 1), Caller()
    task = watch(service, caller, "later")
    await eventually(lambda: caller.told == [UNKNOWN])
    service.set("later", SERVING)
    await eventually(lambda: caller.told == [UNKNOWN, SERVING])
    await ended(task)


@pytest.mark.parametrize(
    ("peer", "setting"),
    [
        ("ipv4:10.0.0.1:6000", "protocol.max_health_watches_per_address"),
        ("ipv4:10.0.0.9:6000", "protocol.max_health_watches"),
    ],
)
async def test_watches_are_bounded_for_an_address_and_in_all_and_ended_ones_do_not_count(
    peer: str, setting: str
) -> None:
    service = HealthService(watches=3, watches_per_address=2)
    tasks = [watch(service, Caller(f"ipv4:10.0.0.{1 + n // 2}:{n}")) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(WatchLimitError, match=rf"setting {setting}\)") as refused:
        await service.Watch(health_pb2.HealthCheckRequest(), Caller(peer))  # type: ignore[arg-type]
    assert refused.value.grpc_status == "RESOURCE_EXHAUSTED"
    await ended(*tasks)
    again = Caller(peer)
    task = watch(service, again)
    await eventually(lambda: bool(again.told))
    await ended(task)


async def test_every_service_is_listed() -> None:
    service = HealthService(1, 1)
    service.set("", SERVING)
    service.set("a.Service", NOT_SERVING)
    listed = await service.List(health_pb2.HealthListRequest(), Caller())  # type: ignore[arg-type]
    assert {name: each.status for name, each in listed.statuses.items()} == {"": SERVING, "a.Service": NOT_SERVING}
