"""`/metrics`: what the gateway counts, in the form that Prometheus reads. Made when it is asked for, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from mxgateway_server.counters import Distribution
from mxgateway_server.operations.metric_table import COUNTER, HISTOGRAM, METRICS, Metric, Reading

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


def metrics_routes(take: Callable[[], Reading], may_read: Callable[[Request], Awaitable[bool]]) -> list[BaseRoute]:
    """The route, for those who may read it.

    Args:
        take: the numbers of this moment; called in the gateway's loop.
        may_read: whether somebody may.
    """

    turn = asyncio.Lock()

    async def metrics(request: Request) -> Response:
        if not await may_read(request):
            text = "metrics are for this machine, or for a key with the scope metadata:read as bearer token\n"
            return PlainTextResponse(text, 401, headers={"www-authenticate": "Bearer", "cache-control": "no-store"})
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # However many ask at once, one answer is made at a time.
        async with turn:
            registry = _registry(take())
            body = await asyncio.to_thread(encode, registry)
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})

    return [Route("/metrics", metrics)]


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
