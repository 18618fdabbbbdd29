"""One alarm that a caller means, and what becomes of it: the provider's answer, the change that was seen, the reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.confirming import Expectation, Seen, Wanted
from mxgateway_server.alarms.model import Alarm

Outcome: TypeAlias = pb.AlarmAckOutcome.ValueType

ACKNOWLEDGED = pb.ALARM_ACK_OUTCOME_ACKNOWLEDGED
ACCEPTED = pb.ALARM_ACK_OUTCOME_ACCEPTED
ALREADY = pb.ALARM_ACK_OUTCOME_ALREADY_ACKNOWLEDGED
NOT_FOUND = pb.ALARM_ACK_OUTCOME_NOT_FOUND
SUPERSEDED = pb.ALARM_ACK_OUTCOME_SUPERSEDED
AMBIGUOUS = pb.ALARM_ACK_OUTCOME_AMBIGUOUS
DENIED = pb.ALARM_ACK_OUTCOME_DENIED
REFUSED = pb.ALARM_ACK_OUTCOME_REFUSED
UNAVAILABLE = pb.ALARM_ACK_OUTCOME_UNAVAILABLE
TIMED_OUT = pb.ALARM_ACK_OUTCOME_TIMED_OUT
DRY_RUN = pb.ALARM_ACK_OUTCOME_DRY_RUN

UNDECIDED = pb.ALARM_ACK_OUTCOME_UNSPECIFIED

# What an acknowledged alarm's attribute answers to another acknowledgement.
_ALREADY_DETAIL = 1015


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Whom the plant is told of."""

    user: str = ""
    node: str = ""
    domain: str = ""
    full_name: str = ""


@dataclass(slots=True, kw_only=True)
class Target:
    """One alarm that a caller means, and what has become of it.

    Attributes:
        name: as the caller wrote it.
        guid: the occurrence that he means; empty when he does not say.
        raised_ns: its start, likewise.
        alarm: what the name was found to mean.
        outcome: 0 while nothing is decided.
        sequence: of the change that was seen.
    """

    name: str
    guid: str = ""
    raised_ns: int = 0
    comment: str = ""
    operator: Operator = field(default_factory=Operator)
    dismiss: bool = False
    alarm: Alarm | None = None
    outcome: Outcome = pb.ALARM_ACK_OUTCOME_UNSPECIFIED
    text: str = ""
    native_status: int | None = None
    hresult: int | None = None
    status: pb.MxStatusProxy | None = None
    sequence: int = 0

    def decide(self, outcome: Outcome, text: str = "") -> None:
        self.outcome, self.text = outcome, text

    @property
    def is_open(self) -> bool:
        return self.outcome == pb.ALARM_ACK_OUTCOME_UNSPECIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelving:
    """How long, in seconds, and why; 0 s end the shelving."""

    seconds: float
    reason: str = ""


def take_result(target: Target, result: pb.AcknowledgeAlarmReplyPayload) -> None:
    """What the provider answered."""
    target.native_status = result.native_status
    target.hresult = result.hresult if result.HasField("hresult") else result.native_status
    target.status = result.status if result.HasField("status") else _status_of(result.native_status == 0)
    if result.native_status == 0 and not (result.HasField("hresult") and result.hresult < 0):
        target.decide(ACCEPTED, result.provider_text)
    elif result.status.detail == _ALREADY_DETAIL:
        target.decide(ALREADY, result.provider_text or "the alarm is acknowledged already")
    else:
        text = result.provider_text or f"the provider answered {result.native_status}"
        target.decide(REFUSED, text)


def _status_of(is_good: bool) -> pb.MxStatusProxy:
    """What the alarm manager's answer would be as an MXSTATUS_PROXY; it has none of its own."""
    category = pb.MX_STATUS_CATEGORY_OK if is_good else pb.MX_STATUS_CATEGORY_OPERATIONAL_ERROR
    return pb.MxStatusProxy(success=-1 if is_good else 0, category=category)


def take_seen(target: Target, expectation: Expectation) -> None:
    """The change that ended the wait."""
    change = expectation.change
    assert change is not None
    target.sequence = change.sequence
    if expectation.seen is Seen.GONE:
        target.text = "the alarm left the list meanwhile"
        return
    is_guarded = bool(target.guid or target.raised_ns)
    if expectation.seen is Seen.CONFIRMED:
        _take_confirmed(target, expectation, change.alarm)
    elif is_guarded:
        target.decide(SUPERSEDED, "a new occurrence came up meanwhile, and was acknowledged in its place")
    else:
        target.decide(ACKNOWLEDGED, "a new occurrence came up meanwhile, and was acknowledged")
    target.alarm = change.alarm


def _take_confirmed(target: Target, expectation: Expectation, alarm: Alarm) -> None:
    """The change came; of two who asked at once only one has made it."""
    told, mine = alarm.operator_user, target.operator.user
    is_mine = bool(told) and _without_domain(told) == _without_domain(mine)
    if expectation.wanted is not Wanted.ACKNOWLEDGED or is_mine or (expectation.is_first and not (told and mine)):
        target.outcome = ACKNOWLEDGED
    elif expectation.is_first:
        # By a name that may be spelled in another way, or by somebody in the plant: not for us to decide.
        target.decide(ACKNOWLEDGED, f"the plant names {told} as the one who acknowledged it")
    else:
        target.decide(ALREADY, f"{told or 'another caller'} acknowledged it at the same time")


def _without_domain(operator: str) -> str:
    return operator.rpartition("\\")[2].rpartition("/")[2].strip().casefold()


def reply_of(target: Target, correlation_id: str, epoch: str) -> pb.AcknowledgeAlarmReply:
    """What the caller is told of one alarm."""
    reply = pb.AcknowledgeAlarmReply(
        correlation_id=correlation_id,
        protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
        diagnostic_message=target.text,
        outcome=target.outcome,
    )
    fill_result(reply, target)
    if target.native_status is not None:
        reply.native_status = target.native_status
    if target.sequence:
        reply.at.epoch, reply.at.sequence = epoch, target.sequence
    return reply


def fill_result(reply: Any, target: Target) -> None:
    """What replies about one alarm have in common."""
    if target.alarm is not None:
        reply.alarm_full_reference = target.alarm.source.reference
        reply.alarm_guid = target.alarm.guid
    is_good = target.outcome in (ACKNOWLEDGED, ACCEPTED, ALREADY, DRY_RUN)
    reply.status.CopyFrom(target.status or _status_of(is_good))
    if target.hresult is not None:
        reply.hresult = target.hresult
