"""Acknowledging and shelving: who may, which occurrence is meant, what the provider says, and whether it came about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TypeVar

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.alarms.book import is_occurrence
from mxgateway_server.alarms.confirming import Confirmations, Expectation, Wanted
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.finding import find_alarm
from mxgateway_server.alarms.model import State
from mxgateway_server.alarms.rights import AlarmRights
from mxgateway_server.alarms.targets import (
    ACCEPTED,
    ALREADY,
    AMBIGUOUS,
    DENIED,
    DRY_RUN,
    NOT_FOUND,
    REFUSED,
    SUPERSEDED,
    TIMED_OUT,
    UNAVAILABLE,
    UNDECIDED,
    Shelving,
    Target,
    take_result,
    take_seen,
)
from mxgateway_server.errors import AlarmsUnavailableError, CommandTimeoutError, GatewayError

PORTION = 100
"""Alarms that go to the worker at once: polls and other calls run between."""
CALL_SECONDS = 30.0


class AlarmActions:
    """Carries out what callers may do to alarms."""

    def __init__(self, driver: AlarmDriver, confirmations: Confirmations, rights: AlarmRights) -> None:
        self._driver = driver
        self._book = driver.monitor.book
        self._confirmations = confirmations
        self._rights = rights

    async def acknowledge(
        self, targets: Sequence[Target], call: CallInfo, wait: float, *, is_dry_run: bool = False
    ) -> None:
        """Acknowledges alarms; each target gets its outcome, and one that fails does not stop the others.

        Args:
            wait: seconds that the changes may take to come; 0 for no wait.

        Raises:
            AlarmsUnavailableError: there is no provider now, and nothing was done.
        """
        self._driver.require_provider()
        for target in targets:
            self._find(target, call, "AckMsg")
            if target.is_open:
                self._judge_acknowledgement(target)
        if is_dry_run:
            _end_dry(targets)
            return
        wanted = [(target, Wanted.DISMISSED if target.dismiss else Wanted.ACKNOWLEDGED) for target in _open(targets)]
        expected = self._expect(wanted)
        try:
            for portion in _portions(_firsts(targets)):
                await self._send_acknowledgements(portion)
                self._end([each for each in expected if each[0].outcome not in (ACCEPTED, UNDECIDED)])
            await self._await_changes(expected, wait)
        finally:
            self._end(expected)
        _share_outcomes(targets)

    async def shelve(
        self, targets: Sequence[Target], call: CallInfo, shelving: Shelving, wait: float, *, is_dry_run: bool = False
    ) -> None:
        """Shelves alarms, or ends their shelving; see `acknowledge`."""
        self._driver.require_provider()
        is_shelving = shelving.seconds > 0
        for target in targets:
            self._find(target, call, "AlarmShelveCmd")
            if target.is_open and not is_shelving and target.alarm is not None and not target.alarm.is_shelved:
                target.decide(ALREADY, "the alarm is not shelved")
        if is_dry_run:
            _end_dry(targets)
            return
        wish = Wanted.SHELVED if is_shelving else Wanted.UNSHELVED
        expected = self._expect([(target, wish) for target in _open(targets)])
        try:
            for target in _firsts(targets):
                await self._send_shelving(target, shelving)
            await self._await_changes(expected, wait)
        finally:
            self._end(expected)
        _share_outcomes(targets)

    # ------------------------------------------------------------------------------------------------------------ judge

    def _find(self, target: Target, call: CallInfo, attribute: str) -> None:
        found = find_alarm(self._book, target.name, self._rights.viewer(call.caller))
        if found.alarm is None:
            if found.candidates:
                names = ", ".join(each.source.reference for each in found.candidates)
                target.decide(AMBIGUOUS, f"it may be any of these: {names}")
            elif found.successor is not None:
                target.alarm = found.successor
                target.decide(SUPERSEDED, "another occurrence of the alarm is there now")
            else:
                target.decide(NOT_FOUND, "no such alarm is in the list")
            return
        target.alarm = alarm = found.alarm
        denial = self._rights.denial(call.caller, alarm, attribute)
        if denial is not None:
            target.decide(DENIED, denial)
        elif not is_occurrence(alarm, target.guid, target.raised_ns):
            target.decide(SUPERSEDED, "another occurrence of the alarm is there now")

    @staticmethod
    def _judge_acknowledgement(target: Target) -> None:
        alarm = target.alarm
        assert alarm is not None
        if target.dismiss:
            if alarm.state is not State.LATCHED:
                target.decide(REFUSED, "only a latched alarm can be dismissed")
        elif alarm.state.is_acknowledged:
            target.decide(ALREADY, "the alarm is acknowledged already")

    # ------------------------------------------------------------------------------------------------------------- send

    async def _send_acknowledgements(self, portion: Sequence[Target]) -> None:
        if len(portion) == 1:
            command = pb.MxCommand(
                kind=pb.MX_COMMAND_KIND_ACKNOWLEDGE_ALARM_BY_NAME,
                acknowledge_alarm_by_name=_by_name(portion[0]),
            )
        else:
            many = pb.AcknowledgeAlarmsByNameCommand(alarms=[_by_name(target) for target in portion])
            command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_ACKNOWLEDGE_ALARMS_BY_NAME, acknowledge_alarms_by_name=many)
        reply = await self._call(command, portion)
        if reply is None:
            return
        many_results = reply.acknowledge_alarms_by_name.results
        results = [reply.acknowledge_alarm] if len(portion) == 1 else list(many_results)
        for target, result in zip(portion, results, strict=False):
            take_result(target, result)
        for target in portion[len(results) :]:
            target.decide(UNAVAILABLE, "the worker said nothing of this alarm")

    async def _send_shelving(self, target: Target, shelving: Shelving) -> None:
        alarm = target.alarm
        assert alarm is not None
        source, operator = alarm.source, target.operator
        shelve = pb.ShelveAlarmCommand(
            alarm_name=source.name,
            provider_name=source.provider,
            group_name=source.group,
            source_object_reference=source.object_reference,
            reason=shelving.reason,
            operator_user=operator.user,
            operator_node=operator.node,
            operator_domain=operator.domain,
            operator_full_name=operator.full_name,
        )
        shelve.duration.FromNanoseconds(int(shelving.seconds * 1e9))
        command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_SHELVE_ALARM, shelve_alarm=shelve)
        reply = await self._call(command, (target,))
        if reply is not None:
            take_result(target, reply.shelve_alarm)

    async def _call(self, command: pb.MxCommand, portion: Sequence[Target]) -> pb.MxCommandReply | None:
        """The worker's reply; None when it could not carry it out, and then each target says why."""
        try:
            reply = await self._driver.call(command, CALL_SECONDS)
        except CommandTimeoutError as error:
            outcome, text = TIMED_OUT, str(error)
        except (AlarmsUnavailableError, GatewayError) as error:
            outcome, text = UNAVAILABLE, str(error)
        else:
            if reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK:
                return reply
            outcome, text = REFUSED, reply.diagnostic_message or reply.protocol_status.message
            for target in portion:
                target.hresult = reply.hresult if reply.HasField("hresult") else None
        for target in portion:
            target.decide(outcome, text)
        return None

    # ------------------------------------------------------------------------------------------------------------- wait

    def _expect(self, wanted: Sequence[tuple[Target, Wanted]]) -> list[tuple[Target, Expectation]]:
        expected = []
        for target, wish in wanted:
            assert target.alarm is not None
            expected.append((target, self._confirmations.expect(target.alarm, wish)))
        return expected

    async def _await_changes(self, expected: Sequence[tuple[Target, Expectation]], wait: float) -> None:
        waiting = [each for target, each in expected if target.outcome == ACCEPTED and each.seen is None]
        if wait and waiting:
            left = len(waiting)
            done = asyncio.Event()

            def seen() -> None:
                nonlocal left
                left -= 1
                if not left:
                    done.set()

            for each in waiting:
                each.on_seen = seen
            try:
                async with asyncio.timeout(wait):
                    await done.wait()
            except TimeoutError:
                self._confirmations.unconfirmed += left
        for target, each in expected:
            if target.outcome == ACCEPTED and each.seen is not None:
                take_seen(target, each)

    def _end(self, expected: Sequence[tuple[Target, Expectation]]) -> None:
        for _, each in expected:
            self._confirmations.forget(each)


def _open(targets: Sequence[Target]) -> list[Target]:
    return [target for target in targets if target.is_open]


def _end_dry(targets: Sequence[Target]) -> None:
    for target in _open(targets):
        target.decide(DRY_RUN)


def _firsts(targets: Sequence[Target]) -> list[Target]:
    """The open ones, each alarm once."""
    firsts: dict[str, Target] = {}
    for target in _open(targets):
        assert target.alarm is not None
        firsts.setdefault(target.alarm.key, target)
    return list(firsts.values())


def _share_outcomes(targets: Sequence[Target]) -> None:
    """Who is named twice gets the answer of the first."""
    for target in _open(targets):
        alarm = target.alarm
        assert alarm is not None
        first = next(each for each in targets if each.alarm is not None and each.alarm.key == alarm.key)
        target.decide(first.outcome, first.text)
        target.native_status, target.hresult, target.status = first.native_status, first.hresult, first.status
        target.sequence, target.alarm = first.sequence, first.alarm


_T = TypeVar("_T")


def _portions(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), PORTION):
        yield items[start : start + PORTION]


def _by_name(target: Target) -> pb.AcknowledgeAlarmByNameCommand:
    assert target.alarm is not None
    source, operator = target.alarm.source, target.operator
    return pb.AcknowledgeAlarmByNameCommand(
        alarm_name=source.name,
        provider_name=source.provider,
        group_name=source.group,
        source_object_reference=source.object_reference,
        comment=target.comment,
        dismiss=target.dismiss,
        operator_user=operator.user,
        operator_node=operator.node,
        operator_domain=operator.domain,
        operator_full_name=operator.full_name,
    )
