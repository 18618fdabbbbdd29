"""What the monitor says of itself."""

from __future__ import annotations

from collections import Counter

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.encoding import status_message
from mxgateway_server.alarms.groups import Viewer

BANDS = (249, 499, 749, 999)
"""Last priority of each band, the most urgent first."""


def status_reply(driver: AlarmDriver, viewer: Viewer, unconfirmed: int) -> pb.GetAlarmMonitorStatusReply:
    """The status, with the counts of the alarms that the caller may see, and none that tells of others."""
    monitor = driver.monitor
    book, log = monitor.book, monitor.book.log
    seen = [alarm for alarm in book.cut() if viewer.sees(alarm)]
    states = Counter(int(alarm.state) for alarm in seen)
    reply = pb.GetAlarmMonitorStatusReply(
        protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
        enabled=True,
        provider=status_message(monitor.status),
        epoch=log.epoch,
        oldest_sequence=log.oldest - 1,
        newest_sequence=log.newest,
        states=[
            pb.AlarmStateCount(state=pb.AlarmState.ValueType(state), count=count)
            for state, count in sorted(states.items())
        ],
        uncertain=len(seen) if monitor.status.is_uncertain else sum(alarm.is_uncertain for alarm in seen),
        poll=driver.poll,
        streams=len(monitor.feed),
        sub_areas_known=driver.areas_known,
        reopened=monitor.counters.reopened,
        failed_snapshots=monitor.counters.failed_snapshots,
        truncated_snapshots=monitor.counters.truncated_snapshots,
    )
    if viewer.number:
        reply.poll.ClearField("watched")
    else:
        reply.watched = len(driver.watched.targets)
        reply.unknown_states = book.counters.unknown_states
        reply.unconfirmed_acknowledgements = unconfirmed
    first = 1
    for last in BANDS:
        count = sum(first <= alarm.priority <= last for alarm in seen)
        share = count / len(seen) if seen else 0.0
        reply.priorities.add(priority_min=first, priority_max=last, count=count, share=share)
        first = last + 1
    if monitor.last_reconcile_ns:
        reply.last_reconcile.FromNanoseconds(monitor.last_reconcile_ns)
    return reply
