"""`/metrics`: what the gateway counts, in the form that Prometheus reads. Made when it is asked for, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from mxgateway_server.counters import Distribution
from mxgateway_server.operations.metric_table import COUNTER, HISTOGRAM, METRICS, Metric, Reading

Encoder: TypeAlias = Callable[[Collector], bytes]
SHARE = 0.05
"""Of one core, for making metrics in the long run."""
BURST_SECONDS = 2.0
"""Of work that may be done beyond it at once."""
_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


def metrics_routes(take: Callable[[], Reading], may_read: Callable[[Request], Awaitable[bool]]) -> list[BaseRoute]:
    """The route, for those who may read it.

    Args:
        take: the numbers of this moment; called in the gateway's loop.
        may_read: whether somebody may.
    """

    shared = _Shared(take)

    async def metrics(request: Request) -> Response:
        if not await may_read(request):
            text = "metrics are for this machine, or for a key with the scope metadata:read as bearer token\n"
            return PlainTextResponse(text, 401, headers={"www-authenticate": "Bearer", "cache-control": "no-store"})
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await shared.text(encode)
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})

    return [Route("/metrics", metrics)]


class _Shared:
    """One answer is made at a time, for all who asked before it was begun; and that not without a break.

    Whoever makes text in a thread slows the event loop down: strangers on this machine may ask as often as they like.
    """

    def __init__(self, take: Callable[[], Reading]) -> None:
        self._take = take
        self._turn = asyncio.Lock()
        self._begun = 0
        self._made: dict[Encoder, tuple[int, bytes]] = {}
        self._left = BURST_SECONDS
        self._at = 0.0

    async def text(self, encode: Encoder) -> bytes:
        """The numbers of now, or of a moment from now on."""
        asked = self._begun
        async with self._turn:
            number, body = self._made.get(encode, (0, b""))
            if number > asked:
                return body
            clock = asyncio.get_running_loop().time
            began = clock()
            self._left = min(BURST_SECONDS, self._left + (began - self._at) * SHARE)
            if self._left < 0:
                await asyncio.sleep(-self._left / SHARE)
                began = clock()
                self._left = 0.0
            self._begun += 1
            body = await asyncio.to_thread(encode, _registry(self._take()))
            self._at = clock()
            self._left -= self._at - began
            self._made[encode] = (self._begun, body)
            return body


def render(reading: Reading) -> bytes:
    """The numbers as Prometheus' text."""
    encode, _ = choose_encoder("")
    return encode(_registry(reading))


def _registry(reading: Reading) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(reading))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _Collector(Collector):
    def __init__(self, reading: Reading) -> None:
        # Read at once: the thread that writes must not see numbers of different moments.
        self._families = [_family(metric, reading) for metric in METRICS]

    def collect(self) -> Iterator[_Family]:
        yield from self._families


def _family(metric: Metric, reading: Reading) -> _Family:
    if metric.kind == HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)
        for labels, value in metric.read(reading):
            assert isinstance(value, Distribution)
            histogram.add_metric(labels, list(_buckets(value)), value.total)
        return histogram
    kind = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.text, labels=metric.labels)
    for labels, value in metric.read(reading):
        assert not isinstance(value, Distribution)
        family.add_metric(labels, value)
    return family


def _buckets(spread: Distribution) -> Iterator[tuple[str, float]]:
    seen = 0
    for bound, count in zip((*map(repr, spread.bounds), "+Inf"), spread.counts, strict=True):
        seen += count
        yield bound, seen
