"""What the monitor says to its worker, and what the answers mean."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.hresults import E_ACCESSDENIED, E_INVALIDARG
from mxgateway_server.alarms.galaxy_view import WatchList
from mxgateway_server.alarms.telling import Reason
from mxgateway_server.config.alarm_sections import AlarmFallbackSettings, AlarmSettings

PAGE = 1000
"""Alarms of one page of the worker's list."""

_FORCED = {
    "auto": pb.ALARM_PROVIDER_MODE_UNSPECIFIED,
    "alarm_manager": pb.ALARM_PROVIDER_MODE_ALARMMGR,
    "attributes": pb.ALARM_PROVIDER_MODE_SUBTAG,
}
_LASTING = frozenset({E_ACCESSDENIED, E_INVALIDARG})


def subscription(settings: AlarmSettings, watched: WatchList, *, uses_manager: bool = True) -> pb.MxCommand:
    """The command that starts the providers, or replaces their watch list.

    Args:
        uses_manager: False for the attributes alone, whatever the settings say.
    """
    expressions = settings.expressions
    command = pb.SubscribeAlarmsCommand(
        subscription_expression=expressions[0] if expressions else "",
        subscription_expressions=expressions if len(expressions) > 1 else (),
        forced_mode=_FORCED[settings.fallback.mode if uses_manager else "attributes"],
        watch_list=watched.targets,
        failover=_failover(settings.fallback),
        max_records=settings.max_records,
        display_mode=settings.display_mode,
        time_zone=settings.time_zone,
        date_order="" if settings.date_order == "auto" else settings.date_order,
    )
    command.poll_interval.FromMilliseconds(settings.poll_interval_ms)
    return pb.MxCommand(kind=pb.MX_COMMAND_KIND_SUBSCRIBE_ALARMS, subscribe_alarms=command)


def _failover(fallback: AlarmFallbackSettings) -> pb.AlarmFailoverConfig:
    return pb.AlarmFailoverConfig(
        consecutive_failure_threshold=fallback.consecutive_failure_threshold,
        failback_probe_interval_seconds=fallback.failback_probe_interval_seconds,
        failback_stable_probes=fallback.failback_stable_probes,
    )


def page_of_list(after: str, cut_token: str) -> pb.MxCommand:
    """The question for one page of the worker's list."""
    query = pb.QueryActiveAlarmsCommand(after_reference=after, limit=PAGE, cut_token=cut_token)
    return pb.MxCommand(kind=pb.MX_COMMAND_KIND_QUERY_ACTIVE_ALARMS, query_active_alarms=query)


def problem_of(reply: pb.MxCommandReply) -> str:
    """Why the worker did not do it; empty when it did."""
    status = reply.protocol_status
    if status.code == pb.PROTOCOL_STATUS_CODE_OK:
        return ""
    return reply.diagnostic_message or status.message or pb.ProtocolStatusCode.Name(status.code)


def reason_of_refusal(reply: pb.MxCommandReply) -> Reason:
    """Whether a refused subscription needs somebody, or may be taken the next time."""
    is_lasting = reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST or (
        reply.HasField("hresult") and reply.hresult in _LASTING
    )
    return Reason.MISCONFIGURED if is_lasting else Reason.SUBSCRIBE_FAILED
