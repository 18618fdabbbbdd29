"""A list beside the one before: what is seen without cutting is what cutting finds."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from mxgateway_protocol.alarms.comparing import Compared, KnownList, compare
from mxgateway_protocol.alarms.provider import ProviderError
from mxgateway_protocol.alarms.reader import RecordReader
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.times import RecordClock
from mxgateway_simulator.alarm_xml import record_xml

HEAD, TAIL = '<?xml version="1.0"?><ALARM_RECORDS COUNT="7">', "</ALARM_RECORDS>"


def text_of(records: list[str]) -> str:
    return HEAD + "".join(f"<ALARM>{record}</ALARM>" for record in records) + TAIL


def known(compared: Compared) -> KnownList:
    records: list[AlarmRecord | None] = [AlarmRecord("G", "A", each, "UNACK_ALM") for each in compared.slices]
    return KnownList(compared.text, compared.begin, compared.slices, records)


def first(text: str) -> KnownList:
    return known(compare(KnownList("", -1, [], []), text))


def agrees(before: KnownList, text: str) -> Compared:
    """What is found, which is what is found by cutting everything."""
    found = compare(before, text)
    by_cutting = compare(before._replace(begin=-1), text)
    assert found.slices == by_cutting.slices
    assert Counter(found.known) == Counter(by_cutting.known)
    assert all(each is None or each.name == piece for each, piece in zip(found.known, found.slices, strict=True))
    assert sum(found.matched) == sum(by_cutting.matched)
    return found


def edited(chance: random.Random, records: list[str]) -> list[str]:
    new = list(records)
    for _ in range(chance.choice((0, 1, 2, 30))):
        what, place = chance.choice(("come", "go", "change", "longer", "move")), chance.randrange(len(new) + 1)
        if what == "come" or not new:
            new.insert(place, f"<TAGNAME>new {chance.randrange(99)}</TAGNAME>")
            continue
        place %= len(new)
        if what == "go":
            del new[place]
        elif what == "move":
            new.insert(chance.randrange(len(new)), new.pop(place))
        else:
            # Of the same length, and of another.
            new[place] = new[place].replace("UNACK", "ACKED") + ("<ü/>" if what == "longer" else "")
    return new


@pytest.mark.parametrize("seed", range(80))
def test_one_list_after_the_other_is_compared_as_if_each_were_cut(seed: int) -> None:
    chance = random.Random(seed)
    records = [
        f"<TAGNAME>T{chance.randrange(9999)}</TAGNAME><STATE>UNACK_ALM</STATE>"
        for _ in range(chance.choice((0, 1, 32, 33, 500)))
    ]
    before = first(text_of(records) if records else text_of(["<TAGNAME>T</TAGNAME>"]))
    for _ in range(6):
        records = edited(chance, records)
        if records:
            before = known(agrees(before, text_of(records)))


HOSTILE = (
    *("</ALARM>", "<ALARM>", "]]>", "<![CDATA[", "<!-- x", "-->", "&amp;", "&#0;", "&lol;", "<?xml?>", "<!DOCTYPE x>"),
    *('"quoted"', "'", "a\tb", "a\nb", "Tür.Öffnet", "确认", "\U0001f6a8", "</ALARM_RECORDS>", " ", "x" * 300),
)


def test_names_that_look_like_xml_are_names() -> None:
    """In one list after the other, in which such alarms come, change and go."""
    chance = random.Random(4)
    reader = RecordReader(RecordClock(lambda _moment, _fold: 0, "ymd"))
    now = 1_800_000_000 * 10**9
    listed: dict[str, AlarmRecord] = {}
    for turn in range(200):
        for _ in range(chance.choice((0, 1, 5))):
            name = f"O_{chance.randrange(60)}.{chance.choice(HOSTILE)}X"
            state = chance.choice(("UNACK_ALM", "ACK_ALM", ""))
            listed.pop(name, None)
            if state:
                comment = chance.choice(HOSTILE) + f"{turn}"
                listed[name] = AlarmRecord(
                    *("Galaxy", f"Hall & {chance.choice(HOSTILE).strip()}y", name, state),
                    changed_ns=now,
                    raised_ns=now,
                    comment=comment,
                    description=chance.choice(HOSTILE),
                )
        records = list(listed.values())
        text = HEAD + "".join(record_xml(each, lambda _moment, _fold: 0, "ymd") for each in records) + TAIL
        before = {record.name: record for record in reader._before.records if record is not None}
        result = reader.read(text, now)
        after = {record.name: record for record in reader._before.records if record is not None}
        assert {(each.name, each.group, each.state, each.comment) for each in after.values()} == {
            (each.name, each.group, each.state, each.comment) for each in records
        }
        assert {each.name for each in result.fresh} == {name for name in after if before.get(name) != after[name]}
        assert {each.name for each in result.gone} == {name for name in before if before[name] != after.get(name)}


RECORDS = [f"<TAGNAME>T{number}</TAGNAME>" for number in range(100)]
CHANGED = [*RECORDS[:50], "<TAGNAME>other</TAGNAME>", *RECORDS[51:]]


@pytest.mark.parametrize(
    "odd",
    [
        text_of(CHANGED).replace("<ALARM>", "\n  <ALARM>"),
        text_of(CHANGED).replace("<TAGNAME>other", "<!-- </ALARM> --><TAGNAME>other"),
        text_of(CHANGED).replace("other", "<![CDATA[</ALARM>]]>"),
        text_of(CHANGED).replace("</ALARM_RECORDS>", "<!-- the end --></ALARM_RECORDS>"),
        text_of(CHANGED).replace("</ALARM_RECORDS>", " " * 5000 + "</ALARM_RECORDS>\n"),
        text_of(CHANGED).replace('"7"', f'"7" more="{"x" * 5000}"'),
        # As long as what becomes of it.
        text_of(CHANGED).replace("other", "<![CDATA[<<<<]]>"),
        text_of(CHANGED).replace("other", "\ud800 half"),
        text_of(CHANGED).replace("<ALARM><TAGNAME>other", '<ALARM kind="odd"><TAGNAME>other'),
        text_of(RECORDS[:10]),
        text_of(RECORDS[90:]),
        text_of(list(reversed(RECORDS))),
    ],
)
def test_a_list_of_another_form_is_found_to_be_what_it_is(odd: str) -> None:
    plain = first(text_of(RECORDS))
    assert plain.begin == len(HEAD)
    after = known(agrees(plain, odd))
    assert after.begin < 0 or "<!" not in odd
    agrees(after, text_of(RECORDS))
    agrees(after, odd.replace("T9<", "T98<"))


@pytest.mark.parametrize(
    "broken",
    [
        text_of(CHANGED)[:-40],
        text_of(CHANGED)[:2000],
        text_of(CHANGED).replace(TAIL, ""),
        text_of(CHANGED) + "more",
        text_of(CHANGED).replace("ALARM_RECORDS", "OTHER"),
        '<!DOCTYPE x [<!ENTITY e "e">]>' + text_of(CHANGED),
    ],
)
def test_what_is_no_list_is_none_beside_one_either(broken: str) -> None:
    for before in (first(text_of(RECORDS)), first(text_of(CHANGED)), KnownList("", -1, [], [])):
        with pytest.raises(ProviderError):
            compare(before, broken)
