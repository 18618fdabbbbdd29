"""The alarms of a gateway put together."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import grpc

from mxgateway_contract.constants import CAPABILITY_ALARM_BATCHES, CAPABILITY_ALARM_HISTORY, CAPABILITY_ALARM_STATISTICS
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.constraints import TagLookup
from mxgateway_server.alarms.acting_calls import ActingCalls
from mxgateway_server.alarms.alarm_audit import AlarmAudit
from mxgateway_server.alarms.bands import PriorityBands
from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.confirming import Confirmations
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.feed import AlarmFeed, FeedLimits
from mxgateway_server.alarms.galaxy_view import AlarmGalaxy
from mxgateway_server.alarms.history.file import Kept
from mxgateway_server.alarms.link import AlarmLink
from mxgateway_server.alarms.log import ChangeLog, LogLimits
from mxgateway_server.alarms.looking_back import AlarmHistory, LookingBack
from mxgateway_server.alarms.monitor import AlarmMonitor, MonitorTimes
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.observing import AlarmObserver
from mxgateway_server.alarms.past import AlarmPast, PastRules
from mxgateway_server.alarms.rights import AlarmRights
from mxgateway_server.alarms.service import AlarmService
from mxgateway_server.alarms.streaming import AlarmStreams
from mxgateway_server.config.alarm_sections import (
    AlarmRingSettings,
    AlarmSettings,
    AlarmStreamSettings,
)

_PROBES_UNTIL_TRIAL = 10
"""A trial of an alarm manager that ended its workers may cost another: it is rarer than the probes of a silent one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRules:
    """What other settings mean for the alarms.

    Attributes:
        is_read_only: the gateway changes nothing in the plant.
        audits: whether what is done to the plant is recorded.
        audits_texts: whether comments are, too.
    """

    is_read_only: bool = False
    audits: bool = True
    audits_texts: bool = False


class AlarmComponent:
    """The monitor with its worker, and the calls that read and change its list.

    Attributes:
        past: what is kept beside the list.
        calls: for who asks from within the gateway; they judge the present call as those over gRPC do.
    """

    def __init__(
        self,
        settings: AlarmSettings,
        rules: AlarmRules,
        *,
        link: AlarmLink,
        galaxy: AlarmGalaxy,
        lookup: TagLookup,
        audit: AuditLog,
        clock: Clock,
        past: AlarmPast,
        kept: Kept,
    ) -> None:
        confirmations = Confirmations()
        monitor = _monitor(settings, galaxy, kept, (confirmations, past))
        self.past = past
        past.serve(monitor.book, monitor.feed, monitor.notes)
        rights = AlarmRights(lookup)
        self.driver = AlarmDriver(monitor, link, galaxy, settings, clock, on_new_galaxy=rights.forget)
        acting = ActingCalls(
            self.driver,
            confirmations,
            rights,
            AlarmAudit(audit, audits=rules.audits, audits_texts=rules.audits_texts, is_read_only=rules.is_read_only),
            settings.acknowledge,
            settings.shelve,
            clock,
        )
        self.calls = AlarmService(
            self.driver,
            _streams(self.driver, clock, settings.streams, past.history),
            acting,
            LookingBack(self.driver, rights, past.history, past.figures, clock),
            rights,
            _capabilities(past),
        )

    @classmethod
    async def open(
        cls,
        settings: AlarmSettings,
        rules: AlarmRules,
        past_rules: PastRules,
        *,
        link: AlarmLink,
        galaxy: AlarmGalaxy,
        lookup: TagLookup,
        audit: AuditLog,
        clock: Clock,
    ) -> AlarmComponent:
        """The alarms, with what an earlier run left of them."""
        here: list[AlarmComponent] = []
        past = AlarmPast(past_rules, lambda: here[0].driver.monitor.book.cut(), clock)
        kept = await past.open()
        here.append(
            cls(
                settings,
                rules,
                link=link,
                galaxy=galaxy,
                lookup=lookup,
                audit=audit,
                clock=clock,
                past=past,
                kept=kept,
            )
        )
        return here[0]

    def handler(self) -> grpc.GenericRpcHandler:
        """The alarm calls for a server."""
        return self.calls.handler()

    async def run(self) -> None:
        """Keeps the list until `stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.past.run())
            try:
                await self.past.restore()
                await self.driver.run()
            finally:
                await self.past.stop()

    async def stop(self) -> None:
        await self.driver.stop()


def _monitor(
    settings: AlarmSettings, galaxy: AlarmGalaxy, kept: Kept, observers: tuple[AlarmObserver, ...]
) -> AlarmMonitor:
    log = ChangeLog(_log_limits(settings.ring), kept.epoch, kept.last)
    book, notes = AlarmBook(log, PriorityBands(settings.statistics.bands)), NoteBoard()
    book.restore(kept.alarms)
    return AlarmMonitor(
        book,
        AlarmFeed(book, notes, _feed_limits(settings.streams)),
        notes,
        MonitorTimes(
            reconcile=settings.reconcile_interval_seconds,
            retry_manager=_PROBES_UNTIL_TRIAL * settings.fallback.failback_probe_interval_seconds,
        ),
        random.random,
        observers,
        galaxy.is_deployed,
        is_forced=settings.fallback.mode != "auto",
        is_restored=kept.has_list,
        is_complete=kept.is_complete,
        losses=settings.fallback.consecutive_failure_threshold,
    )


def _log_limits(ring: AlarmRingSettings) -> LogLimits:
    return LogLimits(ring.transitions, ring.mib * 1024 * 1024)


def _feed_limits(streams: AlarmStreamSettings) -> FeedLimits:
    return FeedLimits(streams_of_key=streams.per_key, groups=streams.filter_groups)


def _streams(
    driver: AlarmDriver, clock: Clock, streams: AlarmStreamSettings, history: AlarmHistory | None
) -> AlarmStreams:
    return AlarmStreams(driver, clock, streams.silent_reader_seconds, history)


def _capabilities(past: AlarmPast) -> tuple[str, ...]:
    kept = () if past.history is None else (CAPABILITY_ALARM_HISTORY,)
    return (CAPABILITY_ALARM_BATCHES, *kept, CAPABILITY_ALARM_STATISTICS)
