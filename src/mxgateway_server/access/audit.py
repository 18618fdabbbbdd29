"""The audit's writer: records are collected and stored together, off the path of the calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import replace

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import RecordLimit
from mxgateway_server.logs import get_logger

MAX_WAITING = 20_000
MAX_TOGETHER = 500
RETRY_SECONDS = 1.0
TELL_EVERY = 60
"""Failures of a row between two lines of the log."""

logger = get_logger(__name__)


class AuditLog:
    """Takes records without waiting and stores what waits in one transaction.

    When the store fails or falls behind, records are kept up to a bound; beyond it the oldest are lost, counted, and
    the loss is logged: a full disk must not stop the plant's data.
    """

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: deque[AuditRecord] = deque()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._limit = RecordLimit()
        self._failures = 0
        self.lost = 0

    def add(self, record: AuditRecord) -> None:
        """Takes a record; its time is now unless it has one."""
        if not record.at_ns:
            record = replace(record, at_ns=self._clock.unix_ns())
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.lost += 1
            if self.lost == 1 or self.lost % 1000 == 0:
                logger.error("audit_records_lost", lost=self.lost)
        self._waiting.append(record)
        self._wake.set()

    def add_failure(self, record: AuditRecord) -> None:
        """Takes a record of a caller who is nobody yet; of many at once some are only counted."""
        suppressed = self._limit.admit(record.remote_address, self._clock.monotonic())
        if suppressed is None:
            return
        if suppressed:
            record = replace(record, details={**record.details, "suppressed_before": suppressed})
        self.add(record)

    async def run(self) -> None:
        """Stores records until `close` is called, and then what is left."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                if await self._store_some():
                    continue
                if self._closing.is_set():
                    logger.error("audit_records_lost", lost=self.lost + len(self._waiting))
                    return
                # A store that is not well is asked once in a while only, however many records come.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_SECONDS):
                        await self._closing.wait()
            if self._closing.is_set():
                return

    def close(self) -> None:
        """Lets `run` end once everything is stored."""
        self._closing.set()
        self._wake.set()

    async def stop(self) -> None:
        """`close`, in the shape of the gateway's other parts."""
        self.close()

    @property
    def waiting(self) -> int:
        """Records that are not stored yet."""
        return len(self._waiting)

    @property
    def failures(self) -> int:
        """How often in a row the store did not take records; 0 when it did the last time."""
        return self._failures

    async def _store_some(self) -> bool:
        batch = [self._waiting.popleft() for _ in range(min(MAX_TOGETHER, len(self._waiting)))]
        try:
            await self._store.record(batch)
        except Exception as error:  # noqa: BLE001 — whatever the driver raises, the records are kept and it is told
            if self._failures % TELL_EVERY == 0:
                logger.warning("audit_store_failed", error=error, waiting=len(self._waiting) + len(batch))
            self._failures += 1
            self._waiting.extendleft(reversed(batch))
            return False
        if self._failures:
            logger.info("audit_store_recovered", failures=self._failures, lost=self.lost)
            self._failures = 0
        return True
