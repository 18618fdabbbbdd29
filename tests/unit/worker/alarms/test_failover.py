"""Which provider speaks, and what waits to be told."""

from __future__ import annotations

import pytest

from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_worker.alarms.changes import Change, Kind
from mxgateway_worker.alarms.failover import FailoverPolicy, FailoverSettings, Failure, Reason, Speaker, Switch
from mxgateway_worker.alarms.outbox import STEPS_KEPT, AlarmOutbox

FAILURE = Failure(Reason.POLL_FAILED, "no answer", -2147467259)
SETTINGS = FailoverSettings(threshold=3, probe_interval=30, stable_probes=3)


def policy(forced: Speaker = Speaker.NONE, *, watched: bool = True) -> FailoverPolicy:
    made = FailoverPolicy(SETTINGS, forced)
    made.has_attributes = watched
    return made


def speakers(policy: FailoverPolicy, results: str) -> list[str]:
    """What each poll leads to: `+` answers, `-` fails."""
    found = []
    for result in results:
        switch = policy.answered() if result == "+" else policy.failed(FAILURE)
        found.append(switch.speaker.name if switch else ".")
    return found


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("+", ["ALARM_MANAGER"]),
        ("+--+--+", ["ALARM_MANAGER", ".", ".", ".", ".", ".", "."]),
        ("+---", ["ALARM_MANAGER", ".", ".", "ATTRIBUTES"]),
        ("+---++-+++", ["ALARM_MANAGER", ".", ".", "ATTRIBUTES", ".", ".", ".", ".", ".", "ALARM_MANAGER"]),
        ("---", [".", ".", "ATTRIBUTES"]),
    ],
)
def test_three_failures_in_a_row_change_over_and_three_answers_bring_back(results: str, expected: list[str]) -> None:
    """c.5 h.30 A failure in between begins the count anew, on both ways."""
    assert speakers(policy(), results) == expected


def test_a_flapping_alarm_manager_changes_over_once_a_threshold() -> None:
    """h.30 However it flaps, there is no storm of changes."""
    flapping = policy()
    switches = [each for each in speakers(flapping, "+" + "---++" * 50) if each != "."]
    assert switches == ["ALARM_MANAGER", "ATTRIBUTES"]


def test_forced_providers_never_change() -> None:
    assert speakers(policy(Speaker.ALARM_MANAGER), "+------+") == [
        "ALARM_MANAGER", ".", ".", "NONE", ".", ".", ".", "ALARM_MANAGER"
    ]  # fmt: skip
    forced = policy(Speaker.ATTRIBUTES)
    assert not forced.polls_alarm_manager
    switch = forced.attributes_ready()
    assert switch == Switch(Speaker.ATTRIBUTES, Reason.FORCED, "the settings ask for the attributes", None, True)
    assert forced.attributes_ready() is None


def test_without_attributes_nobody_speaks_until_it_answers_again() -> None:
    """h.8 It is told once that nobody answers, with reason and HRESULT, and then that it answers."""
    alone = policy(watched=False)
    assert speakers(alone, "+---------+") == ["ALARM_MANAGER", ".", ".", "NONE", *"......", "ALARM_MANAGER"]
    alone = policy(watched=False)
    for _ in range(2):
        alone.failed(FAILURE)
    switch = alone.failed(FAILURE)
    assert switch is not None
    assert (switch.reason, switch.hresult) == (Reason.POLL_FAILED, FAILURE.hresult)  # h.3
    assert "3 times" in switch.text
    assert (alone.failures, alone.total_failures) == (3, 3)  # h.2


def test_attributes_that_come_late_speak_at_once() -> None:
    late = policy(watched=False)
    assert speakers(late, "---") == [".", ".", "NONE"]
    late.has_attributes = True
    switch = late.attributes_given()
    assert switch is not None
    assert switch.speaker is Speaker.ATTRIBUTES
    assert late.attributes_given() is None


# --------------------------------------------------------------------------------------------------------------- outbox


def change(name: str, state: str = "UNACK_ALM", kind: Kind = Kind.RAISE, *, is_gone: bool = False) -> Change:
    return Change(kind, AlarmRecord("Galaxy", "Hall", name, state), 0, is_gone=is_gone)


class Listener:
    def __init__(self, outbox: AlarmOutbox) -> None:
        self.outbox = outbox
        self.heard: list[str] = []

    def flush(self, most: int = 1_000_000) -> list[str]:
        self.heard = []
        self.outbox.flush(most, self._tell, lambda switch, at: self.heard.append(f"→{switch.speaker.name}"))
        return self.heard

    def _tell(self, change: Change, speaker: Speaker) -> None:
        self.heard.append(f"{change.alarm.name} {change.kind.name} {change.alarm.state}")


def test_a_storm_waits_and_nothing_of_it_is_lost() -> None:
    """h.55 20,000 raises in a second: they are told as there is room, in order, each once."""
    outbox = AlarmOutbox()
    listener = Listener(outbox)
    for number in range(20_000):
        outbox.add(change(f"O_{number}"))
    heard: list[str] = []
    while len(outbox):
        portion = listener.flush(700)
        assert len(portion) <= 700
        heard += portion
        assert len(outbox.published) == len(heard)
    assert heard == [f"O_{number} RAISE UNACK_ALM" for number in range(20_000)]


def test_an_alarm_that_changes_faster_than_it_is_told_keeps_its_last_state() -> None:
    """h.55 Its steps are bounded; what is left out is counted, and the last one is always told."""
    outbox = AlarmOutbox()
    for number in range(100):
        outbox.add(
            change("Chatter", "UNACK_ALM" if number % 2 else "UNACK_RTN", Kind.RETRIGGER if number % 2 else Kind.CLEAR)
        )
        outbox.add(change(f"O_{number}"))
    outbox.add(change("Chatter", "ACK_RTN", Kind.ACKNOWLEDGE, is_gone=True))
    heard = [each for each in Listener(outbox).flush() if each.startswith("Chatter")]
    assert len(heard) == STEPS_KEPT
    assert heard[-1] == "Chatter ACKNOWLEDGE ACK_RTN"
    assert outbox.conflated == 101 - STEPS_KEPT
    assert len(outbox.published) == 100


def test_a_change_of_the_speaker_is_told_in_its_place() -> None:
    """What waited is told before, and the list is then the other's, without a transition."""
    outbox = AlarmOutbox()
    listener = Listener(outbox)
    outbox.add(change("A"))
    other = AlarmRecord("Galaxy", "Hall", "B", "ACK_ALM")
    outbox.turn(Switch(Speaker.ATTRIBUTES, Reason.POLL_FAILED, ""), {other.key: other}, 0)
    outbox.add(change("A", "UNACK_RTN", Kind.CLEAR))
    assert listener.flush(1) == ["A RAISE UNACK_ALM"]
    assert outbox.speaker is Speaker.NONE
    assert listener.flush(1) == ["→ATTRIBUTES"]
    assert list(outbox.published) == ["galaxy!hall.b"]
    assert listener.flush() == ["A CLEAR UNACK_RTN"]


def test_what_is_taken_over_in_silence_is_in_the_list() -> None:
    outbox = AlarmOutbox()
    listener = Listener(outbox)
    outbox.add(change("A"))
    outbox.adopt(AlarmRecord("Galaxy", "Hall", "A", "UNACK_ALM", guid="new"))
    outbox.adopt(AlarmRecord("Galaxy", "Hall", "B", "UNACK_ALM"))
    assert listener.flush() == ["A RAISE UNACK_ALM"]
    assert outbox.published["galaxy!hall.a"].guid == "new"
    outbox.adopt(AlarmRecord("Galaxy", "Hall", "C", "UNACK_ALM"))
    assert list(outbox.published) == ["galaxy!hall.a", "galaxy!hall.b", "galaxy!hall.c"]
