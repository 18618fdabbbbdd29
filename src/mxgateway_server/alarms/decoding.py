"""From a worker's messages to alarms, reports and snapshots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway_contract.filetime import NS_PER_SECOND
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.model import Alarm, AlarmSource, Kind, Mode, Origin, Provider, Report, Snapshot, State
from mxgateway_server.alarms.monitor import Speaker
from mxgateway_server.alarms.references import normal_guid, split_reference
from mxgateway_server.alarms.telling import Reason

AreaPath: TypeAlias = Callable[[str], tuple[str, ...]]
"""An area → itself and the areas around it, from the inside out."""

_STATES: dict[int, State] = {int(each): each for each in State}
_KINDS: dict[int, Kind] = {int(each): each for each in Kind}
_MODES: dict[int, Mode] = {int(each): each for each in Mode}
_ORIGINS: dict[int, Origin] = {int(each): each for each in Origin}
_PROVIDERS: dict[int, Provider] = {int(each): each for each in Provider}
_REASONS: dict[int, Reason] = {int(each): each for each in Reason}
# What a worker says that knows only the original's states.
_OLD_STATES = {
    pb.ALARM_CONDITION_STATE_ACTIVE: State.UNACK_ALM,
    pb.ALARM_CONDITION_STATE_ACTIVE_ACKED: State.ACK_ALM,
    pb.ALARM_CONDITION_STATE_INACTIVE: State.UNACK_RTN,
}
_FAR_SECONDS = 1 << 34
"""Well within the years that a Timestamp can tell."""
_MOST_SOURCES = 200_000
_MOST_TEXTS = 10_000


class AlarmDecoder:
    """Reads a worker's messages; alarms that come again share what does not change of them.

    Args:
        area_path: the Galaxy's tree of areas.
    """

    def __init__(self, area_path: AreaPath) -> None:
        self._area_path = area_path
        self._sources: dict[str, AlarmSource] = {}
        # A message makes every text anew; most of them are those of other alarms, too.
        self._texts: dict[str, str] = {}
        self._paths: dict[tuple[str, ...], tuple[str, ...]] = {}

    def forget_areas(self) -> None:
        """The Galaxy's tree of areas has changed."""
        self._sources.clear()
        self._paths.clear()

    def report(self, event: pb.OnAlarmTransitionEvent) -> Report:
        """What a transition says."""
        kind = _KINDS.get(event.transition_kind, Kind.UNKNOWN)
        origin = _ORIGINS.get(event.origin, Origin.LIVE)
        raw = event.raw_state
        if kind is Kind.UNKNOWN and not raw:
            raw = f"transition kind {event.transition_kind}"
        alarm = self._alarm(event, _STATES.get(event.state, State.UNKNOWN), raw)
        return Report(kind, alarm, origin)

    def snapshot(self, replies: Sequence[pb.QueryActiveAlarmsReplyPayload], watched: frozenset[str]) -> Snapshot:
        """The list out of its pages, which are of one cut.

        Args:
            watched: keys of the alarms whose attributes the worker was told to watch.
        """
        pages = ListPages(self)
        for reply in replies:
            pages.add(reply)
        return pages.snapshot(watched)

    def alarm(self, snapshot: pb.ActiveAlarmSnapshot) -> Alarm:
        """One alarm of a list."""
        state = _STATES.get(snapshot.state) or _OLD_STATES.get(snapshot.current_state, State.UNKNOWN)
        return self._alarm(snapshot, state, snapshot.raw_state)

    def _alarm(self, told: pb.OnAlarmTransitionEvent | pb.ActiveAlarmSnapshot, state: State, raw_state: str) -> Alarm:
        changed_ns = _ns(
            told.transition_timestamp if isinstance(told, pb.OnAlarmTransitionEvent) else told.last_transition_timestamp
        )
        shared, has, priority, guid = self._shared, told.HasField, told.severity, told.alarm_guid
        raised_ns = _ns(told.original_raise_timestamp) if has("original_raise_timestamp") else 0
        # In the order of its fields: by name they take three times as long.
        return Alarm(
            self._source(told),
            state,
            normal_guid(guid) if guid else "",
            told.guid_derived,
            (),
            # 0 is what the vendor maps to 1.
            priority if 1 <= priority <= 999 else min(max(priority, 1), 999),
            raised_ns,
            # Of an alarm that nobody has acknowledged yet the two are the same: one number less to keep.
            raised_ns if changed_ns == raised_ns else changed_ns,
            # Whether a time is there is sooner asked than what time it is.
            _ns(told.acknowledged_timestamp) if has("acknowledged_timestamp") else 0,
            _ns(told.cleared_timestamp) if has("cleared_timestamp") else 0,
            # What nobody has said need not be looked up.
            (text := told.operator_user) and shared(text),
            (text := told.operator_node) and shared(text),
            (text := told.operator_domain) and shared(text),
            (text := told.operator_full_name) and shared(text),
            told.operator_comment,
            (text := told.description) and shared(text),
            told.current_value.SerializeToString() if has("current_value") else b"",
            told.limit_value.SerializeToString() if has("limit_value") else b"",
            _MODES.get(told.mode, Mode.UNKNOWN),
            told.shelved,
            _ns(told.shelved_until) if has("shelved_until") else 0,
            told.shelve_user,
            told.shelve_node,
            told.shelve_reason,
            told.degraded,
            _PROVIDERS.get(told.source_provider, Provider.NONE),
            False,
            raw_state,
        )

    def _source(self, told: pb.OnAlarmTransitionEvent | pb.ActiveAlarmSnapshot) -> AlarmSource:
        reference = told.alarm_full_reference
        known = self._sources.get(reference)
        if (
            known is not None
            and known.object_reference == told.source_object_reference
            and known.type_name == told.alarm_type_name
            and known.alarm_class == told.alarm_class
            and known.area == told.category
        ):
            return known
        source = self._new_source(told)
        if len(self._sources) >= _MOST_SOURCES:
            self._sources.clear()
        if source.area == told.category and source.object_reference == told.source_object_reference:
            self._sources[source.reference] = source
        return source

    def _new_source(self, told: pb.OnAlarmTransitionEvent | pb.ActiveAlarmSnapshot) -> AlarmSource:
        parts = split_reference(told.alarm_full_reference)
        provider, group, name = parts or ("", "", told.alarm_full_reference)
        area = told.category or told.group_name or group
        name = told.alarm_name or name
        object_reference = told.source_object_reference or name
        path = tuple(told.area_path) or self._area_path(area)
        shared = self._shared
        return AlarmSource(
            reference=told.alarm_full_reference,
            provider=shared(told.provider_name or provider),
            group=shared(told.group_name or group),
            name=name,
            # Nearly always the same text.
            object_reference=name if object_reference == name else object_reference,
            type_name=shared(told.alarm_type_name),
            alarm_class=shared(told.alarm_class),
            area=shared(area),
            area_path=self._paths.setdefault(path, path),
        )

    def _shared(self, text: str) -> str:
        """The same text, once for all who have it."""
        known = self._texts.get(text)
        if known is not None:
            return known
        if len(self._texts) >= _MOST_TEXTS:
            self._texts.clear()
        self._texts[text] = text
        return text


def _ns(stamp: Timestamp) -> int:
    """As Timestamp's own ToNanoseconds, in half the time.

    Raises:
        ValueError: it is out of all bounds.
    """
    seconds, nanos = stamp.seconds, stamp.nanos
    if 0 <= nanos < NS_PER_SECOND and 0 <= seconds < _FAR_SECONDS:
        return seconds * NS_PER_SECOND + nanos
    return int(stamp.ToNanoseconds())


class ListPages:
    """The list as it comes, page after page of one cut."""

    def __init__(self, decoder: AlarmDecoder) -> None:
        self._decoder = decoder
        self._alarms: list[Alarm] = []
        self._last = pb.QueryActiveAlarmsReplyPayload()
        self._is_truncated = False

    def add(self, page: pb.QueryActiveAlarmsReplyPayload) -> None:
        self._alarms += map(self._decoder.alarm, page.snapshots)
        self._is_truncated = self._is_truncated or page.truncated
        self._last = page

    @property
    def poll(self) -> pb.AlarmPollReport:
        """How the worker's polls do, as its last page says."""
        return self._last.poll

    def snapshot(self, watched: frozenset[str]) -> Snapshot:
        """The whole list; see `AlarmDecoder.snapshot`."""
        last = self._last
        provider = _PROVIDERS.get(last.mode, Provider.NONE)
        is_by_attributes = provider is Provider.SUBTAG
        return Snapshot(
            alarms=tuple(self._alarms),
            provider=provider,
            as_of=last.as_of_worker_sequence,
            is_truncated=self._is_truncated,
            watched=watched if is_by_attributes else None,
            returned_are_visible=not (is_by_attributes and last.poll.returned_are_invisible),
        )


def speaker_of(event: pb.OnAlarmProviderModeChangedEvent) -> Speaker:
    """Who speaks from now on in the worker."""
    return Speaker(
        provider=_PROVIDERS.get(event.mode, Provider.NONE),
        is_forced=event.forced,
        reason=_REASONS.get(event.reason_code, Reason.NONE),
        text=event.reason,
        hresult=event.hresult if event.HasField("hresult") else None,
    )
