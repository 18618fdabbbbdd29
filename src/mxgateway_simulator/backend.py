"""The simulator as a worker's backend: clocks, files and waiting around the model."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mxgateway_contract import hresults
from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import BackendInfo, Bell, EventSink
from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_protocol.contract import CLASS_ID, PROG_ID
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import Variant
from mxgateway_protocol.wakeup import Wakeup
from mxgateway_simulator.errors import OptionError, SimulatorError
from mxgateway_simulator.faults import CallFault, Faults
from mxgateway_simulator.lmx.fault_sink import FaultySink
from mxgateway_simulator.lmx.items import SUPERVISORY, USER
from mxgateway_simulator.lmx.model import LmxProxy
from mxgateway_simulator.lmx.users import UserDirectory
from mxgateway_simulator.places import board_path
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.entries import Key
from mxgateway_simulator.plant.galaxy_file import GalaxyFile
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.switches import PROFILES, Switches
from mxgateway_simulator.watch import Watch, open_watch
from mxgateway_simulator.watch.turns import EVERYTHING, Turn

if TYPE_CHECKING:
    # Loaded by those workers only that watch alarms.
    from mxgateway_protocol.alarms.provider import AlarmProvider
    from mxgateway_simulator.alarm_manager import AlarmManager

POLL_SECONDS = 0.025
"""How often board and Galaxy are looked at while something is advised and nobody tells of their changes; where somebody
does, the least time between two looks."""

_ASK_SECONDS = 0.05
# The kernel may tell of a change before the database shows it.
_AGAIN_SECONDS = 0.03
_IDLE_SECONDS = 60.0
_CLOCK_SET_NS = 500_000_000
_OPTIONS = ("galaxy", "board", "profile")


def create_backend(options: Mapping[str, str]) -> SimulatorBackend:
    """The simulator for a worker.

    Options: `galaxy` (path of the database, required), `board` (path; default beside the Galaxy), `profile` (`test` or
    `realistic`), `switch.NAME` (see docs/simulator-switches.md) and `fault.NAME` (`key=value,…`).

    Raises:
        OptionError: an option is missing, unknown, or has a value that it does not take.
    """
    known = [name for name in options if name in _OPTIONS or name.startswith(("switch.", "fault."))]
    unknown = set(options) - set(known)
    if unknown:
        raise OptionError(
            f"the simulator has no option {', '.join(sorted(unknown))};"
            f" it has {', '.join(_OPTIONS)}, switch.NAME and fault.NAME"
        )
    if not options.get("galaxy"):
        raise OptionError(
            "the simulator needs the option galaxy: the path of a database made by mxgateway galaxy build",
            is_missing=True,
        )
    profile = options.get("profile", "")
    if profile and profile not in PROFILES:
        raise OptionError(f"profile {profile!r} is none of {', '.join(PROFILES)}")
    switches = {name[7:]: value for name, value in options.items() if name.startswith("switch.")}
    Switches.parse(switches)
    faults = Faults()
    _set_faults(faults, options)
    galaxy = Path(options["galaxy"])
    board = Path(options.get("board") or board_path(galaxy))
    return SimulatorBackend(galaxy=galaxy, board=board, profile=profile, switches=switches, faults=faults)


def _set_faults(faults: Faults, settings: Mapping[str, str]) -> None:
    """Sets the faults among settings, `fault.NAME` = `key=value,…`."""
    for name, text in settings.items():
        if name.startswith("fault."):
            pairs = [pair.partition("=") for pair in text.split(",") if pair]
            try:
                faults.set(name[6:], {key.strip(): value for key, _, value in pairs})
            except ValueError as error:
                raise OptionError(str(error)) from None


class SimulatorBackend:
    """Implements `mxgateway_protocol.backend.Backend` on the model."""

    def __init__(
        self,
        galaxy: Path,
        board: Path,
        profile: str,
        switches: Mapping[str, str],
        faults: Faults,
        clock: Clock | None = None,
    ) -> None:
        self._galaxy_path = galaxy
        self._board_path = board
        self._profile = profile
        self._switches = switches
        self._faults = faults
        self._clock = clock or SystemClock()
        self._woken = Wakeup()
        self._galaxy: GalaxyFile | None = None
        self._board: Board | None = None
        self._galaxy_version = 0
        self._watch: Watch | None = None
        self._turn: Turn | None = None
        self._last_look = self._asked = float("-inf")
        self._look_again = False
        self._offset_ns = 0
        self._sink: EventSink | None = None
        self._faulty_sink: FaultySink | None = None
        self._model: LmxProxy | None = None
        self._alarm_manager: AlarmManager | None = None

    @property
    def info(self) -> BackendInfo:
        return BackendInfo("simulator", PROG_ID, CLASS_ID)

    # ------------------------------------------------------------------------------------------------------------- life

    def open(self, sink: EventSink) -> None:
        """Opens Galaxy and board; what is wrong with them is E_FAIL with the reason as text.

        Raises:
            OptionError: the session's switches do not go with the Galaxy's.
        """
        try:
            galaxy = self._galaxy = GalaxyFile(self._galaxy_path)
            self._galaxy_version = galaxy.data_version()
            configured = {name[7:]: value for name, value in galaxy.settings.items() if name.startswith("switch.")}
            switches = Switches.parse(PROFILES.get(self._profile, {}), Switches.parse(configured))
            _set_faults(self._faults, galaxy.settings)
            self._board = Board(self._board_path, galaxy.settings.get("build_id", ""))
            directory = UserDirectory(galaxy.settings.get("security", "none"), galaxy.users())
        except SimulatorError as error:
            self.close()
            raise MxComError(hresults.E_FAIL, str(error)) from error
        try:
            switches = Switches.parse(self._switches, switches)
        except OptionError:
            self.close()
            raise
        self._sink = sink
        self._faulty_sink = FaultySink(sink, self._faults)
        shown = self._faulty_sink if self._faults.concern_events else sink
        self._model = LmxProxy(Plant(galaxy, self._board, switches), directory, shown)
        self._set_clock()

    @property
    def opens_once(self) -> bool:
        return False

    @property
    def is_passive(self) -> bool:
        return True

    def ring_through(self, bell: Bell) -> None:
        """From now on is woken by changes of board and Galaxy, in place of asking for them."""
        self._watch = open_watch(self._board_path, self._galaxy_path, bell)
        self._turn = Turn(self._board_path)
        self._lmx.use_turn(self._turn.delay_ns)

    def close(self, deadline: float | None = None) -> None:
        self._model = None
        if self._alarm_manager is not None:
            self._alarm_manager.close()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._turn is not None:
            self._turn.close()
            self._turn = None
        if self._board is not None:
            self._board.close()
            self._board = None
        if self._galaxy is not None:
            self._galaxy.close()
            self._galaxy = None

    def alarm_provider(self) -> AlarmProvider:
        """The consumer of the plant's alarm manager."""
        from mxgateway_simulator.alarm_manager import AlarmManager

        manager = AlarmManager(lambda: self._lmx.tags, self._now, self._look_now, self._faults, self._woken.wait)
        self._alarm_manager = manager
        return manager

    def _look_now(self, keys: set[Key] | None = None) -> None:
        """Takes up what others have changed, and shows the session's own items what the alarm manager changed."""
        model, now = self._lmx, self._now()
        self._look(model, now, self._clock.monotonic())
        if keys:
            model.board_changed(keys, now)

    @property
    def _is_idle(self) -> bool:
        """Whether nobody looks at the plant."""
        return self._lmx.is_idle and (self._alarm_manager is None or not self._alarm_manager.is_open)

    def wait(self, timeout: float) -> None:
        self._woken.wait(timeout)

    def wake(self) -> None:
        self._woken.set()

    # ------------------------------------------------------------------------------------------------------------- time

    def _set_clock(self) -> None:
        self._offset_ns = self._clock.unix_ns() - round(self._clock.monotonic() * 1e9)

    def _now(self) -> int:
        """The wall clock's time, but never backwards in small steps; a big step moves everything that is due along."""
        now = round(self._clock.monotonic() * 1e9) + self._offset_ns
        drift = self._clock.unix_ns() - now
        if abs(drift) > _CLOCK_SET_NS:
            self._offset_ns += drift
            now += drift
            self._lmx.time_jumped(drift)
        return now

    @property
    def _lmx(self) -> LmxProxy:
        assert self._model is not None, "the backend is not open"
        return self._model

    def pump(self) -> float:
        model = self._lmx
        now = self._now()
        if not self._is_idle:
            moment = self._clock.monotonic()
            if self._watch is not None and moment - self._asked >= _ASK_SECONDS:
                # An executor that never waits is rung for in vain.
                self._asked = moment
                self._watch.ask()
            if moment >= self._due_look():
                self._look(model, now, moment)
        due = model.pump(now)
        if self._turn is not None and self._board is not None:
            # Who has nothing advised looks before each call, and is never behind.
            self._turn.saw(EVERYTHING if model.is_idle else self._board.sequence)
        if due is not None and due <= now:
            return 0.0
        wait = _IDLE_SECONDS if due is None else (due - now) / 1e9
        if not self._is_idle:
            wait = min(wait, max(0.0, self._due_look() - self._clock.monotonic()))
        return wait

    # Board and Galaxy.

    def _due_look(self) -> float:
        """When they must be looked at, on the monotonic clock."""
        watch = self._watch
        if watch is None or watch.has_rung:
            return self._last_look + POLL_SECONDS
        return self._last_look + (_AGAIN_SECONDS if self._look_again else watch.period)

    def _look(self, model: LmxProxy, now: int, moment: float) -> None:
        has_rung = self._watch is not None and self._watch.has_rung
        self._last_look = moment
        if self._watch is not None:
            self._watch.arm()
        assert self._board is not None
        assert self._galaxy is not None
        keys = self._board.poll()
        if keys:
            model.board_changed(keys, now)
        version = self._galaxy.data_version()
        is_other = version != self._galaxy_version
        if is_other:
            self._galaxy_version = version
            model.galaxy_changed(now)
        self._look_again = has_rung and not keys and not is_other

    def _call(self, method: str) -> LmxProxy:
        """The model, after the faults that a call meets."""
        if self._faults.calls:
            fault = self._faults.strike(method)
            if fault is not None:
                self._suffer(fault)
        model = self._lmx
        assert self._board is not None
        if method != "register" and (model.is_idle or self._board.is_behind):
            # What others changed before this call began, it sees. While nothing is advised nobody looks but here.
            try:
                moment = self._clock.monotonic()
                if self._board.is_behind or moment - self._last_look >= POLL_SECONDS:
                    self._look(model, self._now(), moment)
            except (SimulatorError, sqlite3.Error) as error:
                raise MxComError(hresults.E_FAIL, str(error)) from error
        return model

    @staticmethod
    def _suffer(fault: CallFault) -> None:
        if fault.hresult:
            raise MxComError(fault.hresult, "made to fail for a test")
        # As a hung COM call does, this one can only be ended from outside the process.
        threading.Event().wait(fault.seconds)

    def inject_fault(self, fault: str, parameters: Mapping[str, str]) -> None:
        """Sets a fault of the simulator; see faults.py for names and parameters.

        Raises:
            ValueError: no such fault, or a parameter that it does not take.
        """
        self._faults.set(fault, parameters)
        if self._faults.concern_events and self._model is not None and self._faulty_sink is not None:
            self._model.use_sink(self._faulty_sink)

    # --------------------------------------------------------------------------------------------------- LMXProxyServer

    def register(self, client_name: str) -> int:
        return self._call("register").register(client_name)

    def unregister(self, server_handle: int) -> None:
        self._call("unregister").unregister(server_handle)

    def add_item(self, server_handle: int, item_definition: str) -> int:
        return self._call("add_item").add_item(server_handle, item_definition)

    def add_item2(self, server_handle: int, item_definition: str, item_context: str) -> int:
        return self._call("add_item2").add_item(server_handle, item_definition, item_context)

    def remove_item(self, server_handle: int, item_handle: int) -> None:
        self._call("remove_item").remove_item(server_handle, item_handle)

    def advise(self, server_handle: int, item_handle: int) -> None:
        self._call("advise").advise(server_handle, item_handle, USER, self._now())

    def un_advise(self, server_handle: int, item_handle: int) -> None:
        self._call("un_advise").un_advise(server_handle, item_handle)
        if self._faults.late_events and self._faulty_sink is not None:
            self._faulty_sink.replay(server_handle, item_handle)

    def advise_supervisory(self, server_handle: int, item_handle: int) -> None:
        self._call("advise_supervisory").advise(server_handle, item_handle, SUPERVISORY, self._now())

    def write(self, server_handle: int, item_handle: int, value: Variant, user_id: int) -> None:
        self._call("write").write(server_handle, item_handle, value, user_id, self._now())

    def write2(self, server_handle: int, item_handle: int, value: Variant, time: Variant, user_id: int) -> None:
        self._call("write2").write(server_handle, item_handle, value, user_id, self._now(), time)

    def write_secured(
        self, server_handle: int, item_handle: int, current_user_id: int, verifier_user_id: int, value: Variant
    ) -> None:
        model = self._call("write_secured")
        model.write_secured(server_handle, item_handle, current_user_id, verifier_user_id, value, self._now())

    def write_secured2(
        self,
        server_handle: int,
        item_handle: int,
        current_user_id: int,
        verifier_user_id: int,
        value: Variant,
        time: Variant,
    ) -> None:
        model = self._call("write_secured2")
        model.write_secured(server_handle, item_handle, current_user_id, verifier_user_id, value, self._now(), time)

    def authenticate_user(self, server_handle: int, user: str, password: str) -> int:
        return self._call("authenticate_user").authenticate_user(server_handle, user, password)

    def archestra_user_to_id(self, server_handle: int, user_guid: str) -> int:
        return self._call("archestra_user_to_id").archestra_user_to_id(server_handle, user_guid)

    def suspend(self, server_handle: int, item_handle: int) -> MxStatus:
        return self._call("suspend").suspend(server_handle, item_handle, self._now())

    def activate(self, server_handle: int, item_handle: int) -> MxStatus:
        return self._call("activate").activate(server_handle, item_handle, self._now())

    def add_buffered_item(self, server_handle: int, item_definition: str, item_context: str) -> int:
        model = self._call("add_buffered_item")
        return model.add_buffered_item(server_handle, item_definition, item_context, self._now())

    def set_buffered_update_interval(self, server_handle: int, interval_ms: int) -> None:
        self._call("set_buffered_update_interval").set_buffered_update_interval(server_handle, interval_ms)
