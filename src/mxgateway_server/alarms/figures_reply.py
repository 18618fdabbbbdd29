"""The figures as messages of the contract."""

from __future__ import annotations

import math
from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.figures.computing import Figures, Lengths, Often
from mxgateway_server.alarms.figures.floods import Flood
from mxgateway_server.alarms.figures.keeper import Report


def statistics_reply(report: Report) -> pb.GetAlarmStatisticsReply:
    """What the caller is told of a span of time."""
    reply = pb.GetAlarmStatisticsReply(
        protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
        observed=_duration(report.observed),
        degraded=_duration(report.degraded),
        figures=[_figures(each) for each in report.figures],
    )
    reply.from_time.FromNanoseconds(round(report.begin * 1e9))
    reply.until_time.FromNanoseconds(round(report.end * 1e9))
    return reply


def _figures(figures: Figures) -> pb.AlarmFigures:
    return pb.AlarmFigures(
        position=figures.position,
        annunciated=figures.annunciated,
        average_rate=figures.average_rate,
        peak_rate=figures.peak_rate,
        share_above_ten=figures.share_above_ten,
        share_of_hours_above_thirty=figures.share_of_hours_above_thirty,
        flood_time=_duration(figures.flood_seconds),
        floods=[_flood(past.flood) for past in figures.floods],
        most_frequent=_counts(figures.most_frequent),
        chattering=_counts(figures.chattering),
        fleeting=_counts(figures.fleeting),
        standing=figures.standing,
        stale=figures.stale,
        priorities=[
            pb.AlarmPriorityShare(priority_min=each.first, priority_max=each.last, count=each.count, share=each.share)
            for each in figures.priorities
        ],
        time_to_acknowledge=_lengths(figures.to_acknowledge),
        time_to_return=_lengths(figures.to_return),
        unacknowledged=figures.unacknowledged,
        oldest_unacknowledged=_duration(figures.oldest_unacknowledged),
        shelved=figures.shelved,
        silenced=figures.silenced,
    )


def _counts(often: Sequence[Often]) -> list[pb.AlarmCount]:
    return [pb.AlarmCount(alarm_full_reference=each.reference, count=each.count, share=each.share) for each in often]


def _lengths(lengths: Lengths) -> pb.AlarmDurations:
    return pb.AlarmDurations(
        median=_duration(lengths.median),
        ninety_percent=_duration(lengths.ninety_percent),
        longest=_duration(lengths.longest),
        count=lengths.count,
    )


def _flood(flood: Flood) -> pb.AlarmFlood:
    told = pb.AlarmFlood(position=flood.position, count=flood.count)
    told.began.FromNanoseconds(round(flood.began * 1e9))
    if flood.ended is not None:
        told.ended.FromNanoseconds(round(flood.ended * 1e9))
    return told


def _duration(seconds: float) -> Duration:
    whole = math.floor(seconds)
    return Duration(seconds=whole, nanos=round((seconds - whole) * 1e9) % 1_000_000_000)
