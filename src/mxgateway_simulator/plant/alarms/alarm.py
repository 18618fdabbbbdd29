"""One alarm of the plant: its condition followed through time, and what the board says of it, put together."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from mxgateway_simulator.plant.alarms.conditions import Condition
from mxgateway_simulator.plant.alarms.identity import occurrence_guid
from mxgateway_simulator.plant.alarms.kinds import CATEGORIES, AlarmKind, Test
from mxgateway_simulator.plant.alarms.operators import Operators
from mxgateway_simulator.plant.alarms.owners import ModeSetting, Owner
from mxgateway_simulator.plant.alarms.states import (
    LISTED,
    Acknowledgement,
    AlarmState,
    AlarmStatus,
    Mode,
    Rules,
    Standing,
    status_of,
)
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.entries import ACK, DISMISSED, SHELF, VALUE, Dismissed, Key, Shelved
from mxgateway_simulator.switches import Switches

HIGHEST_PRIORITY, LOWEST_PRIORITY = 1, 999
DEFAULT_PRIORITY = 500


class AlarmSituation(NamedTuple):
    """All that there is to say of an alarm at one moment.

    Attributes:
        shelved: the shelving that is in force; None for none.
        next_ns: the first time at which any of it may change by itself.
    """

    status: AlarmStatus
    mode: Mode
    shelved: Shelved | None
    priority: int
    next_ns: int

    @property
    def is_listed(self) -> bool:
        """Whether it stands in the alarm list."""
        return self.status.state in LISTED


class Plantwide(NamedTuple):
    """What all alarms of a plant share."""

    board: Board
    switches: Switches
    rules: Rules
    operators: Operators
    identity: uuid.UUID


class Alarm:
    """One alarm.

    Args:
        reference: of the anchor attribute and the kind's suffix, as the Galaxy spells them: `Tank_01.Level.Hi`.
        setting: gives the configured value of one of the alarm's own attributes, by name.
        describe: the alarm's message now.
    """

    __slots__ = (
        "__weakref__",
        "_ack_key",
        "_describe",
        "_known",
        "_mode",
        "_priority_key",
        "_setting",
        "condition",
        "key",
        "kind",
        "latches",
        "owner",
        "plantwide",
        "reference",
    )

    def __init__(
        self,
        plantwide: Plantwide,
        reference: str,
        kind: AlarmKind,
        condition: Condition,
        owner: Owner,
        mode: ModeSetting,
        setting: Callable[[str], Any],
        describe: Callable[[], str],
        latches: bool,
    ) -> None:
        self.plantwide = plantwide
        self.reference = reference
        self.key = reference.casefold()
        self.kind = kind
        self.condition = condition
        self.owner = owner
        self.latches = latches
        self._mode = mode
        self._setting = setting
        self._describe = describe
        self._priority_key = f"{self.key}.priority"
        self._known: tuple[int, int, AlarmSituation] | None = None

    @property
    def keys(self) -> frozenset[Key]:
        """Entries of the board that the alarm depends on."""
        own = {(ACK, self.key), (SHELF, self.key), (DISMISSED, self.key), (VALUE, self._priority_key)}
        return frozenset(own | self._mode.keys | self.owner.keys | self.condition.keys)

    # ----------------------------------------------------------------------------------------------------------- seeing

    def situation(self, t_ns: int) -> AlarmSituation:
        """The alarm at a time; its attributes ask for the same time one after the other."""
        revision = self.plantwide.board.revision
        known = self._known
        if known is None or known[0] != t_ns or known[1] != revision:
            known = self._known = (t_ns, revision, self._worked_out(t_ns))
        return known[2]

    def _worked_out(self, t_ns: int) -> AlarmSituation:
        plantwide = self.plantwide
        board = plantwide.board
        run, next_ns = self.condition.run(t_ns)
        mode, standing = self._standing(board)
        ack = board.acked(self.key)
        occurrence = max(run.on_ns, standing.since_ns)
        if run.on_ns and (ack is None or not ack.is_of(occurrence)):
            # Somebody in the control room may have done it; the time of it is worked out like a signal.
            done = plantwide.operators.acknowledgement(self.condition.seed, occurrence)
            if done is not None and done.time_ns <= t_ns:
                ack = done
            elif done is not None:
                next_ns = min(next_ns, done.time_ns)
        dismissed = board.get(DISMISSED, self.key)
        dismissed_ns = dismissed.occurrence_ns if isinstance(dismissed, Dismissed) else 0
        rules = (
            plantwide.rules
            if self.latches == plantwide.rules.latches
            else plantwide.rules._replace(latches=self.latches)
        )
        status = status_of(run, standing, ack, dismissed_ns, rules)
        shelf = board.get(SHELF, self.key)
        shelved = None
        if isinstance(shelf, Shelved) and shelf.from_ns <= t_ns < shelf.until_ns:
            shelved = shelf
            next_ns = min(next_ns, shelf.until_ns)
        return AlarmSituation(status, mode, shelved, self.priority, next_ns)

    def _standing(self, board: Board) -> tuple[Mode, Standing]:
        own, above = self._mode.mode(board), self.owner.mode(board)
        runs, runs_since = self.owner.runs(board)
        mode = max(own.mode, above.mode)
        is_disabled = mode is Mode.DISABLED
        since = max(own.since_ns, above.since_ns, runs_since)
        return mode, Standing(runs and not is_disabled, since, is_disabled)

    @property
    def priority(self) -> int:
        """1 (most urgent) to 999, whatever the attribute holds."""
        written = self.plantwide.board.written(self._priority_key)
        value = written.value if written is not None else self._setting("Priority")
        number = value if isinstance(value, int) else DEFAULT_PRIORITY
        return max(HIGHEST_PRIORITY, min(number, LOWEST_PRIORITY))

    @property
    def description(self) -> str:
        """The alarm's message."""
        return self._describe()

    @property
    def alarm_class(self) -> tuple[str, str]:
        """Class and type: of the kind, or for a discrete alarm of its Category."""
        if self.kind.test is Test.DISCRETE:
            written = self.plantwide.board.written(f"{self.key}.category")
            category = str(written.value if written is not None else self._setting("Category") or "")
            return CATEGORIES.get(category.casefold().replace(" ", ""), ("DSC", "DSC"))
        return self.kind.alarm_class, self.kind.type_name

    def guid(self, occurrence_ns: int) -> str:
        """The GUID of an occurrence: the same in every worker; empty where the Galaxy gives none."""
        wanted = self.plantwide.switches.alarm_guid
        if wanted == "none":
            return ""
        return occurrence_guid(self.plantwide.identity, self.key, occurrence_ns if wanted == "per_occurrence" else 0)

    def comment(self, status: AlarmStatus) -> str:
        """AckMsg: what was said at the last acknowledgement, of an older occurrence too where the model keeps that."""
        if status.acknowledgement is not None:
            return status.acknowledgement.comment
        is_new = status.state in (AlarmState.UNACK_ALM, AlarmState.UNACK_RTN)
        if is_new and self.plantwide.switches.alarm_comment_on_raise == "clear":
            return ""
        ack = self.plantwide.board.acked(self.key)
        return ack.comment if ack is not None else ""

    def last_acknowledgement(self) -> Acknowledgement | None:
        """The last acknowledgement that anybody made, of whatever occurrence."""
        return self.plantwide.board.acked(self.key)
