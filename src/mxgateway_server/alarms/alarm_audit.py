"""What of acknowledgements and shelvings goes into the audit: who, which alarm, what he claims, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.alarms.targets import DENIED, Target
from mxgateway_server.errors import AuditUnavailableError, PermissionDeniedError

_SHELVING = ("alarm.shelve", "alarm.unshelve")


class AlarmAudit:
    """Writes the records of acting calls; it never waits for the disk.

    Args:
        audits: whether what is done to the plant is recorded at all.
        audits_texts: whether comments and reasons are part of that, and not their length only.
        is_read_only: the gateway changes nothing in the plant, whoever asks.
    """

    def __init__(self, audit: AuditLog, *, audits: bool, audits_texts: bool, is_read_only: bool) -> None:
        self._audit = audit
        self._audits = audits
        self._audits_texts = audits_texts
        self._is_read_only = is_read_only

    def require_writable(self, call: CallInfo, correlation_id: str) -> None:
        """Refuses what would change the plant where nothing may, or could not be recorded.

        Raises:
            PermissionDeniedError: the gateway or the key is read-only.
            AuditUnavailableError: the store takes no records, and settings say that nothing is written then.
        """
        why = ""
        if self._is_read_only:
            why = "this gateway writes nothing (setting read_only)"
        elif call.caller.constraints.read_only:
            why = "this API key is read-only, whatever its scopes"
        if why:
            self._denied(call, correlation_id, {"": why})
            raise PermissionDeniedError(why)
        if self._audits and not self._audit.has_room:
            raise AuditUnavailableError

    def acted(self, event: str, targets: Sequence[Target], call: CallInfo, correlation_id: str, text: str) -> None:
        """Records what was asked for each alarm, and what came of it.

        Args:
            event: such as `alarm.acknowledge`.
            text: the reason of a shelving; an acknowledgement has its comment in the target.
        """
        denied = {target.name: target.text for target in targets if target.outcome == DENIED}
        if denied:
            self._denied(call, correlation_id, denied)
        if not self._audits:
            return
        if len(targets) > 1:
            outcomes: dict[str, int] = {}
            for target in targets:
                word = outcome_word(target, event)
                outcomes[word] = outcomes.get(word, 0) + 1
            self._add("alarm.bulk", "", "done", call, correlation_id, {"event": event, "outcomes": outcomes})
        for target in targets:
            if target.outcome != DENIED:
                self._add(event, *_of(target, event), call, correlation_id, self._details(target, text))

    def _details(self, target: Target, text: str) -> dict[str, Any]:
        said = text or target.comment
        maybe = {
            "node": target.operator.node,
            "domain": target.operator.domain,
            "full_name": target.operator.full_name,
            "guid": "" if target.alarm is None else target.alarm.guid,
            "native_status": target.native_status,
            "text": said if self._audits_texts else "",
        }
        told = {name: value for name, value in maybe.items() if value not in (None, "")}
        return {"operator": target.operator.user, "text_length": len(said), **told}

    def _denied(self, call: CallInfo, correlation_id: str, reasons: dict[str, str]) -> None:
        target, reason = next(iter(reasons.items()))
        details: dict[str, Any] = {"reason": reason, "method": call.method}
        if len(reasons) > 1:
            details |= {"count": len(reasons), "targets": list(reasons)[:20]}
        self._audit.add_denial(
            AuditRecord(
                event="denied",
                key_id=call.caller.key_id,
                remote_address=call.address,
                correlation_id=correlation_id,
                target=target,
                outcome="permission-denied",
                details=details,
            )
        )

    def _add(
        self, event: str, target: str, outcome: str, call: CallInfo, correlation_id: str, details: dict[str, Any]
    ) -> None:
        self._audit.add(
            AuditRecord(
                event=event,
                key_id=call.caller.key_id,
                remote_address=call.address,
                correlation_id=correlation_id,
                target=target,
                outcome=outcome,
                details=details,
            )
        )


def outcome_word(target: Target, event: str) -> str:
    """The outcome as the audit spells it: what is `acknowledged` for an acknowledgement is `done` for a shelving."""
    if event in _SHELVING:
        word = pb.AlarmShelveOutcome.Name(pb.AlarmShelveOutcome.ValueType(target.outcome))
        return word.removeprefix("ALARM_SHELVE_OUTCOME_").lower()
    return pb.AlarmAckOutcome.Name(target.outcome).removeprefix("ALARM_ACK_OUTCOME_").lower()


def _of(target: Target, event: str) -> tuple[str, str]:
    return (target.name if target.alarm is None else target.alarm.source.reference, outcome_word(target, event))
