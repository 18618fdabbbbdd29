"""The plant's alarms through the gateway's monitor: watch, list, acknowledge, shelve, look back, figures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from mxgateway.alarm_feed import AlarmFeed
from mxgateway.alarm_model import Alarm, AlarmChange, AlarmChangeKind, AlarmOrigin, AlarmState, alarm_of
from mxgateway.alarm_position import AlarmPosition, position_message
from mxgateway.alarm_queue import AlarmOverflow
from mxgateway.alarm_results import AckResult, ShelveResult, ack_result, shelve_result
from mxgateway.alarm_tables import AlarmChanges, AlarmList
from mxgateway.correlation import next_correlation_id
from mxgateway.members import known
from mxgateway.values import to_timestamp
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway.calls import Calls


class Alarms:
    """The alarms of the plant; `client.alarms`. They belong to the gateway and need no session.

    Every method raises MxGatewayError: MxGatewayCommandError with the reason NO_ALARM_PROVIDER where the gateway has no
    alarms. What the plant says to an acknowledgement is in the results and never raised.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def watch(
        self,
        *,
        areas: Iterable[str] = (),
        include_sub_areas: bool = True,
        references: Iterable[str] = (),
        objects: Iterable[str] = (),
        priority: tuple[int, int] | None = None,
        states: Iterable[AlarmState | str] = (),
        text: str = "",
        exclude_shelved: bool = False,
        exclude_silenced: bool = False,
        after: AlarmPosition | tuple[str, int] | None = None,
        queue_size: int = 10_000,
        overflow: AlarmOverflow = AlarmOverflow.CONFLATE,
        reconnect: bool = True,
        patient: bool = False,
    ) -> AlarmFeed:
        """The list of alarms, kept up to date, and what happens to them; use it with `async with`.

        Args:
            areas: exact names, with the areas inside them unless `include_sub_areas` is False. Several are
                alternatives, as in the other lists; the arguments together narrow the choice.
            references: globs of full references (`*`, `?`, without case), likewise `objects` of object names.
            priority: first and last, 1 (most urgent) to 999.
            states: such as `AlarmState.UNACK_ALM` or its name.
            text: part of the reference, the description or the comment, without case.
            after: `position` of an earlier feed with the same filter: what has happened since comes first, and then
                AlarmsSynced with the list that it has come to; when that is not possible an AlarmGap says so.
            queue_size: changes that may wait for the consumer.
            overflow: what happens when more do.
            reconnect: False ends the feed with its error as soon as the stream breaks.
            patient: a gateway that cannot be reached at the start is waited for as later on; else that is an error.

        Raises:
            ValueError: a queue without room; a priority, state or position that there is not.
        """
        request = pb.StreamAlarmsRequest(
            client_correlation_id=next_correlation_id(),
            filter=alarm_filter(
                areas=areas,
                include_sub_areas=include_sub_areas,
                references=references,
                objects=objects,
                priority=priority,
                states=states,
                text=text,
                exclude_shelved=exclude_shelved,
                exclude_silenced=exclude_silenced,
            ),
            include_extended=True,
        )
        if after is not None:
            request.resume_after.CopyFrom(position_message(after))
        return AlarmFeed(
            self._calls, request, queue_size=queue_size, overflow=overflow, reconnect=reconnect, patient=patient
        )

    async def active(
        self,
        *,
        areas: Iterable[str] = (),
        include_sub_areas: bool = True,
        references: Iterable[str] = (),
        objects: Iterable[str] = (),
        priority: tuple[int, int] | None = None,
        states: Iterable[AlarmState | str] = (),
        text: str = "",
        exclude_shelved: bool = False,
        exclude_silenced: bool = False,
        limit: int = 0,
    ) -> AlarmList:
        """The list of alarms now, the most urgent first; the filter is that of `watch`.

        Args:
            limit: alarms at most; 0 for all.
        """
        request = pb.QueryActiveAlarmsRequest(
            client_correlation_id=next_correlation_id(),
            filter=alarm_filter(
                areas=areas,
                include_sub_areas=include_sub_areas,
                references=references,
                objects=objects,
                priority=priority,
                states=states,
                text=text,
                exclude_shelved=exclude_shelved,
                exclude_silenced=exclude_silenced,
            ),
            limit=limit,
            order=pb.ALARM_ORDER_PRIORITY,
        )
        async with self._calls.query_active_alarms(request) as stream:
            return AlarmList([alarm_of(each) async for each in stream])

    async def acknowledge(
        self,
        alarm: Alarm | str,
        comment: str = "",
        *,
        operator: str = "",
        expected_guid: str = "",
        wait: float = 3.0,
        correlation_id: str = "",
    ) -> AckResult:
        """Acknowledges one alarm.

        Args:
            alarm: an Alarm, whose occurrence is then the one that is meant: when another is there by now the outcome is
                SUPERSEDED and nothing is sent. Or a full reference, a GUID, or object and attribute.
            comment: 256 characters at most.
            operator: who does it; the gateway notes the API key beside.
            wait: seconds to wait until the change is seen; 0 for an answer as soon as the plant has taken it.
            correlation_id: give the same again to ask for the same acknowledgement once more: it is carried out once.

        Raises:
            MxGatewayError: it could not be asked for, or nobody knows what became of it.
        """
        request = _acknowledgement(alarm, comment, operator, expected_guid)
        request.client_correlation_id = correlation_id or next_correlation_id()
        request.wait_for_transition.CopyFrom(_duration(wait))
        return ack_result(await self._calls.acknowledge_alarm(request))

    async def acknowledge_many(
        self,
        alarms: Iterable[Alarm | str],
        comment: str = "",
        *,
        operator: str = "",
        wait: float = 3.0,
        dry_run: bool = False,
    ) -> list[AckResult]:
        """Acknowledges alarms one after the other, 1,000 at most; one that fails does not stop the others.

        Args:
            dry_run: only says what would be done.
        """
        request = pb.AcknowledgeAlarmsRequest(
            alarms=[_acknowledgement(alarm, "", "", "") for alarm in alarms],
            comment=comment,
            operator_user=operator,
            dry_run=dry_run,
            client_correlation_id=next_correlation_id(),
            wait_for_transition=_duration(wait),
        )
        return [ack_result(each) for each in (await self._calls.acknowledge_alarms(request)).results]

    async def acknowledge_raw(self, request: pb.AcknowledgeAlarmsRequest) -> pb.AcknowledgeAlarmsReply:
        """AcknowledgeAlarms with the generated messages; also for a filter with the number that it must match."""
        return await self._calls.acknowledge_alarms(request)

    async def shelve(
        self, alarms: Alarm | str | Iterable[Alarm | str], *, hours: float, reason: str, operator: str = ""
    ) -> list[ShelveResult]:
        """Shelves alarms for a time.

        Args:
            hours: until the shelving ends by itself; the gateway has a limit (8 unless it says otherwise).
            reason: 200 characters at most.
        """
        return await self._shelve(alarms, timedelta(hours=hours), reason, operator)

    async def unshelve(self, alarms: Alarm | str | Iterable[Alarm | str], *, operator: str = "") -> list[ShelveResult]:
        """Ends the shelving of alarms."""
        return await self._shelve(alarms, timedelta(0), "", operator)

    async def history(
        self,
        *,
        since: datetime | timedelta | None = None,
        until: datetime | None = None,
        areas: Iterable[str] = (),
        references: Iterable[str] = (),
        objects: Iterable[str] = (),
        priority: tuple[int, int] | None = None,
        kinds: Iterable[AlarmChangeKind] = (),
        operator: str = "",
        text: str = "",
        oldest_first: bool = False,
        limit: int = 1000,
    ) -> AlarmChanges:
        """Changes of the past.

        Args:
            since: a time, or how long ago; None for all that is kept.
            until: None for now.
            kinds: of the changes; none is all.
            operator: part of his name, without case.
            limit: changes in all; 0 for no limit.
        """
        request = pb.QueryAlarmHistoryRequest(
            client_correlation_id=next_correlation_id(),
            filter=alarm_filter(areas=areas, references=references, objects=objects, priority=priority, text=text),
            kinds=[pb.AlarmTransitionKind.ValueType(int(kind)) for kind in kinds],
            operator=operator,
            oldest_first=oldest_first,
            limit=limit,
        )
        if since is not None:
            moment = datetime.now(UTC) - since if isinstance(since, timedelta) else since
            request.from_time.CopyFrom(to_timestamp(moment))
        if until is not None:
            request.until_time.CopyFrom(to_timestamp(until))
        return AlarmChanges([change async for change in self._history(request)])

    async def statistics(
        self, *, window: timedelta = timedelta(days=1), areas: Iterable[str] = (), positions: Iterable[str] = ()
    ) -> pb.GetAlarmStatisticsReply:
        """Figures after EEMUA 191 and ISA-18.2: rates, floods, chattering, standing and stale alarms, times.

        Args:
            window: up to now.
            positions: operator's positions, as the gateway's settings name them; none is all.
        """
        request = pb.GetAlarmStatisticsRequest(
            client_correlation_id=next_correlation_id(),
            window=_duration(window.total_seconds()),
            filter=alarm_filter(areas=areas),
            positions=positions,
        )
        return await self._calls.alarm_statistics(request)

    async def status(self) -> pb.GetAlarmMonitorStatusReply:
        """How the gateway's alarm monitor is doing, and which of these calls it offers."""
        request = pb.GetAlarmMonitorStatusRequest(client_correlation_id=next_correlation_id())
        return await self._calls.alarm_monitor_status(request)

    async def _history(self, request: pb.QueryAlarmHistoryRequest) -> AsyncIterator[AlarmChange]:
        async with self._calls.query_alarm_history(request) as pages:
            async for page in pages:
                for event in page.changes:
                    yield AlarmChange(
                        known(AlarmChangeKind, event.transition_kind),
                        alarm_of(event),
                        None,
                        event.sequence,
                        known(AlarmOrigin, event.origin),
                    )

    async def _shelve(
        self, alarms: Alarm | str | Iterable[Alarm | str], duration: timedelta, reason: str, operator: str
    ) -> list[ShelveResult]:
        named = (alarms,) if isinstance(alarms, Alarm | str) else alarms
        request = pb.ShelveAlarmsRequest(
            client_correlation_id=next_correlation_id(),
            targets=[pb.AlarmTarget(alarm_full_reference=_name(alarm), expected_guid=_guid(alarm)) for alarm in named],
            duration=_duration(duration.total_seconds()),
            reason=reason,
            operator_user=operator,
            wait_for_transition=_duration(3.0),
        )
        return [shelve_result(each) for each in (await self._calls.shelve_alarms(request)).results]


def alarm_filter(
    *,
    areas: Iterable[str] = (),
    include_sub_areas: bool = True,
    references: Iterable[str] = (),
    objects: Iterable[str] = (),
    priority: tuple[int, int] | None = None,
    states: Iterable[AlarmState | str] = (),
    text: str = "",
    exclude_shelved: bool = False,
    exclude_silenced: bool = False,
) -> pb.AlarmFilter:
    """The generated filter.

    Raises:
        ValueError: a priority or a state that there is not.
    """
    found = pb.AlarmFilter(
        areas=areas,
        include_sub_areas=include_sub_areas,
        references=references,
        objects=objects,
        states=[_state(state) for state in states],
        text=text,
        exclude_shelved=exclude_shelved,
        exclude_silenced=exclude_silenced,
    )
    if priority is not None:
        first, last = priority
        if not 1 <= first <= last <= 999:
            raise ValueError(f"priority {first}-{last}: priorities go from 1, the most urgent, to 999")
        found.priority_min, found.priority_max = first, last
    return found


def _state(state: AlarmState | str) -> pb.AlarmState.ValueType:
    if isinstance(state, str):
        names = [each.name for each in AlarmState if each]
        if state.upper() not in names:
            raise ValueError(f"there is no alarm state {state!r}; states are {', '.join(names)}")
        state = AlarmState[state.upper()]
    return pb.AlarmState.ValueType(int(state))


def _acknowledgement(alarm: Alarm | str, comment: str, operator: str, expected_guid: str) -> pb.AcknowledgeAlarmRequest:
    return pb.AcknowledgeAlarmRequest(
        alarm_full_reference=_name(alarm),
        comment=comment,
        operator_user=operator,
        expected_guid=expected_guid or _guid(alarm),
    )


def _name(alarm: Alarm | str) -> str:
    return alarm.reference if isinstance(alarm, Alarm) else alarm


def _guid(alarm: Alarm | str) -> str:
    return alarm.guid if isinstance(alarm, Alarm) else ""


def _duration(seconds: float) -> Duration:
    found = Duration()
    found.FromTimedelta(timedelta(seconds=seconds))
    return found
