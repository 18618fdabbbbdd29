"""The model of the watch list."""

from mxgateway import to_mx_value
from mxgateway_cli.tui.watch_list import WatchList

from .fake_plant import attribute, change


def test_a_tag_is_watched_once_whatever_its_case() -> None:
    """References do not differ by case; a second choice only adds what the Galaxy says."""
    tags = WatchList()
    assert tags.add("Tank.Level")
    described = attribute("Tank", "Level", 3, "Float")
    assert not tags.add("TANK.LEVEL", described)
    assert len(tags) == 1
    row = tags.get("tank.level")
    assert row is not None
    assert row.attribute is described


def test_grades_follow_quality_status_and_connection() -> None:
    """The colour of a value is that of its quality, of its status, and of the connection."""
    tags = WatchList()
    tags.add("A.B")
    row = tags.get("A.B")
    assert row is not None
    assert row.grade == "waiting"
    for quality, grade in ((192, "good"), (64, "uncertain"), (0, "bad"), (32, "bad"), (216, "good")):
        tags.apply("A.B", change(to_mx_value(1), quality=quality), 1.0)
        assert row.grade == grade
    tags.apply("A.B", change(to_mx_value(1), success=0, category=6, detail=6), 2.0)
    assert row.grade == "bad"
    assert "detail 6" in row.failure
    tags.apply("A.B", change(to_mx_value(1)), 3.0)
    assert row.grade == "good"


def test_a_lost_connection_makes_values_history() -> None:
    """No value stays silently as it was; the next one is present again."""
    tags = WatchList()
    tags.add("A.B")
    tags.apply("A.B", change(to_mx_value(1)), 1.0)
    tags.link_lost()
    row = tags.get("A.B")
    assert row is not None
    assert row.grade == "stale"
    tags.apply("A.B", change(to_mx_value(2)), 2.0)
    assert (row.grade, row.text, row.age(2.5)) == ("good", "2", 0.5)


def test_a_removed_tag_takes_no_more_events() -> None:
    """An event that was under way when its tag was removed does nothing."""
    tags = WatchList()
    tags.add("A.B")
    tags.remove("a.b")
    tags.apply("A.B", change(to_mx_value(1)), 1.0)
    assert len(tags) == 0
    assert "A.B" not in tags


def test_a_refused_tag_says_why() -> None:
    """What MXAccess does not take is bad, with the reason."""
    tags = WatchList()
    tags.add("A.B")
    tags.refuse("A.B", "no such thing")
    row = tags.get("A.B")
    assert row is not None
    assert (row.grade, row.failure) == ("bad", "no such thing")


def test_rates_add_up() -> None:
    """The rate of the list is the sum of its tags' rates over the last ten seconds."""
    tags = WatchList()
    tags.add("A.B")
    tags.add("C.D")
    for second in range(11):
        tags.apply("A.B", change(to_mx_value(second)), float(second))
        tags.apply("C.D", change(to_mx_value(second)), float(second))
    assert tags.rate(10.0) == 2.0
    assert tags.rate(100.0) == 0.0
