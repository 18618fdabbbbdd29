"""Lists of tags as people have them, and what is said of files that are none."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxgateway_cli.tag_files import Kind, ListError, TagFile, is_comment, parse

DUMP = """; Created on 1/31/2026
:TEMPLATE=$Tank
:Tagname,Area,SecurityGroup,Container,ContainedName,ShortDesc,Level
Tank_001,Plant,Default,,,"first, with comma",42
#Tank_2,Plant,Default,,,,

:TEMPLATE=$Pump
:Tagname,Area,SecurityGroup,Container,ContainedName,ShortDesc
Pump_001,Plant,Default,,,
"""


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("tag\nA.B\nC.D\n", ["A.B", "C.D"]),
        ("A.B\r\nC.D\r\n", ["A.B", "C.D"]),
        ("A.B\rC.D", ["A.B", "C.D"]),
        ("A.B[]\nA.C[3]\nA.D.Quality\nA.E.attribute(x)\nTank_1.In.PV\nPump\n", None),
        ("Tag Name;Unit\nA.B;bar\n", ["A.B"]),
        ("Unit\tReference\nbar\tA.B\n", ["A.B"]),
        ("sep=|\nfull_tag_reference|x\nA.B|1\n", ["A.B"]),
        ('No,Point of interest,Remark\n1,A.B,"first; second."\n2,C.D,\n', ["A.B", "C.D"]),
        ("1,A.B\n2,C.D\n", ["A.B", "C.D"]),
        ("Object,Attribute,Type\nTank_1,Level,Float\n", ["Tank_1.Level"]),
        ('"A.B","x, y"\n"C.D",""\n', ["A.B", "C.D"]),
        ("#Pump.PV\n$Line.PV\n# a comment\n#\n#: also one\n", ["#Pump.PV", "$Line.PV"]),
        ("Ventil_Öl.PV\n温度.值\n", ["Ventil_Öl.PV", "温度.值"]),
        ("A.B\na.b\nA.b\nC.D\n", ["A.B", "C.D"]),
        ("Galaxy:A.B\n", ["A.B"]),
        ('{"tags": [{"tag": "A.B", "type": "Float"}]}', ["A.B"]),
        ('{"results": [{"tagAddress": "A.B"}]}', ["A.B"]),
        ('[{"tag": "A.B"}, {"tag": "C.D"}]', ["A.B", "C.D"]),
        ('["A.B", "C.D"]', ["A.B", "C.D"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be with mark", "utf-16-le without"])
def test_lists_of_all_forms(text: str, tags: list[str] | None, encoding: str) -> None:
    """Any separator, header, line end and encoding that spreadsheets and editors write."""
    data = {
        "utf-16-be with mark": codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        "utf-16-le without": text.encode("utf-16-le"),
    }.get(encoding) or text.encode(encoding)
    if encoding == "utf-16-le without" and not text.isascii():
        pytest.skip("without a mark only what is mostly ASCII shows that it is UTF-16")
    found = parse(data)
    assert found.kind is Kind.LIST
    if tags is not None:
        assert list(found.tags) == tags
    else:
        assert len(found.tags) >= 2


def test_a_spreadsheet_in_a_code_page_is_read_and_told() -> None:
    found = parse("tag;Bemerkung\nKühlung.PV;größer\n".encode("cp1252"))
    assert found.tags == ("Kühlung.PV",)
    assert "Windows-1252" in found.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_galaxy_dump_names_its_objects(encoding: str, end: str) -> None:
    """Sections of several templates, comments, names that begin with #."""
    found = parse(DUMP.replace("\n", end).encode(encoding))
    assert (found.kind, found.tags) == (Kind.GALAXY_DUMP, ("Tank_001", "#Tank_2", "Pump_001"))


def test_a_kepware_list_says_what_it_is() -> None:
    found = parse(b'Tag Name,Address,Data Type\n"Line4.Level",400001,Word\n"Tank_1.PV",400002,Word\n')
    assert (found.kind, found.tags) == (Kind.KEPWARE, ("Line4.Level", "Tank_1.PV"))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel workbook"),
        (b"MSCFrest", "Galaxy package"),
        (b"%PDF-1.7", "a PDF"),
        (b"PAR1", "Parquet"),
        (b"<?xml version='1.0'?><x/>", "XML"),
        (b"{broken", "JSON"),
        (b'{"a": 1}', "JSON without tags"),
        (b":mode=ask\n:IODisc,Group\n", "DB dump of InTouch"),
        (b":TEMPLATE=$Tank\n:Tagname,Area\n", "without objects"),
        (b":TEMPLATE=$Tank\nTank_1,Plant\n", "without :Tagname"),
        (b"\x00\x01\x02\x00\xff\xfe", "no text"),
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"# only a comment\n", "no tags"),
        (b"a,b,c\n1,2,3\n", "no column holds tags (the first line is: a, b, c)"),
        (b"x" * 1_000_000, "is no tag"),
        (b'"' + b"x\n" * 100_000, "is no tag"),
        (codecs.BOM_UTF16_LE + b"a", "damaged"),
    ],
)
def test_what_is_no_list_is_named_in_one_line(data: bytes, what: str) -> None:
    with pytest.raises(ListError) as refusal:
        parse(data)
    assert what in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 250


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=500, deadline=None)
def test_no_file_gives_a_traceback(data: bytes) -> None:
    try:
        found = parse(data)
    except ListError:
        return
    assert isinstance(found, TagFile)
    assert found.tags


@pytest.mark.parametrize(
    ("line", "is_one"),
    [("# text", True), ("#", True), ("## a b", True), ("#Pump", False), ("#Pump.PV", False), ("#1.Level[]", False)],
)
def test_comments_are_lines_that_can_be_no_tag(line: str, is_one: bool) -> None:
    assert is_comment(line) is is_one


def test_what_was_left_out_is_counted() -> None:
    found = parse(b"tag\nA.B\na.b\n# c\n")
    assert (found.doubles, found.comments) == (1, 1)
