"""What a SubscribeAlarms command asks for, and how the alarm manager has been doing since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mxgateway_contract.filetime import NS_PER_SECOND
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.alarms.provider import AlarmSubscription
from mxgateway_protocol.alarms.times import ORDERS
from mxgateway_worker.alarms.attribute_provider import watch_list
from mxgateway_worker.alarms.attribute_values import Watched
from mxgateway_worker.alarms.failover import FailoverSettings, Speaker
from mxgateway_worker.calls import InvalidCommandError

POLL_INTERVAL = 0.5
"""Seconds between two polls, unless the subscription says otherwise."""
_SHORTEST_INTERVAL = 0.05
_DEFAULT_RECORDS = 1000
_MOST_RECORDS = 100_000
_SPEAKERS = {int(speaker) for speaker in Speaker}


@dataclass(frozen=True, slots=True)
class AlarmOrder:
    """What a SubscribeAlarms command asks for."""

    subscription: AlarmSubscription
    poll_interval: float = POLL_INTERVAL
    forced: Speaker = Speaker.NONE
    failover: FailoverSettings = field(default_factory=FailoverSettings)
    watch: Sequence[Watched] = ()


@dataclass(slots=True)
class PollFigures:
    """How the alarm manager has been doing; times in seconds and nanoseconds since 1970 UTC."""

    last_success_ns: int = 0
    last_duration: float = 0.0
    is_truncated: bool = False


def order_of(command: pb.SubscribeAlarmsCommand) -> AlarmOrder:
    """What a SubscribeAlarms command asks for.

    Raises:
        InvalidCommandError: it makes no sense.
    """
    expressions = [text for text in command.subscription_expressions if text] or [command.subscription_expression]
    forced = Speaker(command.forced_mode) if command.forced_mode in _SPEAKERS else Speaker.NONE
    if not any(expressions) and forced is not Speaker.ATTRIBUTES:
        raise InvalidCommandError("subscription_expression is empty; give one such as \\\\NODE\\Galaxy!Area")
    if command.date_order not in ("", *ORDERS):
        raise InvalidCommandError(f"date_order {command.date_order!r} is none of {', '.join(ORDERS)}")
    interval = command.poll_interval.ToNanoseconds() / NS_PER_SECOND if command.HasField("poll_interval") else 0.0
    failover, default = command.failover, FailoverSettings()
    return AlarmOrder(
        subscription=AlarmSubscription(
            expressions=tuple(expressions),
            max_records=min(command.max_records or _DEFAULT_RECORDS, _MOST_RECORDS),
            display_mode=command.display_mode or "Summary",
            time_zone=command.time_zone,
            date_order=command.date_order,
        ),
        poll_interval=max(_SHORTEST_INTERVAL, interval or POLL_INTERVAL),
        forced=forced,
        failover=FailoverSettings(
            max(1, failover.consecutive_failure_threshold or default.threshold),
            max(1, failover.failback_probe_interval_seconds or default.probe_interval),
            max(1, failover.failback_stable_probes or default.stable_probes),
        ),
        watch=watch_list([{f.name: v for f, v in target.ListFields()} for target in command.watch_list]),
    )
