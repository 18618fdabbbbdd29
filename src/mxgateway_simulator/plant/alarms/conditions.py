"""The condition of one alarm, followed through time: when it was there, when it is there next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mxgateway_simulator.plant.alarms.forcing import Forcing
from mxgateway_simulator.plant.alarms.judging import Judge
from mxgateway_simulator.plant.alarms.kinds import AlarmKind, Test
from mxgateway_simulator.plant.alarms.settings import Setting
from mxgateway_simulator.plant.alarms.sources import AnchorSource
from mxgateway_simulator.plant.alarms.states import Run
from mxgateway_simulator.plant.alarms.tracking import Delay, Look, Track, followed
from mxgateway_simulator.plant.board import Board, Edit
from mxgateway_simulator.plant.entries import TRACK, VALUE, Key
from mxgateway_simulator.plant.plant import STEPS_KEPT
from mxgateway_simulator.plant.signals import seed_of
from mxgateway_simulator.switches import Switches

_SECOND = 10**9
_LAG_NS = 2 * _SECOND
"""A change of the board is told late by so much at most; what is older than that is settled."""
_GAP_NS = 60 * _SECOND
_PERIODS_BACK = 60


class Condition:
    """Follows the condition of one alarm.

    Args:
        key: the alarm's name in lower case.
        settings: see `Judge`.
        places: see `Forcing`.
    """

    __slots__ = ("_board", "_forcing", "_settled", "_stamps_first", "_stored", "judge", "key", "seed", "source")

    def __init__(
        self,
        board: Board,
        switches: Switches,
        key: str,
        kind: AlarmKind,
        source: AnchorSource,
        settings: Mapping[str, Setting],
        places: Sequence[str],
    ) -> None:
        self._board = board
        self.key = key
        self.source = source
        self.seed = seed_of(key)
        self.judge = Judge(board, switches, kind, source, settings)
        self._forcing = Forcing(board, key, self.seed, places)
        self._stamps_first = switches.time_deadband_stamp == "first"
        self._settled: Track | None = None
        self._stored: Track | None = None

    @property
    def keys(self) -> frozenset[Key]:
        """Entries of the board that bear on it."""
        settings = {(VALUE, setting.name) for setting in self.judge.settings.values()}
        return frozenset({(TRACK, self.key)} | settings | self.source.tag.keys | self._forcing.keys)

    # ----------------------------------------------------------------------------------------------------------- seeing

    def run(self, t_ns: int) -> tuple[Run, int]:
        """The present or last run, and the first time after it at which it may change by itself."""
        simple = self._simple_run(t_ns)
        if simple is not None:
            return simple
        track = self.track(t_ns)
        following = min(self.source.next_ns(t_ns), self.judge.next_ns(t_ns))
        for start, end, _ in self._forcing.windows():
            following = min([following, *(at for at in (start, end) if at > t_ns)])
        if track.pending_ns:
            following = min(following, max(t_ns + 1, track.pending_ns + self.judge.delay_ns(t_ns)))
        return track.run, following

    def _simple_run(self, t_ns: int) -> tuple[Run, int] | None:
        """What following would find, for the many alarms on a signal that goes on and off and on."""
        judge = self.judge
        signal = self.source.alternating() if judge.kind.test is Test.DISCRETE else None
        if signal is None or judge.delay_ns(t_ns):
            return None
        active = judge.settings["active"]
        if active.entry(self._board) is not None:
            return None
        now = signal.sample(t_ns)
        before = signal.sample(now.changed_ns - 1)
        windows = self._forcing.windows()
        stored = self._board.get(TRACK, self.key)
        untouched_since = max((end for _, end, _ in windows), default=0)
        if isinstance(stored, Track):
            untouched_since = max(untouched_since, stored.at_ns)
        if untouched_since > before.changed_ns:
            return None
        if bool(now.value) == bool(active.at(self._board, t_ns)):
            return Run(True, now.changed_ns, before.changed_ns, now.changed_ns, now.value), now.next_ns
        return Run(False, before.changed_ns, now.changed_ns, before.changed_ns, before.value), now.next_ns

    # -------------------------------------------------------------------------------------------------------- following

    def track(self, t_ns: int) -> Track:
        """The condition followed up to a time."""
        before = t_ns - _LAG_NS
        settled = self._settled
        stored = self._board.get(TRACK, self.key)
        if isinstance(stored, Track) and stored is not self._stored:
            self._stored = stored
            if stored.at_ns <= t_ns and (settled is None or stored.at_ns > settled.at_ns):
                settled = stored
        look = self._looker()
        if settled is None or settled.at_ns > t_ns or before - settled.at_ns > _GAP_NS:
            known = settled if settled is not None and settled.at_ns <= t_ns else None
            settled = self._from(self._begin(before), known, look)
        if settled.at_ns < before:
            settled = self._followed(settled, before, look)
        self._settled = settled
        return self._followed(settled, t_ns, look) if settled.at_ns < t_ns else settled

    def _begin(self, t_ns: int) -> int:
        """From when on the past has to be followed to know what stands now."""
        if self.judge.is_rate:
            return max(1, t_ns - self.judge.period_ns(t_ns) * _PERIODS_BACK)
        return self.source.begin(t_ns)

    def _from(self, start_ns: int, known: Track | None, look: Look) -> Track:
        """The track at the beginning of the past that is followed, from what is known of the time before it."""
        if known is not None and known.at_ns >= start_ns:
            return known
        holds, value = look(start_ns, known is not None and known.holds)
        if known is not None and (holds is None or holds == known.run.is_on):
            return known._replace(at_ns=start_ns, pending_ns=0, pending_value=None)
        run = known.run if known is not None else Run()
        if not holds:
            return Track(start_ns, run._replace(is_on=False, off_ns=start_ns) if run.is_on else run)
        began = start_ns
        if known is None and look(start_ns - 1, True)[0]:
            began = self.source.since_always(start_ns, self.keys)
        return Track(start_ns, Run(True, began, run.off_ns, began, value))

    def _followed(self, track: Track, until_ns: int, look: Look) -> Track:
        after_ns = track.at_ns
        points = self.source.points(after_ns, until_ns)
        others = self.judge.points(after_ns, until_ns)
        for start, end, _ in self._forcing.windows():
            others += [at for at in (start, end) if after_ns < at <= until_ns]
        if others:
            points = sorted({*points, *others})
        delay = Delay(self.judge.delay_ns(until_ns), self._stamps_first)
        return followed(track, until_ns, points, look, delay, self.source.stamp)

    def _looker(self) -> Callable[[int, bool], tuple[bool | None, Any]]:
        """How to look at the condition, as long as the board stays as it is."""
        windows, judge = self._forcing.windows(), self.judge.looker()
        if not windows:
            return judge

        def look(at_ns: int, holds: bool) -> tuple[bool | None, Any]:
            found, value = judge(at_ns, holds)
            for start, end, is_on in windows:
                if start <= at_ns < end:
                    return is_on, value
            return found, value

        return look

    # ---------------------------------------------------------------------------------------------------------- keeping

    @property
    def is_derivable(self) -> bool:
        """Whether its past can be worked out at any later time, so that nothing of it need be kept."""
        return self.source.is_exact and not self._forcing.windows()

    @property
    def is_forced(self) -> bool:
        """Whether something is, or was, forced upon it from outside."""
        return bool(self._forcing.windows())

    def to_store(self, t_ns: int) -> Track | None:
        """What is settled by now, if it could not be worked out again later and is not on the board yet."""
        self.track(t_ns)
        settled = self._settled
        if settled is None or not settled.run.on_ns or self.is_derivable:
            return None
        return None if self._is_stored(settled) else settled

    def before_write(self, edit: Edit, now_ns: int) -> None:
        """Keeps on the board what has been, before a write to the attribute makes it unknown."""
        track = self.track(now_ns - 1)
        if not track.run.on_ns and not track.pending_ns:
            return
        written = self._board.written(self.source.tag.key)
        if self._is_stored(track) and written is not None and len(written.steps) < STEPS_KEPT:
            return
        edit.put(TRACK, self.key, track)

    def _is_stored(self, track: Track) -> bool:
        stored = self._board.get(TRACK, self.key)
        return isinstance(stored, Track) and (stored.run, stored.pending_ns) == (track.run, track.pending_ns)
