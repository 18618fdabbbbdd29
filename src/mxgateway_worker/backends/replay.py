"""A recording played as a Galaxy: what was recorded is what can be advised, at real speed or scaled.

The recording starts when the backend opens. An advised item gets the value of the present moment, then what follows.
Values cannot be written; users are not checked.
"""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mxgateway_contract import hresults
from mxgateway_contract.filetime import NS_PER_SECOND as NS
from mxgateway_contract.quality import BAD_CONFIGURATION_ERROR, INITIALIZING
from mxgateway_contract.status import OK, PENDING, Category, Detail, MxStatus, Source
from mxgateway_protocol.backend import BackendInfo, EventSink, Sample
from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_protocol.contract import CLASS_ID, PROG_ID
from mxgateway_protocol.errors import BackendOptionError, MxComError
from mxgateway_protocol.variants import EMPTY, Variant, VarType
from mxgateway_protocol.wakeup import Wakeup
from mxgateway_worker.backends import recording_file
from mxgateway_worker.backends.recording_file import Moment, Recording, RecordingError

_GOOD = (OK,)
_UNRESOLVED = (MxStatus(0, Category.CONFIGURATION_ERROR, Source.RESPONDING_LMX, Detail.INVALID_REFERENCE),)
_NOT_YET = (MxStatus(-1, Category.PENDING, Source.RESPONDING_LMX, Detail.RESOLVING_ATTRIBUTE),)
_READ_ONLY = (MxStatus(0, Category.OPERATIONAL_ERROR, Source.RESPONDING_AUTOMATION_OBJECT, Detail.NOT_WRITEABLE),)
_NOT_ADVISED = MxStatus(0, Category.CONFIGURATION_ERROR, Source.REQUESTING_LMX, Detail.SUCCESS)
_IDLE_SECONDS = 1.0
_SHORTEST_LOOP_NS = NS
_OPTIONS = ("file", "speed", "loop", "times")


def create_backend(options: Mapping[str, str]) -> ReplayBackend:
    """The replay for a worker.

    Options: `file` (CSV or Parquet, required), `speed` (factor, default 1), `loop` (true or false, default false),
    `times` (`recorded`, the default, or `now`: source times as if it happened while it is played).

    Raises:
        BackendOptionError: an option is missing, unknown or wrong.
    """
    unknown = set(options) - set(_OPTIONS)
    if unknown:
        raise BackendOptionError(f"replay has no option {', '.join(sorted(unknown))}; it has {', '.join(_OPTIONS)}")
    if not options.get("file"):
        raise BackendOptionError(
            "replay needs the option file: the path of a recording in CSV or Parquet", is_missing=True
        )
    try:
        speed = float(options.get("speed", "1"))
    except ValueError:
        speed = 0.0
    if not (speed > 0 and math.isfinite(speed)):
        raise BackendOptionError(f"option speed is a factor above 0, not {options['speed']!r}")
    loop, times = options.get("loop", "false").lower(), options.get("times", "recorded")
    if loop not in ("true", "false"):
        raise BackendOptionError(f"option loop is true or false, not {loop!r}")
    if times not in ("recorded", "now"):
        raise BackendOptionError(f"option times is recorded or now, not {times!r}")
    return ReplayBackend(Path(options["file"]), speed=speed, loop=loop == "true", shift_times=times == "now")


@dataclass(slots=True)
class _Item:
    reference: str
    is_buffered: bool = False
    is_advised: bool = False
    is_suspended: bool = False
    is_resolved: bool = False
    is_removed: bool = False
    # Counts up with each advise, so that what was scheduled before means nothing.
    life: int = 0


@dataclass(slots=True)
class _Server:
    items: dict[int, _Item] = field(default_factory=dict)
    next_item: int = 1
    has_user: bool = False


class ReplayBackend:
    """Implements `mxgateway_protocol.backend.Backend` on a recording.

    Args:
        speed: seconds of the recording in one second.
        loop: whether it starts again after its end.
        shift_times: whether source times are those of the playing instead of the recorded ones.
    """

    def __init__(
        self,
        file: Path,
        *,
        speed: float = 1.0,
        loop: bool = False,
        shift_times: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._file = file
        self._speed = speed
        self._loop = loop
        self._shift_times = shift_times
        self._clock = clock or SystemClock()
        self._woken = Wakeup()
        self._recording = Recording()
        self._sink: EventSink | None = None
        self._began = 0.0
        self._began_unix_ns = 0
        self._span_ns = 0
        self._servers: dict[int, _Server] = {}
        self._next_server = 1
        # (when, number, server handle, item handle, life, round of the recording, position in the series)
        self._due: list[tuple[float, int, int, int, int, int, int]] = []
        self._numbers = 0
        # (item, what completes for it); nothing does once the item is removed.
        self._completions: list[tuple[_Item, Callable[[EventSink], None]]] = []

    @property
    def info(self) -> BackendInfo:
        return BackendInfo("replay", PROG_ID, CLASS_ID)

    # ---------------------------------------------------------------------------------------------------------- life

    def open(self, sink: EventSink) -> None:
        """Reads the recording; what is wrong with it is E_FAIL with the reason as text."""
        try:
            self._recording = recording_file.read(self._file)
        except RecordingError as error:
            raise MxComError(hresults.E_FAIL, str(error)) from error
        self._sink = sink
        self._began = self._clock.monotonic()
        self._began_unix_ns = self._clock.unix_ns()
        self._span_ns = max(self._recording.end_ns - self._recording.start_ns, _SHORTEST_LOOP_NS)

    @property
    def opens_once(self) -> bool:
        return False

    @property
    def is_passive(self) -> bool:
        return True

    def close(self, deadline: float | None = None) -> None:
        self._due.clear()
        self._servers.clear()

    def wait(self, timeout: float) -> None:
        self._woken.wait(timeout)

    def wake(self) -> None:
        self._woken.set()

    # ------------------------------------------------------------------------------------------------------- playing

    def _now_position(self) -> tuple[int, int]:
        """Round of the recording, and nanoseconds since its start."""
        passed = round((self._clock.monotonic() - self._began) * self._speed * NS)
        return divmod(passed, self._span_ns) if self._loop else (0, passed)

    def _when(self, turn: int, moment: Moment) -> float:
        """The monotonic time at which a moment of the recording is played."""
        passed = turn * self._span_ns + moment.time_ns - self._recording.start_ns
        return self._began + passed / NS / self._speed

    def _source_ns(self, turn: int, moment: Moment) -> int:
        if not self._shift_times:
            return moment.time_ns
        return self._began_unix_ns + round((self._when(turn, moment) - self._began) * NS)

    def pump(self) -> float:
        assert self._sink is not None
        completions, self._completions = self._completions, []
        for finished, complete in completions:
            if not finished.is_removed:
                complete(self._sink)
        now = self._clock.monotonic()
        due = self._due
        while due and due[0][0] <= now:
            _, _, server_handle, item_handle, life, turn, position = heapq.heappop(due)
            server = self._servers.get(server_handle)
            item = server.items.get(item_handle) if server is not None else None
            if item is not None and item.life == life and item.is_advised:
                self._play(server_handle, item_handle, item, turn, position)
        return min(_IDLE_SECONDS, max(0.0, due[0][0] - now)) if due else _IDLE_SECONDS

    def _play(self, server_handle: int, item_handle: int, item: _Item, turn: int, position: int) -> None:
        """Delivers one position of an item's series, -1 for "nothing yet", and schedules the next."""
        assert self._sink is not None
        series = self._recording.series.get(item.reference.casefold())
        if series is None:
            now_ns = self._clock.unix_ns()
            if item.is_buffered:
                sample = Sample(EMPTY, BAD_CONFIGURATION_ERROR, now_ns)
                self._sink.on_buffered_data_change(server_handle, item_handle, EMPTY.data_type, [sample], _UNRESOLVED)
            else:
                self._sink.on_data_change(
                    server_handle, item_handle, EMPTY, BAD_CONFIGURATION_ERROR, now_ns, _UNRESOLVED
                )
            return
        if not item.is_suspended:
            self._deliver(server_handle, item_handle, item, turn, series[position] if position >= 0 else None)
        following = position + 1
        if following >= len(series):
            if not self._loop:
                return
            turn, following = turn + 1, 0
        self._schedule(self._when(turn, series[following]), server_handle, item_handle, item, turn, following)

    def _deliver(self, server_handle: int, item_handle: int, item: _Item, turn: int, moment: Moment | None) -> None:
        assert self._sink is not None
        if moment is None:
            if not item.is_buffered:
                self._sink.on_data_change(
                    server_handle, item_handle, EMPTY, INITIALIZING, self._clock.unix_ns(), _NOT_YET
                )
            return
        source_ns = self._source_ns(turn, moment)
        if item.is_buffered:
            sample = Sample(moment.value, moment.quality, source_ns)
            self._sink.on_buffered_data_change(server_handle, item_handle, moment.value.data_type, [sample], _GOOD)
            return
        item.is_resolved = True
        self._sink.on_data_change(server_handle, item_handle, moment.value, moment.quality, source_ns, _GOOD)

    def _schedule(
        self, when: float, server_handle: int, item_handle: int, item: _Item, turn: int, position: int
    ) -> None:
        self._numbers += 1
        heapq.heappush(self._due, (when, self._numbers, server_handle, item_handle, item.life, turn, position))

    def _start(self, server_handle: int, item_handle: int, item: _Item) -> None:
        """Schedules an item's present value for the next pump."""
        item.life += 1
        turn, passed = self._now_position()
        series = self._recording.series.get(item.reference.casefold(), [])
        at = self._recording.start_ns + passed
        position = bisect.bisect_right(series, at, key=lambda moment: moment.time_ns) - 1
        if position < 0 and turn > 0:
            # What the tag had at the end of the round before.
            turn, position = turn - 1, len(series) - 1
        self._schedule(self._clock.monotonic(), server_handle, item_handle, item, turn, position)

    # ------------------------------------------------------------------------------------------------------- methods

    def _server(self, server_handle: int) -> _Server:
        server = self._servers.get(server_handle)
        if server is None:
            raise MxComError(hresults.E_INVALIDARG, f"no server handle {server_handle}")
        return server

    def _item(self, server_handle: int, item_handle: int) -> _Item:
        item = self._server(server_handle).items.get(item_handle)
        if item is None:
            raise MxComError(hresults.E_INVALIDARG, f"no item handle {item_handle}")
        return item

    def _add(self, server_handle: int, item: _Item) -> int:
        server = self._server(server_handle)
        handle = server.next_item
        server.next_item += 1
        server.items[handle] = item
        return handle

    def register(self, client_name: str) -> int:
        if not client_name:
            raise MxComError(hresults.E_INVALIDARG, "an empty client name")
        handle = self._next_server
        self._next_server += 1
        self._servers[handle] = _Server()
        return handle

    def unregister(self, server_handle: int) -> None:
        for item in self._server(server_handle).items.values():
            item.is_removed = True
        del self._servers[server_handle]

    def add_item(self, server_handle: int, item_definition: str) -> int:
        return self._add(server_handle, _Item(item_definition))

    def add_item2(self, server_handle: int, item_definition: str, item_context: str) -> int:
        return self.add_item(server_handle, item_definition)

    def remove_item(self, server_handle: int, item_handle: int) -> None:
        self._item(server_handle, item_handle).is_removed = True
        del self._servers[server_handle].items[item_handle]

    def advise(self, server_handle: int, item_handle: int) -> None:
        item = self._item(server_handle, item_handle)
        if not item.is_advised:
            item.is_advised = True
            self._start(server_handle, item_handle, item)

    def advise_supervisory(self, server_handle: int, item_handle: int) -> None:
        self.advise(server_handle, item_handle)

    def un_advise(self, server_handle: int, item_handle: int) -> None:
        item = self._item(server_handle, item_handle)
        item.is_advised = item.is_resolved = item.is_suspended = False

    def _writeable(self, server_handle: int, item_handle: int, value: Variant) -> _Item:
        item = self._item(server_handle, item_handle)
        if not item.is_advised or not item.is_resolved or value.vartype in (VarType.VT_EMPTY, VarType.VT_NULL):
            raise MxComError(hresults.E_INVALIDARG, "Value does not fall within the expected range.")
        return item

    def write(self, server_handle: int, item_handle: int, value: Variant, user_id: int) -> None:
        item = self._writeable(server_handle, item_handle, value)
        self._completions.append((item, lambda sink: sink.on_write_complete(server_handle, item_handle, _READ_ONLY)))

    def write2(self, server_handle: int, item_handle: int, value: Variant, time: Variant, user_id: int) -> None:
        self.write(server_handle, item_handle, value, user_id)

    def write_secured(
        self, server_handle: int, item_handle: int, current_user_id: int, verifier_user_id: int, value: Variant
    ) -> None:
        self._writeable(server_handle, item_handle, value)
        if not self._server(server_handle).has_user:
            raise MxComError(hresults.E_SECURED_WRITE_REFUSED, "no user is authenticated on this server handle")
        self.write(server_handle, item_handle, value, current_user_id)

    def write_secured2(
        self,
        server_handle: int,
        item_handle: int,
        current_user_id: int,
        verifier_user_id: int,
        value: Variant,
        time: Variant,
    ) -> None:
        self.write_secured(server_handle, item_handle, current_user_id, verifier_user_id, value)

    def authenticate_user(self, server_handle: int, user: str, password: str) -> int:
        # As a Galaxy without security answers anyone.
        self._server(server_handle).has_user = True
        return 1

    def archestra_user_to_id(self, server_handle: int, user_guid: str) -> int:
        return self.authenticate_user(server_handle, user_guid, "")

    def suspend(self, server_handle: int, item_handle: int) -> MxStatus:
        item = self._item(server_handle, item_handle)
        if not item.is_advised:
            return _NOT_ADVISED
        if item.is_suspended:
            return OK
        item.is_suspended = True
        self._complete(server_handle, item_handle, item)
        return PENDING

    def activate(self, server_handle: int, item_handle: int) -> MxStatus:
        item = self._item(server_handle, item_handle)
        if not item.is_suspended:
            return OK
        item.is_suspended = False
        self._complete(server_handle, item_handle, item)
        self._start(server_handle, item_handle, item)
        return PENDING

    def _complete(self, server_handle: int, item_handle: int, item: _Item) -> None:
        self._completions.append((item, lambda sink: sink.operation_complete(server_handle, item_handle, _GOOD)))

    def add_buffered_item(self, server_handle: int, item_definition: str, item_context: str) -> int:
        item = _Item(item_definition, is_buffered=True, is_advised=True)
        handle = self._add(server_handle, item)
        self._start(server_handle, handle, item)
        return handle

    def set_buffered_update_interval(self, server_handle: int, interval_ms: int) -> None:
        self._server(server_handle)
        if interval_ms <= 0:
            raise MxComError(hresults.E_INVALIDARG, "the interval must be greater than 0")

    def inject_fault(self, fault: str, parameters: Mapping[str, str]) -> None:
        raise ValueError(f"a recording has no faults, so not {fault!r} either")
