"""AcknowledgeAlarm, AcknowledgeAlarms and ShelveAlarms: from requests to targets, and from targets to replies."""

from __future__ import annotations

import socket
from typing import Any, TypeAlias

import grpc
import grpc.aio

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.callers import CallInfo, current_call
from mxgateway_server.alarms.acting import AlarmActions
from mxgateway_server.alarms.alarm_audit import AlarmAudit
from mxgateway_server.alarms.confirming import Confirmations
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.filters import Sieve
from mxgateway_server.alarms.repeats import Repeats
from mxgateway_server.alarms.requests import (
    MAX_BULK,
    OperatorFields,
    check_comment,
    check_operator,
    check_reason,
    check_target,
    filter_of,
    seconds_of,
)
from mxgateway_server.alarms.rights import AlarmRights
from mxgateway_server.alarms.targets import Operator, Shelving, Target, fill_result, reply_of
from mxgateway_server.commands.checks import check_correlation_id
from mxgateway_server.config.alarm_sections import AlarmAcknowledgeSettings, AlarmShelveSettings
from mxgateway_server.errors import AlarmCountError, InvalidRequestError

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_OK = pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK)


class ActingCalls:
    """The calls that change something in the plant."""

    def __init__(
        self,
        driver: AlarmDriver,
        confirmations: Confirmations,
        rights: AlarmRights,
        audit: AlarmAudit,
        acknowledge: AlarmAcknowledgeSettings,
        shelve: AlarmShelveSettings,
        clock: Clock,
    ) -> None:
        self._driver = driver
        self._book = driver.monitor.book
        self._actions = AlarmActions(driver, confirmations, rights)
        self._confirmations = confirmations
        self._rights = rights
        self._audit = audit
        self._longest_wait = acknowledge.confirm_seconds
        self._needs_comment = acknowledge.comment_required
        self._operator_rule = acknowledge.operator
        self._longest_shelving = shelve.max_hours * 3600
        self._node = socket.gethostname()
        self._acknowledged: Repeats[pb.AcknowledgeAlarmReply] = Repeats(clock, driver.spawn)
        self._many_acknowledged: Repeats[pb.AcknowledgeAlarmsReply] = Repeats(clock, driver.spawn)
        self._shelved: Repeats[pb.ShelveAlarmsReply] = Repeats(clock, driver.spawn)

    @property
    def unconfirmed(self) -> int:
        """Acknowledgements that the provider took and whose change did not come in time."""
        return self._confirmations.unconfirmed

    # ------------------------------------------------------------------------------------------------------------ calls

    async def acknowledge_alarm(
        self, request: pb.AcknowledgeAlarmRequest, _context: Context
    ) -> pb.AcknowledgeAlarmReply:
        call = current_call()
        correlation_id = self._correlation_id(request.client_correlation_id, call)
        target = self._target(request, call)
        wait = self._wait(request)
        self._audit.require_writable(call, correlation_id)
        self._driver.require_provider()

        async def work() -> pb.AcknowledgeAlarmReply:
            await self._actions.acknowledge([target], call, wait)
            event = "alarm.dismiss" if target.dismiss else "alarm.acknowledge"
            self._audit.acted(event, [target], call, correlation_id, "")
            return reply_of(target, correlation_id, self._epoch)

        return await self._acknowledged.once(call.caller.key_id, request.client_correlation_id, _told(request), work)

    async def acknowledge_alarms(
        self, request: pb.AcknowledgeAlarmsRequest, _context: Context
    ) -> pb.AcknowledgeAlarmsReply:
        call = current_call()
        correlation_id = self._correlation_id(request.client_correlation_id, call)
        wait = self._wait(request)
        for alarm in request.alarms:
            wait = max(wait, self._wait(alarm))
        is_dry_run = request.dry_run
        if not is_dry_run:
            self._audit.require_writable(call, correlation_id)
        self._driver.require_provider()

        async def work() -> pb.AcknowledgeAlarmsReply:
            targets = self._targets(request, call)
            await self._actions.acknowledge(targets, call, wait, is_dry_run=is_dry_run)
            if not is_dry_run:
                self._audit.acted("alarm.acknowledge", targets, call, correlation_id, "")
            reply = pb.AcknowledgeAlarmsReply(correlation_id=correlation_id, protocol_status=_OK)
            reply.results.extend(reply_of(target, correlation_id, self._epoch) for target in targets)
            self._stamp(reply)
            return reply

        return await self._many_acknowledged.once(
            call.caller.key_id, request.client_correlation_id, _told(request), work
        )

    async def shelve_alarms(self, request: pb.ShelveAlarmsRequest, _context: Context) -> pb.ShelveAlarmsReply:
        call = current_call()
        correlation_id = self._correlation_id(request.client_correlation_id, call)
        shelving = self._shelving(request)
        wait = self._wait(request)
        operator = self._operator(request, call)
        if not request.targets or len(request.targets) > MAX_BULK:
            raise InvalidRequestError(f"targets has {len(request.targets)} entries; it takes 1 to {MAX_BULK}")
        for each in request.targets:
            check_target(each.alarm_full_reference)
        if not request.dry_run:
            self._audit.require_writable(call, correlation_id)
        self._driver.require_provider()

        async def work() -> pb.ShelveAlarmsReply:
            targets = [
                Target(name=each.alarm_full_reference, guid=each.expected_guid.strip("{} ").lower(), operator=operator)
                for each in request.targets
            ]
            await self._actions.shelve(targets, call, shelving, wait, is_dry_run=request.dry_run)
            if not request.dry_run:
                event = "alarm.shelve" if shelving.seconds else "alarm.unshelve"
                self._audit.acted(event, targets, call, correlation_id, shelving.reason)
            reply = pb.ShelveAlarmsReply(correlation_id=correlation_id, protocol_status=_OK)
            reply.results.extend(map(_shelve_result, targets))
            self._stamp(reply)
            return reply

        return await self._shelved.once(call.caller.key_id, request.client_correlation_id, _told(request), work)

    # ---------------------------------------------------------------------------------------------------------- details

    @property
    def _epoch(self) -> str:
        return self._book.log.epoch

    def _stamp(self, reply: pb.AcknowledgeAlarmsReply | pb.ShelveAlarmsReply) -> None:
        reply.at.epoch, reply.at.sequence = self._epoch, self._book.log.newest

    @staticmethod
    def _correlation_id(given: str, call: CallInfo) -> str:
        check_correlation_id(given)
        return given or call.correlation_id

    def _wait(self, request: Any) -> float:
        wait = seconds_of(request.wait_for_transition, "wait_for_transition")
        if wait > self._longest_wait:
            raise InvalidRequestError(
                f"wait_for_transition is {self._longest_wait:g} s at most (setting alarms.acknowledge.confirm_seconds)"
            )
        return wait

    def _operator(self, request: OperatorFields, call: CallInfo) -> Operator:
        """Whom the plant is told of: the caller's claim, the key, or both, as the settings say."""
        check_operator(request)
        user, key = request.operator_user, call.caller.display_name or call.caller.key_id
        if self._operator_rule == "fixed":
            user = key
        elif self._operator_rule == "prefixed":
            user = f"{key}/{user}" if user else key
        return Operator(
            user=user,
            node=request.operator_node or self._node,
            domain=request.operator_domain,
            full_name=request.operator_full_name,
        )

    def _target(self, request: pb.AcknowledgeAlarmRequest, call: CallInfo) -> Target:
        check_target(request.alarm_full_reference)
        check_comment(request.comment, is_required=self._needs_comment)
        return Target(
            name=request.alarm_full_reference,
            guid=request.expected_guid.strip("{} ").lower(),
            raised_ns=request.expected_raise_timestamp.ToNanoseconds(),
            comment=request.comment,
            operator=self._operator(request, call),
            dismiss=request.dismiss,
        )

    def _targets(self, request: pb.AcknowledgeAlarmsRequest, call: CallInfo) -> list[Target]:
        if request.HasField("filter"):
            return self._targets_of_filter(request, call)
        if not request.alarms or len(request.alarms) > MAX_BULK:
            raise InvalidRequestError(
                f"alarms has {len(request.alarms)} entries; it takes 1 to {MAX_BULK}, or a filter"
            )
        targets = []
        for alarm in request.alarms:
            full = pb.AcknowledgeAlarmRequest()
            full.CopyFrom(alarm)
            full.comment = full.comment or request.comment
            if not full.operator_user:
                full.operator_user = request.operator_user
                full.operator_node = request.operator_node
                full.operator_domain = request.operator_domain
                full.operator_full_name = request.operator_full_name
            targets.append(self._target(full, call))
        return targets

    def _targets_of_filter(self, request: pb.AcknowledgeAlarmsRequest, call: CallInfo) -> list[Target]:
        if request.alarms:
            raise InvalidRequestError("alarms and filter exclude each other")
        if not request.HasField("expected_count") and not request.dry_run:
            raise InvalidRequestError("expected_count is needed with a filter; a dry run tells it")
        check_comment(request.comment, is_required=self._needs_comment)
        operator = self._operator(request, call)
        sieve, viewer = Sieve(filter_of(request.filter)), self._rights.viewer(call.caller)
        found = sorted(
            (
                alarm
                for alarm in self._book.cut()
                if not alarm.state.is_acknowledged and sieve.takes(alarm) and viewer.sees(alarm)
            ),
            key=lambda alarm: alarm.key,
        )
        if request.HasField("expected_count") and request.expected_count != len(found):
            raise AlarmCountError(request.expected_count, len(found))
        return [
            # Those that were counted are meant, and no occurrence that comes up meanwhile.
            Target(
                name=alarm.source.reference,
                guid=alarm.guid,
                raised_ns=alarm.raised_ns,
                comment=request.comment,
                operator=operator,
            )
            for alarm in found
        ]

    def _shelving(self, request: pb.ShelveAlarmsRequest) -> Shelving:
        seconds = seconds_of(request.duration, "duration")
        if seconds > self._longest_shelving:
            hours = self._longest_shelving / 3600
            raise InvalidRequestError(f"duration is {hours:g} h at most (setting alarms.shelve.max_hours)")
        check_reason(request.reason, is_required=seconds > 0)
        return Shelving(seconds=seconds, reason=request.reason)


def _told(request: Any) -> bytes:
    told: bytes = request.SerializeToString(deterministic=True)
    return told


def _shelve_result(target: Target) -> pb.AlarmShelveResult:
    result = pb.AlarmShelveResult(
        outcome=pb.AlarmShelveOutcome.ValueType(target.outcome), diagnostic_message=target.text
    )
    fill_result(result, target)
    if target.alarm is not None and target.alarm.is_shelved and target.alarm.shelved_until_ns:
        result.shelved_until.FromNanoseconds(target.alarm.shelved_until_ns)
    return result
