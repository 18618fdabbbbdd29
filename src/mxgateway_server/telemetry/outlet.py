"""The way of spans to a collector: a bounded queue and a thread. Whoever ends a span never waits for anybody."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from mxgateway_server.counters import Tally
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

GATHER_SECONDS = 1.0
BATCH_SPANS = 512


class SpanOutlet(SpanProcessor):
    """Takes spans from the event loop and exports them from a thread.

    Args:
        exporter: blocks as long as the collector lets it, up to its own time limit.
        most: spans that may wait; of more, the newest are dropped.
        counts: where spans are counted, by `exported`, `failed` and `dropped`. Each word has one thread that writes it,
            but at the end.
    """

    def __init__(self, exporter: SpanExporter, most: int, counts: Tally) -> None:
        self._exporter = exporter
        self._most = most
        self._counts = counts
        self._queue: deque[ReadableSpan] = deque()
        self._wake = threading.Event()
        self._is_ending = False
        self._is_well = True
        self._thread = threading.Thread(target=self._run, name="trace-outlet", daemon=True)
        self._thread.start()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        return

    def on_end(self, span: ReadableSpan) -> None:
        if len(self._queue) >= self._most or self._is_ending:
            self._counts["dropped"] += 1
            return
        self._queue.append(span)
        if len(self._queue) >= BATCH_SPANS:
            self._wake.set()

    def end(self, seconds: float) -> None:
        """Sends what is left, and gives up after so many seconds. It blocks."""
        self._is_ending = True
        self._wake.set()
        self._thread.join(seconds)
        # Ends an export that hangs.
        self._exporter.shutdown()
        self._thread.join(seconds)
        if self._queue:
            self._counts["dropped"] += len(self._queue)

    def _run(self) -> None:
        while True:
            self._wake.wait(GATHER_SECONDS)
            self._wake.clear()
            while self._queue:
                # What came before a collector that hangs goes with the next batch, as far as there is room.
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_SPANS))]
                is_sent = self._export(batch)
                self._counts["exported" if is_sent else "failed"] += len(batch)
                if self._is_ending and not is_sent:
                    return
            if self._is_ending:
                return

    def _export(self, batch: Sequence[ReadableSpan]) -> bool:
        problem = ""
        try:
            is_sent = self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 — whatever it is, it ends neither the thread nor the gateway
            is_sent, problem = False, type(error).__name__
        if is_sent and not self._is_well:
            logger.info("traces_delivered_again")
        elif not is_sent and self._is_well and not self._is_ending:
            logger.warning(
                "traces_not_delivered",
                problem=problem or "the collector did not take them",
                remedy="look at telemetry.endpoint, and whether a collector listens there",
            )
        self._is_well = is_sent
        return is_sent
