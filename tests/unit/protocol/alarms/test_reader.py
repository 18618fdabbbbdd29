"""The XML of alarm lists: tolerant of what is not known, strict about what could harm, cheap when little changes."""

from __future__ import annotations

import random
import time

import pytest

from mxgateway_protocol.alarms.asking import ListReader
from mxgateway_protocol.alarms.comparing import LONGEST_LIST
from mxgateway_protocol.alarms.provider import PollResult, ProviderError
from mxgateway_protocol.alarms.reader import RecordReader
from mxgateway_protocol.alarms.records import AlarmRecord, split_reference
from mxgateway_protocol.alarms.slices import LONGEST_RECORD
from mxgateway_protocol.alarms.times import RecordClock
from mxgateway_protocol.alarms.zones import zone_offset
from mxgateway_simulator.alarm_xml import HEAD, TAIL, record_xml

NOW = 1_800_000_000 * 10**9
UTC = zone_offset("UTC")


def reader(order: str = "mdy") -> RecordReader:
    return RecordReader(RecordClock(UTC, order))


def listing(*records: str) -> str:
    return HEAD.format(count=len(records)) + "".join(records) + TAIL


def record(name: str = "Pump.Trip", state: str = "UNACK_ALM", **fields: object) -> AlarmRecord:
    known: dict[str, object] = {"guid": "6a021ad7-b168-5090-a370-802c3c712211", "changed_ns": NOW - 10**9}
    return AlarmRecord("Galaxy", "Hall", name, state, **{**known, **fields})  # type: ignore[arg-type]


def xml(each: AlarmRecord) -> str:
    return record_xml(each, UTC, "mdy")


FULL = record(
    name="Tank_01.Level.Hi",
    node="NODE1",
    priority=77,
    type_name="HI",
    alarm_class="VALUE",
    value="95.2",
    limit="90",
    description='Überdruck <„3“> & mehr; 圧力 ⚠\nline two "quoted"',
    raised_ns=NOW - 9 * 10**9,
    acked_ns=NOW - 2 * 10**9,
    cleared_ns=NOW - 3 * 10**9,
    user="anna",
    user_node="PC1",
    comment="it's <b>!</b>",
    mode="SILENCED",
    shelved_until_ns=NOW + 60 * 10**9,
    shelve_user="bert",
    shelve_node="PC2",
    shelve_reason="repair",
    area_path=("Hall", "Site"),
)


def test_what_the_simulator_writes_is_read_back() -> None:
    """h.37 Every field, with marks, quotes, newlines and letters of all alphabets, and names with dots."""
    (found,) = reader().read(listing(xml(FULL)), NOW).fresh
    assert found == FULL
    assert found.reference == "Galaxy!Hall.Tank_01.Level.Hi"


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("Galaxy!TestArea.TestMachine_001.TestAlarm001", ("Galaxy", "TestArea", "TestMachine_001.TestAlarm001")),
        ("Galaxy!$Area.Tank.Level.Hi", ("Galaxy", "$Area", "Tank.Level.Hi")),
        ("Galaxy!A.B!C", ("Galaxy", "A", "B!C")),
        ("no reference", None),
        ("Galaxy!Area", None),
        ("!A.B", None),
    ],
)
def test_references_are_cut_at_the_first_marks(reference: str, parts: object) -> None:
    """h.37"""
    assert split_reference(reference) == parts


MINIMAL = """<?xml version="1.0"?>
<ALARM_RECORDS COUNT="1">
  <ALARM><GUID>{BEB0F2E2-0A3C-4F5A-9D57-0011223344FF}</GUID><DATE>4/26/2026</DATE><TIME>1:02:03.5 PM</TIME>
    <PROVIDER>\\Galaxy</PROVIDER><GROUP>Hall</GROUP><TAGNAME>Pump.Trip</TAGNAME><STATE>unack_alm</STATE>
    <PRIORITY>0</PRIORITY><SOMETHING_NEW>x</SOMETHING_NEW></ALARM>
</ALARM_RECORDS>"""


def test_a_list_in_another_style_is_read() -> None:
    """h.53 Blanks between records, other names, unknown elements, missing ones, braces around GUIDs, priority 0."""
    told = reader()
    (found,) = told.read(MINIMAL, NOW).fresh
    assert (found.provider, found.group, found.name, found.state) == ("Galaxy", "Hall", "Pump.Trip", "UNACK_ALM")
    assert (found.guid, found.priority, found.comment) == ("beb0f2e2-0a3c-4f5a-9d57-0011223344ff", 1, "")
    assert told.figures.unknown_elements == {"SOMETHING_NEW": 1}


@pytest.mark.parametrize(
    "text",
    [
        "<!-- a comment --><ALARM_RECORDS><ALARM><NAME>A.B</NAME></ALARM></ALARM_RECORDS>",
        "<ALARM_RECORDS><ALARM><NAME><![CDATA[A.B]]></NAME></ALARM></ALARM_RECORDS>",
        "<alarm_records><alarm><name>A.B</name></alarm></alarm_records>",
        "<ALARM_RECORDS><ALARM x='1'><NAME>A.B</NAME></ALARM></ALARM_RECORDS>",
        "<ALARM_RECORDS><ALARM><NAME>A.B</NAME></ALARM ></ALARM_RECORDS>",
        "<ALARM_RECORDS><ALARM><NAME>A.B</NAME><COMMENT><![CDATA[<!DOCTYPE x>]]></COMMENT></ALARM></ALARM_RECORDS>",
        "\ufeff<ALARM_RECORDS><ALARM><NAME>A.B</NAME></ALARM></ALARM_RECORDS>".lstrip("\ufeff"),
    ],
)
def test_lists_that_are_well_formed_are_read(text: str) -> None:
    assert [each.name for each in reader().read(text, NOW).fresh] == ["A.B"]


@pytest.mark.parametrize("text", ["<ALARM_RECORDS/>", "<ALARM_RECORDS></ALARM_RECORDS>", listing()])
def test_an_empty_list_is_a_list(text: str) -> None:
    assert reader().read(text, NOW) == PollResult([], [], 0)


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb">' + "".join(f'<!ENTITY c{n} "&b;&b;">' for n in range(9)) + "]>"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<ALARM_RECORDS>",
        listing(xml(FULL))[:-40],
        listing(xml(FULL)).replace("</STATE>", ""),
        BOMB + "<ALARM_RECORDS><ALARM><NAME>&c1;</NAME></ALARM></ALARM_RECORDS>",
        "<!DOCTYPE ALARM_RECORDS SYSTEM 'file:///etc/passwd'><ALARM_RECORDS/>",
        "<?x <!-- ?><!DOCTYPE a><?y --> ?><ALARM_RECORDS/>",
        "<ALARM_RECORDS><!-- never ended <ALARM><NAME>A.B</NAME></ALARM></ALARM_RECORDS>",
        "<ALARM_RECORDS><ALARM><NAME>A\0B</NAME></ALARM></ALARM_RECORDS>",
        "<ALARM_RECORDS><ALARM><NAME>&unknown;</NAME></ALARM></ALARM_RECORDS>",
        "<HTML><ALARM><NAME>A.B</NAME></ALARM></HTML>",
        listing(f"<ALARM><NAME>{'x' * LONGEST_RECORD}</NAME></ALARM>"),
    ],
    ids=["empty", "text", "open", "cut", "unbalanced", "entities", "file", "hidden", "comment", "NUL",
         "entity", "HTML", "long"],
)  # fmt: skip
def test_what_is_no_list_fails_and_changes_nothing(text: str) -> None:
    """h.52 A broken answer is never an empty list: what was there before is there still."""
    told = reader()
    told.read(listing(xml(FULL)), NOW)
    with pytest.raises(ProviderError) as caught:
        told.read(text, NOW)
    assert caught.value.is_broken_answer
    assert told.read(listing(xml(FULL)), NOW) == PollResult((), (), 1)


def test_an_answer_without_end_is_refused_before_it_is_looked_at() -> None:
    """h.52"""
    with pytest.raises(ProviderError, match="characters"):
        reader().read("x" * (LONGEST_LIST + 1), NOW)


def test_halves_of_characters_do_not_fail_the_poll() -> None:
    """h.52 A broken encoding costs the letter, not the list."""
    text = listing(xml(FULL)).replace("repair", "rep\ud83dair")
    (found,) = reader().read(text, NOW).fresh
    assert found.shelve_reason == "rep\ufffdair"


def test_an_unknown_state_is_kept_as_it_is() -> None:
    """h.53"""
    (found,) = reader().read(listing(xml(record(state="SUPPRESSED_BY_DESIGN"))), NOW).fresh
    assert found.state == "SUPPRESSED_BY_DESIGN"


def test_a_time_ahead_of_the_clock_is_kept_and_counted() -> None:
    told = reader()
    found = told.read(listing(xml(record(changed_ns=NOW + 600 * 10**9)), xml(FULL)), NOW).fresh
    assert [each.is_time_ahead for each in found] == [True, False]
    assert told.figures.ahead == 1


def test_records_of_equal_time_are_all_kept() -> None:
    """h.14"""
    records = [xml(record(name=f"O_{n}.X")) for n in range(50)]
    assert len(reader().read(listing(*records), NOW).fresh) == 50


def test_a_list_that_is_cut_loses_nothing() -> None:
    """h.15 What is missing from a cut list is not gone; the next whole list tells what is."""
    told = reader()
    records = [xml(record(name=f"O_{n}.X")) for n in range(6)]
    told.read(listing(*records), NOW, 100)
    cut = told.read(listing(*records[:3]), NOW, 3)
    assert (cut.is_truncated, cut.gone, cut.fresh) == (True, [], [])
    whole = told.read(listing(*records[:2], *records[4:]), NOW, 100)
    assert sorted(each.name for each in whole.gone) == ["O_2.X", "O_3.X"]
    assert whole.fresh == []


def test_more_is_asked_for_until_the_list_is_whole() -> None:
    """h.15 As many records as were asked for mean that there are others."""
    records = [xml(record(name=f"O_{n}.X")) for n in range(70)]
    asked = []

    def ask(most: int) -> str:
        asked.append(most)
        return listing(*records[:most])

    told = ListReader(reader(), 10)
    result = told.read(ask, NOW)
    assert (asked, result.total, result.is_truncated) == ([10, 20, 40, 80], 70, False)
    told.read(ask, NOW)
    assert asked[4:] == [80]


def test_an_order_of_dates_that_shows_late_reads_all_again() -> None:
    """Nothing has happened then: it is told that the times are read anew."""
    told = RecordReader(RecordClock(UTC))
    first = listing(xml(record()).replace("01/15/2027", "04/03/2026"))
    told.read(first, NOW)
    second = first.replace(TAIL, xml(record(name="B.X")).replace("01/15/2027", "25/03/2026") + TAIL)
    result = told.read(second, NOW)
    assert result.is_reread
    assert len(result.fresh) == 2


@pytest.mark.parametrize("seed", range(8))
def test_what_changed_is_found_whatever_moved(seed: int) -> None:
    """Records that come, go, change and change places: fresh and gone are exactly the difference."""
    chosen = random.Random(seed)
    told = reader()
    now: dict[int, str] = {}
    for _ in range(30):
        before = set(now.values())
        for number in chosen.sample(range(300), chosen.choice([0, 1, 5, 120])):
            if chosen.random() < 0.4:
                now.pop(number, None)
            else:
                state = chosen.choice(["UNACK_ALM", "ACK_ALM", "UNACK_RTN"])
                now[number] = xml(record(name=f"O_{number}.X", state=state, priority=chosen.randint(1, 999)))
        if chosen.random() < 0.2:
            now = dict(chosen.sample(sorted(now.items()), len(now)))
        result = told.read(listing(*now.values()), NOW)
        after = set(now.values())
        assert sorted(xml(each) for each in result.fresh) == sorted(after - before)
        assert sorted(xml(each) for each in result.gone) == sorted(before - after)
        assert result.total == len(now)


def test_a_long_list_with_few_changes_is_cheap() -> None:
    """Bars with plenty of room for slow machines: the figures are measured by the benchmark."""
    records = [xml(FULL._replace(name=f"Unit_{n:05d}.Fault", user="")) for n in range(5000)]
    told = reader()
    told.read(listing(*records), NOW)
    records[77] = xml(FULL._replace(name="Unit_00077.Fault", state="ACK_ALM"))
    text = listing(*records)
    began = time.process_time()
    result = told.read(text, NOW)
    assert (len(result.fresh), len(result.gone)) == (1, 1)
    assert time.process_time() - began < 0.2
