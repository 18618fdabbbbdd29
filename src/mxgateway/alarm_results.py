"""What becomes of acknowledgements and shelvings, alarm by alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from mxgateway.members import known
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class AckOutcome(IntEnum):
    """What has become of an acknowledgement.

    ACKNOWLEDGED: the change was seen.
    ACCEPTED: the provider took it; the change was not waited for, or was not seen in time.
    SUPERSEDED: another occurrence than the expected one is there now, which is not acknowledged.
    AMBIGUOUS: the name fits several alarms; `text` names some of them.
    REFUSED: the plant did not take it. UNAVAILABLE: the provider went away meanwhile, so nobody knows.
    DRY_RUN: it would have been sent.
    """

    UNKNOWN = 0
    ACKNOWLEDGED = 1
    ACCEPTED = 2
    ALREADY_ACKNOWLEDGED = 3
    NOT_FOUND = 4
    SUPERSEDED = 5
    AMBIGUOUS = 6
    DENIED = 7
    REFUSED = 8
    UNAVAILABLE = 9
    TIMED_OUT = 10
    DRY_RUN = 11


class ShelveOutcome(IntEnum):
    """What has become of a shelving; the words mean the same as in AckOutcome."""

    UNKNOWN = 0
    DONE = 1
    ACCEPTED = 2
    NOT_SHELVED = 3
    NOT_FOUND = 4
    SUPERSEDED = 5
    AMBIGUOUS = 6
    DENIED = 7
    REFUSED = 8
    UNAVAILABLE = 9
    TIMED_OUT = 10
    DRY_RUN = 11


@dataclass(frozen=True, slots=True)
class AckResult:
    """What has become of the acknowledgement of one alarm.

    Attributes:
        reference: what the name was found to mean.
        guid: the occurrence that was acknowledged, or that is there now.
        text: why, in words.
        raw: the generated reply, with native status, HRESULT and MxStatusProxy.
    """

    outcome: AckOutcome
    reference: str
    guid: str
    text: str
    raw: pb.AcknowledgeAlarmReply

    @property
    def ok(self) -> bool:
        """Whether the alarm is acknowledged, or the plant has taken it."""
        return self.outcome in (AckOutcome.ACKNOWLEDGED, AckOutcome.ACCEPTED, AckOutcome.ALREADY_ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class ShelveResult:
    """What has become of the shelving of one alarm; see AckResult.

    Attributes:
        until: when the shelving ends by itself; None when it is not shelved.
    """

    outcome: ShelveOutcome
    reference: str
    until: datetime | None
    text: str
    raw: pb.AlarmShelveResult

    @property
    def ok(self) -> bool:
        """Whether it is as it was wanted, or the plant has taken it."""
        return self.outcome in (ShelveOutcome.DONE, ShelveOutcome.ACCEPTED, ShelveOutcome.NOT_SHELVED)


def ack_result(reply: pb.AcknowledgeAlarmReply) -> AckResult:
    """The result of a generated reply."""
    outcome = known(AckOutcome, reply.outcome)
    if not reply.outcome and reply.hresult == 0:
        # An original gateway, which knows no outcomes.
        outcome = AckOutcome.ACCEPTED
    return AckResult(outcome, reply.alarm_full_reference, reply.alarm_guid, reply.diagnostic_message, reply)


def shelve_result(result: pb.AlarmShelveResult) -> ShelveResult:
    """The result of a generated one."""
    until = result.shelved_until.ToDatetime(UTC) if result.HasField("shelved_until") else None
    return ShelveResult(
        known(ShelveOutcome, result.outcome), result.alarm_full_reference, until, result.diagnostic_message, result
    )
