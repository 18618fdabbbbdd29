"""The audit's writer: records are collected and stored together, off the path of the calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import replace

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.actors import current_actor
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import RecordLimit
from mxgateway_server.counters import Counters
from mxgateway_server.logs import get_logger

MAX_WAITING = 20_000
"""Records of what was done that wait for the store; beyond it the oldest are lost."""
MAX_DENIALS = 5_000
"""Records of what was refused, likewise: a lane of its own, so that refusals never displace what was done."""
MAX_TOGETHER = 500
GATHER_SECONDS = 0.02
"""Pause after a transaction, in which what comes next gathers: a transaction costs as much as some ten calls, and each
of many writes in a row would pay for one."""
LONGEST_GATHERING = 0.25
SHARE_OF_TIME = 4
"""The pause is so many times as long as the transaction was, if that is more: on a busy machine storing must not go on
beside most of the calls."""
RETRY_SECONDS = 1.0
TELL_EVERY = 60
"""Failures of a row between two lines of the log."""
DENY_AFTER_SECONDS = 10.0

logger = get_logger(__name__)


class AuditLog:
    """Takes records without waiting and stores what waits in one transaction.

    When the store fails or falls behind, records are kept up to a bound; beyond it the oldest are lost, counted, and
    the loss is logged. Whether the plant is written to meanwhile is what `has_room` tells.

    Args:
        store: where records go.
        clock: time.
        denies: whether `has_room` says no while records cannot be stored.
        counters: where the time that storing takes is counted.
    """

    def __init__(
        self, store: KeyStore, clock: Clock, *, denies: bool = False, counters: Counters | None = None
    ) -> None:
        self._counters = counters or Counters()
        self._store = store
        self._clock = clock
        self._denies = denies
        self._done: deque[AuditRecord] = deque()
        self._denied: deque[AuditRecord] = deque()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._strangers = RecordLimit()
        self._callers = RecordLimit(burst=100.0, per_second=5.0)
        self._failures = 0
        # Taken out of the lanes, and not stored yet.
        self._storing = 0
        self._failing_since: float | None = None
        # Seconds of the last transaction.
        self._took = 0.0
        self.lost = 0

    def add(self, record: AuditRecord) -> None:
        """Takes a record of something that was done; its time is now unless it has one."""
        self._take(self._done, MAX_WAITING, record)

    def add_denial(self, record: AuditRecord) -> None:
        """Takes a record of something that a key was refused; of many of one key some are only counted."""
        self._take_some(self._callers, record.key_id, record)

    def add_failure(self, record: AuditRecord) -> None:
        """Takes a record of a caller who is nobody yet; of many at once some are only counted."""
        self._take_some(self._strangers, record.remote_address, record)

    @property
    def has_room(self) -> bool:
        """Whether writes to the plant may go on; always, where settings say to go on and count."""
        if not self._denies:
            return True
        since = self._failing_since
        is_failing = since is not None and self._clock.monotonic() - since >= DENY_AFTER_SECONDS
        return not is_failing and len(self._done) < MAX_WAITING // 2

    def _take_some(self, limit: RecordLimit, whose: str, record: AuditRecord) -> None:
        suppressed = limit.admit(whose, self._clock.monotonic())
        if suppressed is None:
            return
        if suppressed:
            record = replace(record, details={**record.details, "suppressed_before": suppressed})
        self._take(self._denied, MAX_DENIALS, record)

    def _take(self, lane: deque[AuditRecord], bound: int, record: AuditRecord) -> None:
        if not record.at_ns:
            record = replace(record, at_ns=self._clock.unix_ns())
        actor = current_actor()
        if actor is not None and not record.actor:
            # It is stored by a task that does not know who acts.
            record = replace(record, actor=actor.name, origin=actor.origin)
        if len(lane) >= bound:
            lane.popleft()
            self.lost += 1
            if self.lost == 1 or self.lost % 1000 == 0:
                logger.error("audit_records_lost", lost=self.lost)
        lane.append(record)
        self._wake.set()

    async def run(self) -> None:
        """Stores records until `close` is called, and then what is left."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.waiting:
                if await self._store_some():
                    if self.waiting < MAX_TOGETHER:
                        await self._rest(max(GATHER_SECONDS, min(SHARE_OF_TIME * self._took, LONGEST_GATHERING)))
                    continue
                if self._closing.is_set():
                    logger.error("audit_records_lost", lost=self.lost + self.waiting)
                    return
                # A store that is not well is asked once in a while only, however many records come.
                await self._rest(RETRY_SECONDS)
            if self._closing.is_set():
                return

    async def _rest(self, seconds: float) -> None:
        """So long, or until the log is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

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
        return len(self._done) + len(self._denied) + self._storing

    @property
    def failures(self) -> int:
        """How often in a row the store did not take records; 0 when it did the last time."""
        return self._failures

    async def _store_some(self) -> bool:
        done = [self._done.popleft() for _ in range(min(MAX_TOGETHER, len(self._done)))]
        denied = [self._denied.popleft() for _ in range(min(MAX_TOGETHER, len(self._denied)))]
        batch = sorted((*done, *denied), key=lambda record: record.at_ns)
        began = self._clock.monotonic()
        self._storing = len(batch)
        try:
            await self._store.record(batch)
        except Exception as error:  # noqa: BLE001 — whatever the driver raises, the records are kept and it is told
            self._counters.retries["audit_store"] += 1
            if self._failing_since is None:
                self._failing_since = self._clock.monotonic()
            if self._failures % TELL_EVERY == 0:
                logger.warning("audit_store_failed", error=error, waiting=self.waiting)
            self._failures += 1
            self._done.extendleft(reversed(done))
            self._denied.extendleft(reversed(denied))
            return False
        finally:
            self._storing = 0
        self._took = self._clock.monotonic() - began
        self._counters.audit_writes.observe(self._took)
        if self._failures:
            logger.info("audit_store_recovered", failures=self._failures, lost=self.lost)
        self._failures, self._failing_since = 0, None
        return True
