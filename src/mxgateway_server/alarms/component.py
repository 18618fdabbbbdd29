"""The alarms of a gateway put together."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass

import grpc

from mxgateway_contract.constants import CAPABILITY_ALARM_BATCHES
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.constraints import TagLookup
from mxgateway_server.alarms.acting_calls import ActingCalls
from mxgateway_server.alarms.alarm_audit import AlarmAudit
from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.confirming import Confirmations
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.feed import AlarmFeed, FeedLimits
from mxgateway_server.alarms.galaxy_view import AlarmGalaxy
from mxgateway_server.alarms.link import AlarmLink
from mxgateway_server.alarms.log import ChangeLog, LogLimits
from mxgateway_server.alarms.monitor import AlarmMonitor, MonitorTimes
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.rights import AlarmRights
from mxgateway_server.alarms.service import AlarmService
from mxgateway_server.alarms.streaming import AlarmStreams
from mxgateway_server.config.alarm_sections import (
    AlarmRingSettings,
    AlarmSettings,
    AlarmStreamSettings,
)


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
    """The monitor with its worker, and the calls that read and change its list."""

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
    ) -> None:
        confirmations = Confirmations()
        monitor = _monitor(settings, galaxy, confirmations)
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
        self._service = AlarmService(
            self.driver,
            _streams(self.driver, clock, settings.streams),
            acting,
            rights,
            (CAPABILITY_ALARM_BATCHES,),
        )

    def handler(self) -> grpc.GenericRpcHandler:
        """The alarm calls for a server."""
        return self._service.handler()

    async def run(self) -> None:
        """Keeps the list until `stop`."""
        await self.driver.run()

    async def stop(self) -> None:
        await self.driver.stop()


def _monitor(settings: AlarmSettings, galaxy: AlarmGalaxy, confirmations: Confirmations) -> AlarmMonitor:
    book, notes = AlarmBook(ChangeLog(_log_limits(settings.ring), secrets.token_hex(16))), NoteBoard()
    return AlarmMonitor(
        book,
        AlarmFeed(book, notes, _feed_limits(settings.streams)),
        notes,
        MonitorTimes(reconcile=settings.reconcile_interval_seconds),
        random.random,
        (confirmations,),
        galaxy.is_deployed,
        is_forced=settings.fallback.mode != "auto",
    )


def _log_limits(ring: AlarmRingSettings) -> LogLimits:
    return LogLimits(ring.transitions, ring.mib * 1024 * 1024)


def _feed_limits(streams: AlarmStreamSettings) -> FeedLimits:
    return FeedLimits(streams_of_key=streams.per_key, groups=streams.filter_groups)


def _streams(driver: AlarmDriver, clock: Clock, streams: AlarmStreamSettings) -> AlarmStreams:
    return AlarmStreams(driver, clock, streams.silent_reader_seconds)
