"""The alarm consumer's provider over recordings: what each answer of the consumer's is made of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.consumer_recordings import FOLDER, NOON, POLLS, SECOND, ReplayedConsumer, recording, replayed

from mxgateway_protocol.alarms.provider import AlarmSubscription, PollResult, ProviderError
from mxgateway_worker.alarms.changes import Change
from mxgateway_worker.alarms.differ import AlarmDiffer
from mxgateway_worker.backends.com.alarm_consumer import ComAlarmProvider

HALL = AlarmSubscription(("\\\\NODE1\\Galaxy!Hall",), time_zone="UTC")
NOW = NOON + 3600 * SECOND


class Played:
    """A subscription over a recording, compared from poll to poll as the worker does."""

    def __init__(self, name: str, max_records: int = 1000) -> None:
        self.consumers = replayed(FOLDER / f"{name}.jsonl")
        left: Iterator[ReplayedConsumer] = iter(self.consumers)
        self.provider = ComAlarmProvider(lambda: next(left), lambda: None)
        self.provider.subscribe(HALL._replace(max_records=max_records))
        self.differ = AlarmDiffer()

    def poll(self) -> tuple[PollResult, list[Change]]:
        result = self.provider.poll(NOW)
        return result, self.differ.take(result, NOW)

    def told(self) -> list[tuple[str, str]]:
        return [(change.kind.name, change.alarm.name) for change in self.poll()[1]]

    def states(self) -> dict[str, str]:
        return {record.name: record.state for record in self.differ.alarms.values()}

    def end(self) -> None:
        """Nothing of the recording is left over."""
        self.provider.close()
        assert [each.left for each in self.consumers] == [[], []]
        assert all(each.is_released for each in self.consumers)


def test_the_files_are_what_is_written_down() -> None:
    found = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.jsonl")}
    assert found == {name: recording(name) for name in POLLS}, "python -m tests.support.consumer_recordings"


def test_a_shift_from_the_first_alarm_to_the_last_return() -> None:
    played = Played("shift")
    one, two = "Pump_001.Trip", "Pump_002.Trip"
    assert played.told() == []
    assert played.told() == [("RAISE", one)]
    assert played.told() == [("RAISE", two)]
    assert played.told() == []
    _, (acknowledged,) = played.poll()
    record = acknowledged.alarm
    assert (record.name, record.user, record.user_node, record.comment) == (one, "anna", "PC1", 'seen "it" & <noted>')
    assert (record.guid, record.changed_ns) == ("00000001-1234-5678-9abc-def012345678", NOON + 60 * SECOND)
    with pytest.raises(ProviderError):
        played.poll()
    assert sorted(played.told()) == [("CLEAR", one), ("CLEAR", two)]
    assert played.told() == [("ACKNOWLEDGE", two)]
    assert played.states() == {}
    played.end()


def test_dates_with_the_day_first_are_found_out() -> None:
    played = Played("dates_of_days")
    result, _ = played.poll()
    assert [record.changed_ns for record in result.fresh] == [NOON + SECOND, NOON + 2 * SECOND]
    assert played.told() == [("ACKNOWLEDGE", "Pump_001.Trip")]
    played.end()


def test_elements_may_have_other_names_and_unknown_ones_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    played = Played("other_names")
    with caplog.at_level("INFO"):
        result, _ = played.poll()
    assert [(each.name, each.group, each.state) for each in result.fresh] == [
        (f"Pump_{number:03}.Trip", "Hall", "UNACK_ALM") for number in (1, 2)
    ]
    (note,) = [record.getMessage() for record in caplog.records if "look like this" in record.getMessage()]
    assert "Pump_001" not in note, "values are masked"
    played.end()


def test_an_alarm_that_two_nodes_tell_is_one() -> None:
    played = Played("two_nodes")
    played.poll()
    assert played.states() == {"Pump_001.Trip": "UNACK_ALM"}
    assert played.told() == [("ACKNOWLEDGE", "Pump_001.Trip")]
    assert played.told() == []
    played.end()


def test_records_of_the_same_moment_are_all_kept() -> None:
    played = Played("equal_times")
    assert played.poll()[0].total == len(played.states()) == 5
    played.end()


def test_without_guids_the_start_tells_occurrences_apart() -> None:
    played = Played("no_guids")
    played.poll()
    assert [kind for kind, _ in played.told()] == ["CLEAR", "RETRIGGER"]
    played.end()


def test_a_list_as_long_as_was_asked_for_is_asked_for_again() -> None:
    played = Played("cut", max_records=2)
    result, _ = played.poll()
    assert (result.total, result.is_truncated) == (3, False)
    played.end()


def test_a_broken_answer_changes_nothing() -> None:
    played = Played("broken")
    played.poll()
    with pytest.raises(ProviderError) as failed:
        played.poll()
    assert failed.value.is_broken_answer
    assert played.states() == {"Pump_001.Trip": "UNACK_ALM"}
    assert played.told() == [("RAISE", "Pump_002.Trip")]
    played.end()
