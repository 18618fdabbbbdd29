"""The figures of the alarm system: the definitions at their borders, and a year of chance against a slow oracle."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import pytest

from mxgateway_server.alarms.figures.annunciations import Annunciations
from mxgateway_server.alarms.figures.computing import FigureRules, Figures
from mxgateway_server.alarms.figures.floods import Flood, FloodRules, FloodWatch
from mxgateway_server.alarms.figures.keeper import EVERYTHING, FigureKeeper
from mxgateway_server.alarms.figures.moments import moment_of
from mxgateway_server.alarms.figures.observed import Sight, SightLog
from mxgateway_server.alarms.history.file import HistoryFile, HistoryLimits
from mxgateway_server.alarms.history.reading import HistoryReader
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind, Mode, Origin, State

START = 1_700_000_400.0
"""A full hour by the clock."""


class Plant:
    """Makes changes as the monitor would, and keeps the list."""

    def __init__(self, **positions: list[str]) -> None:
        self.keeper = FigureKeeper(positions, FigureRules(), START)
        self.keeper.seen(START, Sight.GOOD)
        self.alarms: dict[str, Alarm] = {}
        self.sequence = 0
        self.floods: list[Flood] = []
        self.changes: list[Change] = []

    def change(self, kind: Kind, alarm: Alarm, origin: Origin = Origin.LIVE) -> None:
        self.sequence += 1
        is_listed = alarm.state.is_listed
        before = self.alarms.pop(alarm.key, None)
        if is_listed:
            self.alarms[alarm.key] = alarm
        told = Change(self.sequence, kind, origin, alarm, before, is_listed, received_ns=alarm.changed_ns)
        self.changes.append(told)
        self.floods += self.keeper.changed(told)

    def up(self, name: str, at: float, origin: Origin = Origin.LIVE, **facts: object) -> Alarm:
        area = str(facts.pop("area", "Line1"))
        source = AlarmSource(f"Galaxy!{area}.{name}", area=area, area_path=(area, "Plant"))
        moment = round((START + at) * 1e9)
        alarm = Alarm(source, raised_ns=moment, changed_ns=moment, mode=Mode.ENABLED).having(**facts)
        self.change(Kind.RETRIGGER if alarm.key in self.alarms else Kind.RAISE, alarm, origin)
        return alarm

    def then(self, name: str, kind: Kind, state: State, at: float) -> None:
        alarm = self.alarms[f"galaxy!{name}".casefold()]
        self.change(kind, alarm.having(state=state, changed_ns=round((START + at) * 1e9)))

    def figures(self, begin: float, end: float, position: str = EVERYTHING) -> Figures:
        report = self.keeper.report(self.alarms.values(), begin=START + begin, end=START + end, positions=(position,))
        return report.figures[0]


def test_only_what_comes_up_in_front_of_people_counts() -> None:
    """Not what is silenced or shelved, nor what a switch or a restart tells again."""
    plant = Plant()
    plant.up("Pump.Hi", 10)
    plant.up("Silent.Hi", 11, mode=Mode.SILENCED)
    plant.up("Shelved.Hi", 12, is_shelved=True)
    plant.up("Known.Hi", 13, Origin.SWITCH)
    plant.up("Old.Hi", 14, Origin.RESTART)
    plant.up("Inferred.Hi", 15, Origin.INFERRED)
    plant.up("Attribute.Hi", 16, mode=Mode.UNKNOWN)
    found = plant.figures(0, 600)
    assert found.annunciated == 3
    assert (found.standing, found.unacknowledged, found.shelved, found.silenced) == (7, 7, 1, 1)


def test_rates_over_the_time_in_which_a_provider_spoke() -> None:
    """Half of an hour was blind, so six alarms are two in ten minutes."""
    plant = Plant()
    for number in range(6):
        plant.up(f"Pump{number}.Hi", number * 200)
    plant.keeper.seen(START + 1800, Sight.BLIND)
    found = plant.figures(0, 3600)
    assert (found.annunciated, found.average_rate, found.peak_rate) == (6, 2.0, 3)
    report = plant.keeper.report((), begin=START, end=START + 3600)
    assert (report.observed, report.degraded) == (1800.0, 0.0)


def test_the_peak_is_of_any_ten_minutes() -> None:
    """Six alarms around the full ten minutes are one peak, though the clock puts them into two periods."""
    plant = Plant()
    for at in (590, 595, 599, 601, 605, 610):
        plant.up(f"A{at}.Hi", at)
    found = plant.figures(0, 1200)
    assert (found.peak_rate, found.share_above_ten) == (6, 0.0)


@pytest.mark.parametrize(("count", "share"), [(10, 0.0), (11, 0.5)])
def test_more_than_ten_in_a_period_is_too_many(count: int, share: float) -> None:
    plant = Plant()
    for number in range(count):
        plant.up(f"A{number}.Hi", number)
    assert plant.figures(0, 1200).share_above_ten == share


def test_a_flood_begins_above_ten_and_ends_below_five() -> None:
    """Twelve in a row; it ends when only four are left in the last ten minutes. Live and in looking back the same."""
    plant = Plant()
    for number in range(12):
        plant.up(f"A{number % 3}.Hi", number * 10)
    assert plant.floods == [Flood(EVERYTHING, START + 100, None, 1)]
    assert plant.keeper.floods == [Flood(EVERYTHING, START + 100, None, 2)]
    assert plant.figures(0, 300).flood_seconds == 200.0
    ended = plant.keeper.advance(START + 2000)
    assert ended == [Flood(EVERYTHING, START + 100, START + 670, 2)]
    assert plant.keeper.floods == []
    (past,) = plant.figures(0, 2000).floods
    assert past.flood == ended[0]
    assert [(each.reference, each.count) for each in past.contributors] == [
        ("Galaxy!Line1.A1.Hi", 1),
        ("Galaxy!Line1.A2.Hi", 1),
    ]


def test_three_times_within_a_minute_is_chattering() -> None:
    """Every coming up that is one of three counts once, however they overlap; a minute and more between is none."""
    plant = Plant()
    for at in (0, 30, 60, 61, 200, 300):
        plant.up("Valve.Hi", at)
    for at in (400, 431, 461):
        plant.up("Slow.Hi", at)
    found = plant.figures(0, 600)
    assert [(each.reference, each.count) for each in found.chattering] == [("Galaxy!Line1.Valve.Hi", 4)]
    assert found.most_frequent[0].count == 6
    assert found.most_frequent[0].share == pytest.approx(6 / 9)


def test_what_is_gone_within_ten_seconds_is_fleeting() -> None:
    plant = Plant()
    for name, length in (("Short.Hi", 9.5), ("Long.Hi", 10)):
        plant.up(name, 0)
        plant.then(f"Line1.{name}", Kind.CLEAR, State.UNACK_RTN, length)
    assert [each.reference for each in plant.figures(0, 600).fleeting] == ["Galaxy!Line1.Short.Hi"]


def test_times_to_acknowledge_and_to_return() -> None:
    """Of the occurrence that it was: what came up again is not answered by what was said before."""
    plant = Plant()
    for number in range(10):
        plant.up(f"A{number}.Hi", 0)
        plant.then(f"Line1.A{number}.Hi", Kind.ACKNOWLEDGE, State.ACK_ALM, 10 * (number + 1))
    plant.then("Line1.A0.Hi", Kind.CLEAR, State.ACK_RTN, 700)
    plant.up("A0.Hi", 800)
    found = plant.figures(0, 1000)
    told = found.to_acknowledge
    assert (told.median, told.ninety_percent, told.longest, told.count) == (55.0, 90.0, 100.0, 10)
    assert (found.to_return.longest, found.to_return.count) == (700.0, 1)
    assert (found.unacknowledged, found.oldest_unacknowledged, found.standing) == (1, 200.0, 10)


def test_what_stands_for_more_than_a_day_is_stale() -> None:
    plant = Plant()
    plant.up("Young.Hi", 1)
    plant.up("Old.Hi", 0)
    plant.up("Older.Hi", -5)
    found = plant.figures(0, 86_401)
    assert found.stale == ("Galaxy!Line1.Older.Hi", "Galaxy!Line1.Old.Hi")


def test_shares_of_the_priorities() -> None:
    plant = Plant()
    for number, priority in enumerate((1, 249, 250, 499, 500, 999, 999, 999)):
        plant.up(f"A{number}.Hi", number, priority=priority)
    shares = [(each.first, each.last, each.count, each.share) for each in plant.figures(0, 600).priorities]
    assert shares == [(1, 249, 2, 0.25), (250, 499, 2, 0.25), (500, 999, 4, 0.5)]


def test_positions_see_their_areas_without_case() -> None:
    """An area inside another belongs to who is responsible for that, too; what is nobody's is in the whole alone."""
    plant = Plant(north=["line1"], all_lines=["PLANT"], nobody=["Elsewhere"])
    plant.up("A.Hi", 0, area="Line1")
    plant.up("B.Hi", 1, area="Line2")
    counts = {name: plant.figures(0, 600, name).annunciated for name in plant.keeper.positions}
    assert counts == {EVERYTHING: 2, "north": 1, "all_lines": 2, "nobody": 0}
    assert plant.keeper.rates == counts


def test_what_is_told_far_too_late_counts_and_moves_no_rate() -> None:
    plant = Plant()
    plant.up("Now.Hi", 2000)
    plant.up("Late.Hi", 100)
    plant.up("LittleLate.Hi", 1900)
    found = plant.figures(0, 3000)
    assert (found.annunciated, found.peak_rate) == (3, 2)
    assert plant.keeper.rates == {EVERYTHING: 2}


@pytest.mark.parametrize("back", [30.0, 7200.0])
def test_a_clock_that_is_set_back_in_a_flood_neither_hides_the_rate_nor_keeps_the_flood(back: float) -> None:
    plant = Plant()
    for number in range(12):
        plant.up(f"A{number}.Hi", number * 10)
    (begun,) = plant.floods
    assert plant.keeper.advance(START + 120) == []
    # Everybody's clock is right now: two hours earlier.
    assert plant.keeper.advance(START + 121 - back) == []
    for number in range(12, 20):
        plant.up(f"A{number}.Hi", number * 10 - back)
        plant.keeper.advance(START + number * 10 - back)
    assert plant.keeper.rates == {EVERYTHING: 20}
    (flood,) = plant.keeper.floods
    assert (flood.began, flood.count) == (begun.began, 10)
    assert plant.keeper.advance(START + 740 - back) == []
    (ended,) = plant.keeper.advance(START + 800 - back)
    assert ended.ended is not None
    assert 740 <= ended.ended - START <= 800
    assert plant.keeper.rates != {EVERYTHING: 20}
    # Once it is quiet, times are those of the clock again.
    plant.keeper.advance(START + 2000 - back)
    for number in range(11):
        plant.up(f"B{number}.Hi", 3000 - back + number)
    assert plant.floods[-1].began == START + 3010 - back
    assert plant.keeper.rates == {EVERYTHING: 11}


def test_nothing_at_all_gives_zeros() -> None:
    found = Plant().figures(0, 0)
    assert (found.annunciated, found.average_rate, found.share_above_ten, found.to_return.count) == (0, 0.0, 0.0, 0)


def test_an_unknown_position_is_an_error() -> None:
    with pytest.raises(KeyError):
        Plant().figures(0, 1, "nowhere")


def test_the_table_keeps_the_newest_and_knows_which_rows_are_gone() -> None:
    table = Annunciations(16)
    source = AlarmSource("Galaxy!A.B")
    rows = [table.add(float(number), source, 500) for number in range(20)]
    assert (len(table), table.oldest) == (16, 4.0)
    table.acknowledged(rows[0], 100.0)
    table.acknowledged(rows[19], 29.0)
    table.acknowledged(rows[19], 39.0)
    assert [row.to_acknowledge for row in table.between(0, 100) if not math.isnan(row.to_acknowledge)] == [10.0]
    assert math.isnan(Annunciations(1).oldest)


def test_the_time_of_sight_is_cut_to_the_span() -> None:
    log = SightLog()
    for at, sight in ((100, Sight.GOOD), (200, Sight.DEGRADED), (250, Sight.BLIND), (300, Sight.GOOD)):
        log.add(at, sight)
    assert log.seconds(0, 400) == (250.0, 50.0)
    assert log.seconds(150, 225) == (75.0, 25.0)
    assert log.seconds(260, 290) == (0.0, 0.0)
    assert SightLog().seconds(0, 10) == (0.0, 0.0)


def test_the_watch_counts_seconds_exactly() -> None:
    """Against a slow count, over storms and long silences."""
    chance = random.Random(7)
    watch = FloodWatch("x", FloodRules(), 0.0)
    times: list[int] = []
    now = 0
    for _ in range(800):
        now += chance.choice((0, 0, 0, 1, 5, 60, 700))
        watch.add(float(now))
        times.append(now)
        assert watch.rate == sum(each > now - 600 for each in times[-600:])
        times = times[-600:]


def test_a_long_run_against_a_slow_oracle() -> None:
    """Peak, share of periods, chatter and floods of a thousand chance alarms."""
    chance = random.Random(11)
    plant = Plant()
    told: list[tuple[float, str]] = []
    at = 0
    for _ in range(1000):
        at += chance.choice((1, 2, 10, 30, 300, 1500))
        name = f"A{chance.randrange(8)}"
        plant.up(f"{name}.Hi", at)
        told.append((float(at), f"Galaxy!Line1.{name}.Hi"))
    found = plant.figures(0, at + 1)
    times = [each for each, _ in told]
    assert found.peak_rate == max(sum(t - 600 < other <= t for other in times) for t in times)
    periods = Counter(math.floor((START + t) / 600) for t in times)
    all_periods = math.ceil((START + at + 1) / 600) - math.floor(START / 600)
    assert found.share_above_ten == pytest.approx(sum(n > 10 for n in periods.values()) / all_periods)
    expected = {}
    for name in {name for _, name in told}:
        own = [t for t, other in told if other == name]
        marked = {n for n in range(2, len(own)) if own[n] - own[n - 2] <= 60}
        members = {n - k for n in marked for k in range(3)}
        if members:
            expected[name] = len(members)
    assert {each.reference: each.count for each in found.chattering} == expected
    plant.keeper.advance(START + at + 1)
    live = [flood for flood in plant.floods if flood.ended is None]
    assert [past.flood.began for past in found.floods] == [flood.began for flood in live]


def test_after_a_restart_rates_are_over_the_time_in_which_they_were_made() -> None:
    """A day's alarms, and a gateway that has run for a minute: not a thousand in ten minutes."""
    plant = Plant()
    for number in range(144):
        plant.up(f"Pump{number % 7}.Hi", number * 600)
        plant.then(f"Line1.Pump{number % 7}.Hi", Kind.CLEAR, State.ACK_RTN, number * 600 + 30)
    before = plant.figures(0, 86_400)
    assert before.average_rate == 1.0
    keeper = FigureKeeper({}, FigureRules(), START + 86_460)
    keeper.restore(map(moment_of, plant.changes), START)
    keeper.restore_sights([(START, Sight.GOOD), (START + 86_400, Sight.BLIND)])
    keeper.seen(START + 86_460, Sight.GOOD)
    report = keeper.report((), begin=START, end=START + 86_520)
    assert report.observed == 86_460.0
    assert math.isclose(report.figures[0].average_rate, 144 / 144.1)


def test_a_restart_begins_no_flood_of_what_is_long_over() -> None:
    plant = Plant()
    for number in range(50):
        plant.up(f"Pump{number}.Hi", number * 1000)
    keeper = FigureKeeper({}, FigureRules(), START + 60_000)
    keeper.restore(map(moment_of, plant.changes[:20]), START)
    keeper.restore(map(moment_of, plant.changes[20:]), START)
    assert (keeper.floods, keeper.rates) == ([], {EVERYTHING: 1})
    keeper.advance(START + 60_000)
    assert keeper.rates == {EVERYTHING: 0}


@pytest.mark.parametrize("seed", range(8))
def test_the_history_gives_the_figures_that_were_told_live(tmp_path: Path, seed: int) -> None:
    """Written, read back, and in a keeper of another run: the same report, for every position."""
    chance = random.Random(seed)
    positions = {"west": ["Line1"], "east": ["Line2", "Line3"]}
    plant = Plant(**positions)
    at = 0.0
    for _ in range(400):
        at += chance.choice((0.1, 2.0, 15.0, 55.0, 400.0))
        name, area = f"T{chance.randrange(9)}.Hi", f"Line{chance.randrange(1, 4)}"
        key = f"{area}.{name}"
        if f"galaxy!{key}".casefold() not in plant.alarms or chance.random() < 0.2:
            # A tenth of them are told far too late.
            late = 3000.0 if chance.random() < 0.1 else 0.0
            mode = chance.choice((Mode.ENABLED, Mode.ENABLED, Mode.SILENCED, Mode.UNKNOWN))
            facts = {"priority": chance.randrange(1, 1000), "mode": mode, "is_shelved": chance.random() < 0.1}
            plant.up(name, at - late, chance.choice((Origin.LIVE, Origin.INFERRED, Origin.SWITCH)), area=area, **facts)
        elif chance.random() < 0.5:
            plant.then(key, Kind.ACKNOWLEDGE, State.ACK_ALM, at)
        else:
            plant.then(key, Kind.CLEAR, chance.choice((State.UNACK_RTN, State.ACK_RTN)), at)
    file = HistoryFile(tmp_path / "alarms.db", HistoryLimits())
    file.append(plant.changes)
    file.close()
    restored = FigureKeeper(positions, FigureRules(), START + at)
    reader = HistoryReader(tmp_path / "alarms.db")
    restored.restore(reader.moments(0, 10_000, 10_000), START)
    restored.restore_sights([(START, Sight.GOOD)])
    for begin, end in ((0.0, at + 1), (at / 3, at / 2), (at - 700, at + 100)):
        span = {"begin": START + begin, "end": START + end}
        assert restored.report(plant.alarms.values(), **span) == plant.keeper.report(plant.alarms.values(), **span)
    assert restored.floods == plant.keeper.floods


def test_a_frozen_keeper_tells_what_was_and_no_more() -> None:
    """For a report in another thread, while changes come."""
    plant = Plant()
    alarm = plant.up("A.Hi", 0)
    frozen = plant.keeper.frozen()
    before = frozen.report([alarm], begin=START, end=START + 600)
    plant.then("Line1.A.Hi", Kind.CLEAR, State.UNACK_RTN, 5)
    plant.up("B.Hi", 10)
    plant.keeper.seen(START + 20, Sight.BLIND)
    assert frozen.report([alarm], begin=START, end=START + 600) == before
    assert plant.figures(0, 600).annunciated == 2
