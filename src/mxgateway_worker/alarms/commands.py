"""The alarm commands of the contract, carried out on the service."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mxgateway_contract.filetime import NS_PER_SECOND
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import MxStatus
from mxgateway_protocol.alarms.provider import (
    NOT_FOR_THIS_PROVIDER,
    AlarmName,
    AlarmProvider,
    Answer,
    Operator,
    ProviderError,
)
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.shelving import shelve_command
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.values import timestamp_from_ns
from mxgateway_worker.alarms.failover import Speaker
from mxgateway_worker.alarms.messages import snapshot
from mxgateway_worker.alarms.orders import order_of
from mxgateway_worker.alarms.service import AlarmService
from mxgateway_worker.calls import InvalidCommandError

MOST_AT_ONCE = 1000
"""Acknowledgements in one command."""
PAGE = 2000
_LONGEST_PAGE = 10_000
_CUTS_KEPT = 4
_WRITE_SECONDS = 10.0
_HOUR = 3600.0

PumpUntil = Callable[[Callable[[], bool], float], None]


class _Cut(NamedTuple):
    """The list at one moment, in the order of its keys."""

    keys: Sequence[str]
    alarms: Sequence[AlarmRecord]
    speaker: Speaker
    sequence: int


class AlarmCommands:
    """Carries the alarm commands out.

    Args:
        pump_until: pumps until something is done, or a monotonic time is reached.
    """

    def __init__(self, service: AlarmService, clock: Clock, pump_until: PumpUntil) -> None:
        self._service = service
        self._clock = clock
        self._pump_until = pump_until
        self._cuts: OrderedDict[str, _Cut] = OrderedDict()

    # ------------------------------------------------------------------------------------------------------ subscribing

    def subscribe_alarms(self, command: pb.SubscribeAlarmsCommand, reply: pb.MxCommandReply) -> None:
        """Starts the providers, or replaces the watch list of those that run."""
        try:
            self._service.subscribe(order_of(command))
        except ProviderError as error:
            if error.hresult is not None:
                raise MxComError(error.hresult, str(error)) from error
            raise InvalidCommandError(str(error)) from error
        self._service.flush()

    def unsubscribe_alarms(self, command: pb.UnsubscribeAlarmsCommand, reply: pb.MxCommandReply) -> None:
        """Stops them."""
        self._service.close()
        self._cuts.clear()

    # --------------------------------------------------------------------------------------------------------- the list

    def query_active_alarms(self, command: pb.QueryActiveAlarmsCommand, reply: pb.MxCommandReply) -> None:
        """One page of the list as it has been told."""
        service = self._service
        payload = reply.query_active_alarms
        token, cut = self._cut(command.cut_token)
        start = bisect_right(cut.keys, command.after_reference.casefold()) if command.after_reference else 0
        prefix = command.alarm_filter_prefix.casefold()
        limit = min(command.limit or PAGE, _LONGEST_PAGE)
        place = start
        while place < len(cut.keys) and len(payload.snapshots) < limit:
            if not prefix or cut.keys[place].startswith(prefix):
                payload.snapshots.append(snapshot(cut.alarms[place], cut.speaker))
            place += 1
        if place < len(cut.keys):
            payload.next_after = cut.alarms[place - 1].reference
        payload.total = len(cut.keys)
        payload.as_of_worker_sequence = cut.sequence
        payload.cut_token = token
        payload.truncated = service.figures.is_truncated and cut.speaker is Speaker.ALARM_MANAGER
        payload.mode = pb.AlarmProviderMode.ValueType(cut.speaker)
        self._report(payload.poll)

    def _cut(self, token: str) -> tuple[str, _Cut]:
        """The cut of a token, or a new one for none.

        Raises:
            InvalidCommandError: the cut is not kept any more.
        """
        if token:
            known = self._cuts.get(token)
            if known is None:
                raise InvalidCommandError("cut_token is not known, or not kept any more; ask for the first page again")
            return token, known
        self._service.flush()
        outbox = self._service.outbox
        pairs = sorted(outbox.published.items())
        cut = _Cut(
            [key for key, _ in pairs], [alarm for _, alarm in pairs], outbox.speaker, self._service.last_sequence()
        )
        token = os.urandom(8).hex()
        self._cuts[token] = cut
        while len(self._cuts) > _CUTS_KEPT:
            self._cuts.popitem(last=False)
        return token, cut

    def _report(self, report: pb.AlarmPollReport) -> None:
        figures, policy = self._service.figures, self._service.policy
        if figures.last_success_ns:
            report.last_success.CopyFrom(timestamp_from_ns(figures.last_success_ns))
        report.last_duration.FromNanoseconds(round(figures.last_duration * NS_PER_SECOND))
        if policy is not None:
            report.consecutive_failures, report.total_failures = policy.failures, policy.total_failures
        report.watched = self._service.attributes.watched
        report.returned_are_invisible = self._service.attributes.returned_are_invisible

    # ---------------------------------------------------------------------------------------------------- acknowledging

    def acknowledge_alarm(self, command: pb.AcknowledgeAlarmCommand, reply: pb.MxCommandReply) -> None:
        """By GUID: looked up in the list, as the alarm manager's own call for it does not work."""
        guid = command.alarm_guid.strip().strip("{}").lower()
        found = [alarm for alarm in self._service.outbox.published.values() if guid and alarm.guid == guid]
        payload = reply.acknowledge_alarm
        if not found:
            payload.native_status, payload.provider_text = -1, "no alarm of the list has this GUID"
            return
        alarm = found[0]
        by_name = pb.AcknowledgeAlarmByNameCommand(
            alarm_name=alarm.name,
            provider_name=alarm.provider,
            group_name=alarm.group,
            comment=command.comment,
            operator_user=command.operator_user,
            operator_node=command.operator_node,
            operator_domain=command.operator_domain,
            operator_full_name=command.operator_full_name,
            source_object_reference=alarm.name,
        )
        self._acknowledge([by_name], [payload])

    def acknowledge_alarm_by_name(self, command: pb.AcknowledgeAlarmByNameCommand, reply: pb.MxCommandReply) -> None:
        """By provider, group and name."""
        self._acknowledge([command], [reply.acknowledge_alarm])

    def acknowledge_alarms_by_name(self, command: pb.AcknowledgeAlarmsByNameCommand, reply: pb.MxCommandReply) -> None:
        """Many, in order; one that fails does not stop the others."""
        if len(command.alarms) > MOST_AT_ONCE:
            raise InvalidCommandError(f"{len(command.alarms)} alarms at once; {MOST_AT_ONCE} are allowed")
        results = reply.acknowledge_alarms_by_name.results
        self._acknowledge(command.alarms, [results.add() for _ in command.alarms])

    def _acknowledge(
        self,
        alarms: Sequence[pb.AcknowledgeAlarmByNameCommand],
        payloads: Sequence[pb.AcknowledgeAlarmReplyPayload],
    ) -> None:
        service = self._service
        if not service.is_open:
            raise InvalidCommandError("alarms are not subscribed; send SUBSCRIBE_ALARMS first")
        if service.outbox.speaker is Speaker.ATTRIBUTES:
            self._acknowledge_by_attributes(alarms, payloads)
        else:
            for alarm, payload in zip(alarms, payloads, strict=True):
                self._acknowledge_one(service.provider, alarm, payload)
        service.poll_soon()

    def _acknowledge_one(
        self,
        provider: AlarmProvider | None,
        alarm: pb.AcknowledgeAlarmByNameCommand,
        payload: pb.AcknowledgeAlarmReplyPayload,
    ) -> None:
        name, operator = _name(alarm), _operator(alarm)
        if provider is None:
            _put(payload, Answer(-1, "this worker has no alarm manager"))
        elif alarm.dismiss:
            _call(payload, lambda: provider.dismiss(name, operator))
        else:
            _call(payload, lambda: provider.acknowledge(name, alarm.comment, operator))
            if payload.native_status == 0 and not payload.HasField("hresult"):
                self._note_own(_key(alarm), operator, alarm.comment)

    def _note_own(self, key: str, operator: Operator, comment: str) -> None:
        now_ns = self._clock.unix_ns()
        self._service.acknowledged(lambda differ: differ.acknowledged(key, operator, comment, now_ns))

    def _acknowledge_by_attributes(
        self,
        alarms: Sequence[pb.AcknowledgeAlarmByNameCommand],
        payloads: Sequence[pb.AcknowledgeAlarmReplyPayload],
    ) -> None:
        """Writes the comments, and waits for all the completions together."""
        waiting: set[int] = set()

        def completion(place: int) -> Callable[[Sequence[MxStatus]], None]:
            def completed(statuses: Sequence[MxStatus]) -> None:
                if place in waiting:
                    waiting.discard(place)
                    self._completed(alarms[place], payloads[place], statuses)

            return completed

        for place, (alarm, payload) in enumerate(zip(alarms, payloads, strict=True)):
            if alarm.dismiss:
                _put(payload, Answer(-1, "latched alarms cannot be dismissed by their attributes"))
                continue
            waiting.add(place)
            try:
                refused = self._service.attributes.acknowledge(_key(alarm), alarm.comment, completion(place))
            except MxComError as error:
                refused, payload.hresult = str(error), error.hresult
            if refused:
                waiting.discard(place)
                _put(payload, Answer(-1, refused))
        self._pump_until(lambda: not waiting, self._clock.monotonic() + _WRITE_SECONDS)
        for place in waiting:
            _put(payloads[place], Answer(-1, f"the write was not completed within {_WRITE_SECONDS:g} s"))
        waiting.clear()

    def _completed(
        self,
        alarm: pb.AcknowledgeAlarmByNameCommand,
        payload: pb.AcknowledgeAlarmReplyPayload,
        statuses: Sequence[MxStatus],
    ) -> None:
        if not statuses:
            _put(payload, Answer(-1, "MXAccess refused the write"))
            return
        payload.status.CopyFrom(statuses[0].to_proto())
        if statuses[0].is_success:
            self._note_own(_key(alarm), _operator(alarm), alarm.comment)
        else:
            _put(payload, Answer(-1, statuses[0].describe()))

    def shelve_alarm(self, command: pb.ShelveAlarmCommand, reply: pb.MxCommandReply) -> None:
        """Shelves an alarm, or ends that."""
        service = self._service
        if not service.is_open:
            raise InvalidCommandError("alarms are not subscribed; send SUBSCRIBE_ALARMS first")
        hours = command.duration.ToNanoseconds() / NS_PER_SECOND / _HOUR if command.HasField("duration") else 0.0
        if hours < 0:
            raise InvalidCommandError(f"duration must not be negative, and is {hours:g} hours")
        name = AlarmName(command.alarm_name, command.provider_name, command.group_name, command.source_object_reference)
        operator = Operator(
            command.operator_user, command.operator_node, command.operator_domain, command.operator_full_name
        )
        provider, payload = service.provider, reply.shelve_alarm
        is_by_attribute = provider is None or service.outbox.speaker is Speaker.ATTRIBUTES
        if provider is not None and not is_by_attribute:
            _call(payload, lambda: provider.shelve(name, hours, command.reason, operator))
            is_by_attribute = (payload.native_status, payload.provider_text) == NOT_FOR_THIS_PROVIDER
        if is_by_attribute:
            payload.Clear()
            self._shelve_by_attribute(name.source or name.name, shelve_command(hours, command.reason), payload)
        service.poll_soon()

    def _shelve_by_attribute(self, source: str, text: str, payload: pb.AcknowledgeAlarmReplyPayload) -> None:
        answers: list[Sequence[MxStatus]] = []
        try:
            self._service.attributes.write(f"{source}.AlarmShelveCmd", text, answers.append)
        except MxComError as error:
            _put(payload, Answer(-1, str(error)))
            payload.hresult = error.hresult
            return
        self._pump_until(lambda: bool(answers), self._clock.monotonic() + _WRITE_SECONDS)
        if not answers:
            _put(payload, Answer(-1, f"the write was not completed within {_WRITE_SECONDS:g} s"))
        elif not answers[0]:
            _put(payload, Answer(-1, "MXAccess refused the write"))
        else:
            status = answers[0][0]
            payload.status.CopyFrom(status.to_proto())
            if not status.is_success:
                _put(payload, Answer(-1, status.describe()))


def _name(alarm: pb.AcknowledgeAlarmByNameCommand) -> AlarmName:
    return AlarmName(alarm.alarm_name, alarm.provider_name, alarm.group_name, alarm.source_object_reference)


def _key(alarm: pb.AcknowledgeAlarmByNameCommand) -> str:
    return f"{alarm.provider_name}!{alarm.group_name}.{alarm.alarm_name}".casefold()


def _operator(alarm: pb.AcknowledgeAlarmByNameCommand) -> Operator:
    return Operator(alarm.operator_user, alarm.operator_node, alarm.operator_domain, alarm.operator_full_name)


def _call(payload: pb.AcknowledgeAlarmReplyPayload, call: Callable[[], Answer]) -> None:
    try:
        _put(payload, call())
    except ProviderError as error:
        _put(payload, Answer(-1, str(error)))
        if error.hresult is not None:
            payload.hresult = error.hresult


def _put(payload: pb.AcknowledgeAlarmReplyPayload, answer: Answer) -> None:
    payload.native_status, payload.provider_text = answer
