"""From lists to transitions: the table of the design row by row, and seeded plants against an oracle."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from mxgateway_protocol.alarms.provider import Operator, PollResult
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_worker.alarms.changes import Change, Kind, Origin
from mxgateway_worker.alarms.differ import AlarmDiffer

S = 10**9
T0 = 1_800_000_000 * S
KEY = "galaxy!hall.pump.trip"


def record(state: str, guid: str = "g", raised: int = 0, changed: int = 0, **fields: object) -> AlarmRecord:
    raised_ns, changed_ns = T0 + raised * S, T0 + (changed or raised) * S
    known: dict[str, object] = {"guid": guid, "raised_ns": raised_ns, "changed_ns": changed_ns}
    return AlarmRecord("Galaxy", "Hall", "Pump.Trip", state, **{**known, **fields})  # type: ignore[arg-type]


class Polls:
    """A provider's lists, one after the other; each poll gives what has changed."""

    def __init__(self) -> None:
        self.differ = AlarmDiffer()
        self.listed: list[AlarmRecord] = []
        self.now = T0

    def poll(self, *listed: AlarmRecord, is_truncated: bool = False) -> list[Change]:
        self.now += S
        fresh = [each for each in listed if each not in self.listed]
        gone = [] if is_truncated else [each for each in self.listed if each not in listed]
        self.listed = [*listed, *(each for each in self.listed if is_truncated and each not in listed)]
        return self.differ.take(PollResult(fresh, gone, len(listed), is_truncated), self.now)


def told(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.kind.name, change.alarm.state, change.origin.name) for change in changes]


def test_what_came_and_went_between_two_polls_is_told_and_an_old_one_is_not() -> None:
    polls = Polls()
    polls.poll()
    old = record("ACK_RTN", guid="old", raised=-60, changed=-30)._replace(name="Fan.Trip")
    assert polls.poll(old) == []
    fresh = record("ACK_RTN", guid="new", raised=3, changed=4)
    assert told(polls.poll(old, fresh)) == [
        ("RAISE", "UNACK_ALM", "INFERRED"),
        ("ACKNOWLEDGE", "ACK_ALM", "INFERRED"),
        ("CLEAR", "ACK_RTN", "INFERRED"),
    ]
    assert not polls.differ.alarms


def test_case_14_a_record_of_the_same_moment_as_the_last_one_is_not_taken_for_old() -> None:
    """Neither in the same poll nor in a later one: what has been told is known by its record, never by its time."""
    polls = Polls()
    polls.poll()
    records = [record("UNACK_ALM", guid=f"g{n}", raised=5)._replace(name=f"Fan{n}.Trip") for n in range(4)]
    assert [change.alarm.name for change in polls.poll(*records[:2])] == ["Fan0.Trip", "Fan1.Trip"]
    assert [change.alarm.name for change in polls.poll(*records[:3])] == ["Fan2.Trip"]
    assert [change.alarm.name for change in polls.poll(*reversed(records))] == ["Fan3.Trip"]
    assert len(polls.differ.alarms) == 4


def test_changes_of_one_poll_are_told_in_the_plants_order_and_not_in_the_lists() -> None:
    polls = Polls()
    polls.poll()
    late, early = record("UNACK_ALM", raised=9), record("UNACK_ALM", raised=3)._replace(name="Fan.Trip")
    assert [change.alarm.name for change in polls.poll(late, early)] == ["Fan.Trip", "Pump.Trip"]


UNACK, ACK, RTN = record("UNACK_ALM"), record("ACK_ALM", changed=2), record("UNACK_RTN", changed=3)
ROWS = [
    ("absent → UNACK_ALM", None, UNACK, [("RAISE", "UNACK_ALM", "LIVE")]),
    ("absent → ACK_ALM", None, ACK, [("RAISE", "UNACK_ALM", "LIVE"), ("ACKNOWLEDGE", "ACK_ALM", "INFERRED")]),
    ("absent → UNACK_RTN", None, RTN, [("RAISE", "UNACK_ALM", "INFERRED"), ("CLEAR", "UNACK_RTN", "INFERRED")]),
    ("UNACK_ALM → ACK_ALM", UNACK, ACK, [("ACKNOWLEDGE", "ACK_ALM", "LIVE")]),
    ("UNACK_ALM → UNACK_RTN", UNACK, RTN, [("CLEAR", "UNACK_RTN", "LIVE")]),
    ("UNACK_ALM → absent", UNACK, None, [("CLEAR", "ACK_RTN", "INFERRED")]),
    ("ACK_ALM → absent", ACK, None, [("CLEAR", "ACK_RTN", "LIVE")]),
    ("ACK_ALM → UNACK_ALM", ACK, record("UNACK_ALM", changed=9), [("RETRIGGER", "UNACK_ALM", "LIVE")]),
    ("UNACK_RTN → UNACK_ALM other", RTN, record("UNACK_ALM", "h", 9), [("RETRIGGER", "UNACK_ALM", "LIVE")]),
    ("UNACK_RTN → absent", RTN, None, [("ACKNOWLEDGE", "ACK_RTN", "INFERRED")]),
    ("other GUID, later start", UNACK, record("UNACK_ALM", "h", 9),
     [("CLEAR", "UNACK_RTN", "INFERRED"), ("RETRIGGER", "UNACK_ALM", "LIVE")]),
    ("other GUID, acknowledged before", ACK, record("UNACK_ALM", "h", 9),
     [("CLEAR", "ACK_RTN", "INFERRED"), ("RETRIGGER", "UNACK_ALM", "LIVE")]),
    ("other GUID, same start", UNACK, record("UNACK_ALM", "h", 1), []),
    ("other GUID, same start, acknowledged", UNACK, record("ACK_ALM", "h", 0, 4), [("ACKNOWLEDGE", "ACK_ALM", "LIVE")]),
    ("same GUID, later", UNACK, record("UNACK_ALM", changed=9, raised_ns=0),
     [("CLEAR", "UNACK_RTN", "INFERRED"), ("RETRIGGER", "UNACK_ALM", "LIVE")]),
    ("priority", UNACK, UNACK._replace(priority=7), [("UPDATE", "UNACK_ALM", "LIVE")]),
    ("mode", UNACK._replace(mode="ENABLED"), UNACK._replace(mode="SILENCED"), [("MODE", "UNACK_ALM", "LIVE")]),
    ("shelved", UNACK, UNACK._replace(shelved_until_ns=T0), [("SHELVE", "UNACK_ALM", "LIVE")]),
    ("unshelved", UNACK._replace(shelved_until_ns=T0), UNACK, [("UNSHELVE", "UNACK_ALM", "LIVE")]),
    ("latched", ACK, record("LATCHED", changed=5), [("LATCH", "LATCHED", "LIVE")]),
    ("dismissed", record("LATCHED"), None, [("DISMISS", "ACK_RTN", "LIVE")]),
    ("h.42 latched, raised again", record("LATCHED"), record("UNACK_ALM", "h", 9), [("RAISE", "UNACK_ALM", "LIVE")]),
    ("told as returned", RTN, record("ACK_RTN", changed=6), [("ACKNOWLEDGE", "ACK_RTN", "LIVE")]),
    ("UNACK_ALM → ACK_RTN", UNACK, record("ACK_RTN", changed=6),
     [("ACKNOWLEDGE", "ACK_ALM", "INFERRED"), ("CLEAR", "ACK_RTN", "LIVE")]),
    ("h.53 unknown state", UNACK, record("FROZEN", changed=6), [("UPDATE", "FROZEN", "LIVE")]),
    ("nothing", UNACK, UNACK, []),
]  # fmt: skip


@pytest.mark.parametrize(("before", "now", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_table_row_by_row(
    before: AlarmRecord | None, now: AlarmRecord | None, expected: list[tuple[str, str, str]]
) -> None:
    """c.3, and h.16, h.26, h.32, h.33, h.40"""
    polls = Polls()
    assert polls.poll(*([before] if before else [])) == []  # the first list is a snapshot
    changes = polls.poll(*([now] if now else []))
    assert told(changes) == expected
    assert [change.is_gone for change in changes] == [change.alarm.state == "ACK_RTN" for change in changes]
    assert list(polls.differ.alarms) == ([KEY] if now is not None and now.state != "ACK_RTN" else [])


def test_times_are_the_providers() -> None:
    polls = Polls()
    polls.poll()
    (raised,) = polls.poll(record("UNACK_ALM", raised=1))
    (acked,) = polls.poll(record("ACK_ALM", raised=1, changed=5))
    assert (raised.at_ns, acked.at_ns) == (T0 + S, T0 + 5 * S)
    (again,) = [each for each in polls.poll(record("UNACK_ALM", "h", 9)) if each.kind is Kind.CLEAR]
    assert again.at_ns == T0 + 9 * S  # it must have ended before the new one began
    (gone,) = polls.poll()
    assert gone.at_ns == polls.now  # nothing tells


def test_what_one_record_told_is_kept_for_the_next() -> None:
    """A plain record tells one time: the start is known from when it was raised, and stays known."""
    polls = Polls()
    polls.poll()
    polls.poll(record("UNACK_ALM", raised=1)._replace(raised_ns=0))
    (acked,) = polls.poll(record("ACK_ALM", changed=5)._replace(raised_ns=0))
    assert (acked.alarm.raised_ns, acked.alarm.acked_ns) == (T0 + S, T0 + 5 * S)
    assert polls.differ.alarms[KEY].raised_ns == T0 + S


def test_a_cut_list_ends_nothing() -> None:
    """h.15"""
    polls = Polls()
    polls.poll(UNACK)
    assert polls.poll(is_truncated=True) == []
    assert list(polls.differ.alarms) == [KEY]
    assert told(polls.poll()) == [("CLEAR", "ACK_RTN", "INFERRED")]


def test_two_nodes_tell_of_one_alarm() -> None:
    """The younger record stands for it, and it ends when both are gone; spelling does not matter."""
    polls = Polls()
    polls.poll()
    one, other = UNACK._replace(node="N1"), UNACK._replace(node="N2", group="HALL")
    assert told(polls.poll(one, other)) == [("RAISE", "UNACK_ALM", "LIVE")]
    assert polls.differ.older_occurrences == 1
    assert polls.poll(other) == []
    assert told(polls.poll()) == [("CLEAR", "ACK_RTN", "INFERRED")]


def test_the_newest_occurrence_stands_for_the_alarm() -> None:
    polls = Polls()
    polls.poll(RTN)
    assert told(polls.poll(RTN, record("UNACK_ALM", "h", 9))) == [("RETRIGGER", "UNACK_ALM", "LIVE")]
    assert polls.differ.alarms[KEY].guid == "h"
    assert polls.poll(record("UNACK_ALM", "h", 9)) == []


def test_an_own_acknowledgement_explains_what_is_gone() -> None:
    """h.21 Within ten seconds it is known who acknowledged what had returned."""
    polls = Polls()
    polls.poll(RTN)
    polls.differ.acknowledged(KEY, Operator("anna", "PC1", "PLANT", "Anna A."), "seen", polls.now)
    (change,) = polls.poll()
    assert (change.kind, change.alarm.user, change.alarm.full_name, change.alarm.comment) == (
        Kind.ACKNOWLEDGE, "anna", "Anna A.", "seen"
    )  # fmt: skip
    polls.poll(RTN)
    polls.differ.acknowledged(KEY, Operator("anna"), "seen", polls.now)
    polls.now += 60 * S
    (change,) = polls.poll()
    assert change.alarm.user == ""


def test_domain_and_full_name_come_from_who_acknowledged() -> None:
    """h.10 The alarm manager does not carry them; for this worker's own acknowledgements they are known."""
    polls = Polls()
    polls.poll(UNACK)
    polls.differ.acknowledged(KEY, Operator("anna", "PC1", "PLANT", "Anna A."), "seen", polls.now)
    (change,) = polls.poll(ACK._replace(user="anna", comment="seen"))
    assert (change.alarm.domain, change.alarm.full_name) == ("PLANT", "Anna A.")


def test_times_that_are_read_anew_are_no_news() -> None:
    polls = Polls()
    polls.poll(UNACK)
    later = UNACK._replace(changed_ns=UNACK.changed_ns + 3600 * S, raised_ns=UNACK.raised_ns + 3600 * S)
    result = PollResult([later], [UNACK], 1, is_reread=True)
    assert polls.differ.take(result, polls.now + S) == []
    assert polls.differ.alarms[KEY] == later


# ------------------------------------------------------------------------------------------------------- seeded plants


@dataclass
class PlantAlarm:
    """One alarm as the plant has it, and what a witness of every moment would tell."""

    name: str
    state: str = "NORMAL"
    raised: int = 0
    changed: int = 0
    occurrence: int = 0
    witnessed: list[str] = field(default_factory=list)

    def step(self, chosen: random.Random, now: int) -> None:
        event = chosen.choice(["condition", "ack"])
        if event == "condition" and self.state in ("NORMAL", "UNACK_RTN"):
            self.witnessed.append("RAISE" if self.state == "NORMAL" else "RETRIGGER")
            self.occurrence += 1
            self.state, self.raised, self.changed = "UNACK_ALM", now, now
        elif event == "condition":
            self.witnessed.append("CLEAR")
            self.state, self.changed = ("UNACK_RTN" if self.state == "UNACK_ALM" else "NORMAL"), now
        elif self.state in ("UNACK_ALM", "UNACK_RTN"):
            self.witnessed.append("ACKNOWLEDGE")
            self.state, self.changed = ("ACK_ALM" if self.state == "UNACK_ALM" else "NORMAL"), now

    def record(self, tells_start: bool) -> AlarmRecord:
        return AlarmRecord(
            "Galaxy", "Hall", self.name, self.state, guid=f"{self.name}/{self.occurrence}", changed_ns=self.changed,
            raised_ns=self.raised if tells_start else 0,
        )  # fmt: skip


@pytest.mark.parametrize("tells_start", [True, False], ids=["starts told", "one time a record"])
@pytest.mark.parametrize("busy", [1, 4], ids=["one step a poll", "several"])
@pytest.mark.parametrize("seed", range(12))
def test_transitions_always_lead_to_the_list(seed: int, busy: int, tells_start: bool) -> None:
    """h.16 h.19 Whatever happened between polls, failed or cut ones included: what is told adds up to what is there.

    With at most one step of an alarm between two polls, what is told is what a witness saw.
    """
    chosen = random.Random(seed)
    alarms = [PlantAlarm(f"O_{n}.X") for n in range(12)]
    polls = Polls()
    model: dict[str, AlarmRecord] = {}
    kinds: dict[str, list[str]] = {alarm.name: [] for alarm in alarms}
    polls.poll()
    for turn in range(80):
        for alarm in chosen.sample(alarms, 4):
            for step in range(chosen.randint(1, busy)):
                # Far enough apart that no two occurrences begin at as good as the same time.
                alarm.step(chosen, T0 + (turn * 40 + step * 5) * S + S)
        polls.now = T0 + (turn + 1) * 40 * S
        if busy > 1 and chosen.random() < 0.2:
            continue  # a failed poll
        listed = [alarm.record(tells_start) for alarm in alarms if alarm.state != "NORMAL"]
        cut = busy > 1 and chosen.random() < 0.1
        for change in polls.poll(*(listed[:3] if cut else listed), is_truncated=cut):
            assert change.alarm.key == change.alarm.reference.casefold()
            kinds[change.alarm.name].append(change.kind.name)
            if change.is_gone:
                del model[change.alarm.key]
            else:
                model[change.alarm.key] = change.alarm
        assert {key: (each.state, each.guid) for key, each in model.items()} == {
            key: (each.state, each.guid) for key, each in polls.differ.alarms.items()
        }
        if not cut:
            expected = {each.key: (each.state, each.guid) for each in listed}
            assert {key: (each.state, each.guid) for key, each in model.items()} == expected
    if busy == 1:
        assert kinds == {alarm.name: alarm.witnessed for alarm in alarms}


def test_the_order_of_what_is_hidden_is_the_order_of_time() -> None:
    polls = Polls()
    polls.poll(UNACK)
    changes = polls.poll(record("ACK_ALM", "h", 9, 12))
    assert [change.kind for change in changes] == [Kind.CLEAR, Kind.RETRIGGER, Kind.ACKNOWLEDGE]
    assert [change.origin for change in changes] == [Origin.INFERRED] * 3
    assert [change.at_ns for change in changes] == [T0 + 9 * S, T0 + 9 * S, T0 + 12 * S]
