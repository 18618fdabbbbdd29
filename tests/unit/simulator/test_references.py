"""References: what the grammar takes, and what it leads to."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.simulator.conftest import MakeSession
from tests.unit.simulator.plant_session import PlantSession, boolean

from mxgateway_contract.references import WHOLE, ReferenceSyntaxError, parse_reference
from mxgateway_protocol.variants import DataType, Variant, VarType
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description
from mxgateway_simulator.errors import GalaxyDescriptionError
from mxgateway_simulator.plant.galaxy_file import LOOK_UPS, GalaxyFile


@pytest.mark.parametrize(
    ("text", "segments", "attribute", "index", "prop"),
    [
        ("A.B", ("A", "B"), "", None, ""),
        ("A", ("A",), "", None, ""),
        ("A.B.C.D", ("A", "B", "C", "D"), "", None, ""),
        ("A.B[]", ("A", "B"), "", WHOLE, ""),
        ("A.B[-1]", ("A", "B"), "", WHOLE, ""),
        ("A.B[12]", ("A", "B"), "", 12, ""),
        ("A.B[3].Quality", ("A", "B"), "", 3, "quality"),
        ("A.B.property(Buffer)", ("A", "B"), "", None, "buffer"),
        ("A.attribute(B.C)", ("A",), "B.C", None, ""),
        ("A.attribute(B.C).Time", ("A",), "B.C", None, "time"),
        ("A.B.Quality", ("A", "B", "Quality"), "", None, ""),
    ],
)
def test_references_come_apart(
    text: str, segments: tuple[str, ...], attribute: str, index: int | None, prop: str
) -> None:
    """Object and attribute names, array part and property are told apart."""
    found = parse_reference(text)
    assert (found.segments, found.attribute, found.index, found.property) == (segments, attribute, index, prop)


@pytest.mark.parametrize(
    "text", ["", " ", ".", "A.", ".A", "A..B", "A[", "A]", "A[-]", "A[1]B", "A[1].Nonsense", "A" * 500]
)
def test_what_can_be_no_reference(text: str) -> None:
    """Nonsense is refused, and by nothing but the one error."""
    with pytest.raises(ReferenceSyntaxError):
        parse_reference(text)


@pytest.mark.parametrize(
    ("reference", "context", "value"),
    [
        ("TestMachine_001.DelmiaReceiver.TagName", "", "DelmiaReceiver_001"),
        ("DelmiaReceiver_001.TagName", "", "DelmiaReceiver_001"),
        ("testMACHINE_001.delmiareceiver.tagname", "", "DelmiaReceiver_001"),
        ("Me.TagName", "TestMachine_001", "TestMachine_001"),
        ("Me.DelmiaReceiver.TagName", "TestMachine_001", "DelmiaReceiver_001"),
        ("me.tagname", "TestMachine_001.MESReceiver", "MESReceiver_001"),
        ("MyContainer.TagName", "DelmiaReceiver_001", "TestMachine_001"),
        ("MyContainer.MESReceiver.TagName", "DelmiaReceiver_001", "MESReceiver_001"),
        ("MyArea.TagName", "DelmiaReceiver_001", "TestArea"),
        ("MyHost.TagName", "TestMachine_001", "DevAppEngine"),
        ("MyEngine.TagName", "DelmiaReceiver_001", "DevAppEngine"),
        ("MyPlatform.TagName", "DelmiaReceiver_001", "DevPlatform"),
        ("TestMachine_001.Container", "", ""),
        ("DelmiaReceiver_001.Container", "", "TestMachine_001"),
        ("TestMachine_001.SiteCode.Name", "", "SiteCode"),
        ("TestChildObject.TestInt.Type", "", DataType.INTEGER),
        ("TestChildObject.TestInt.Quality", "", 0),
        ("TestChildObject.TestInt.Category", "", 10),
        ("TestChildObject.ClassTune.SecurityClassification", "", 4),
        ("TestChildObject.LockedValue.Locked", "", True),
        ("TestChildObject.TestIntArray.Dimension1", "", 50),
        ("TestChildObject.TestInt.01", "", True),
        ("TestChildObject.TestInt.00", "", True),
        ("TestChildObject.TestInt.Value", "", 99),
        ("DelmiaReceiver_001.TestAttribute", "", False),
        ("MESReceiver_001.MoveOutErrorText", "", ""),
        ("MESReceiver_001.MoveInPartNumbers[2]", "", "PN-100246"),
        ("DevPlatform.SystemStartupTime.Type", "", DataType.TIME),
        ("DevPlatform.PageFaultsAvg.Type", "", DataType.FLOAT),
        ("DevPlatform.CPULoadAvg.Type", "", DataType.FLOAT),
        ("TestChildObject.property(Value)", "", None),
        ("TestChildObject.attribute(TestInt)", "", 99),
        ("TestMachine_001.TestAlarm001.Priority", "", 500),
        ("TestMachine_001.TestAlarm002.Priority", "", 250),
        ("TestMachine_001.TestHistoryValue.EngUnits", "", "degC"),
        ("TestMachine_001.TestChangingInt.Description", "", "Counts once a second"),
        ("DeepObject.DeepValue", "", 1),
        ("OverriddenObject.SP", "", 7.5),
        ("DEV.Contained.SP", "", 5.0),
        ("Kühlmaschine_1.Größe", "", 1.5),
        ("KÜHLMASCHINE_1.GRÖSSE", "", 1.5),
        ("kühlmaschine_1.größe.Name", "", "Größe"),
        ("ME.grÖße", "KÜHLMASCHINE_1", 1.5),
        ("KÜHLMASCHINE_1.attribute(GRÖßE)", "", 1.5),
        ("KÜHLMASCHINE_2.Größe", "", None),
        ("Kuhlmaschine_1.Größe", "", None),
        ("TestMachine_001.DerivedFrom", "", "$TestMachine"),
        ("DevTestObject.Followed.Time.Time", "", None),
        ("Me.TagName", "", None),
        ("MyContainer.TagName", "TestMachine_001", None),
        ("UndeployedObject.SP", "", None),
        ("ChangedObject.AddedLater", "", None),
        ("$TestMachine.SiteCode", "", None),
        ("TestChildObject.TestInt[1]", "", None),
        ("TestChildObject.TestFloat.01", "", None),
        ("TestChildObject.TestInt.32", "", None),
        ("TestChildObject.TestIntArray.00", "", None),
        ("TestChildObject.TestIntArray[].00", "", None),
        ("TestChildObject.TestIntArray[3].00", "", True),
        ("TestChildObject.TestIntArray[3].01", "", True),
        ("TestChildObject.TestIntArray[3].Type", "", DataType.INTEGER),
        ("TestChildObject.TestIntArray[3].Dimension1", "", 50),
        ("TestChildObject.attribute(TestIntArray)[3]", "", 3),
        ("TestChildObject.ATTRIBUTE(testintarray)[3].PROPERTY(Name)", "", "TestIntArray"),
        ("TestChildObject", "", None),
    ],
)
def test_what_references_lead_to(reader: PlantSession, reference: str, context: str, value: object) -> None:
    """Absolute and relative references, contained paths, properties and bits; None is a failed status."""
    found = reader.read(reference, context)
    if value is None:
        assert found.status.success == 0
        assert found.variant.vartype == VarType.VT_EMPTY
    else:
        assert found.status.success == -1
        assert found.value == value


def test_an_object_alone_means_its_pv(reader: PlantSession) -> None:
    """Without an attribute .PV is meant."""
    assert reader.read("DevTestObject").value == reader.read("DevTestObject.PV").value


def test_time_property_is_the_time_of_the_value(reader: PlantSession) -> None:
    """The Time property shows what the value's callback carries as its time."""
    assert reader.read("DevTestObject.PV.Time").value == reader.read("DevTestObject.PV").timestamp_ns


def test_bits_can_be_written(session: PlantSession) -> None:
    """Writing a bit changes the Integer, bit 31 its sign."""
    number = session.advised("TestChildObject.TestInt")
    session.write(session.advised("TestChildObject.TestInt.02"), boolean(True))
    assert session.read("TestChildObject.TestInt").value == 103
    session.write(session.advised("TestChildObject.TestInt.31"), boolean(True))
    assert session.read("TestChildObject.TestInt").value == 103 - 2**31
    assert session.outcome(session.advised("TestChildObject.TestInt.Quality"), boolean(True)) == (0, 5, 5, 1007)
    assert number


def test_look_ups_use_indices_only(reference_galaxy: Path) -> None:
    """No statement that runs while a reference is resolved scans a table."""
    with closing(GalaxyFile(reference_galaxy)) as galaxy:
        for sql in LOOK_UPS:
            plan = galaxy.query_plan(sql)
            assert plan
            assert not [step for step in plan if step.startswith("SCAN")], (sql, plan)
            names = [step for step in plan if "tag_name=?" in step or "attribute_name=?" in step]
            assert "tag_name = ?" not in sql or names, (sql, plan)


PIECES = st.sampled_from(
    [
        *[
            "TestChildObject",
            "TestInt",
            "TestIntArray",
            "Me",
            "MyArea",
            "MyContainer",
            ".",
            "..",
            "[",
            "]",
            "[]",
            "[1]",
        ],
        *["[-1]", "[99999999999]", ".Quality", ".31", ".32", "property(", ")", "attribute(", "$", "%", "_", "'", '"'],
        *["\0", "\ud800", "ß"],
    ]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    reference=st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=30),
    context=st.lists(PIECES, max_size=3).map("".join),
)
def test_any_text_ends_in_one_callback(reader: PlantSession, reference: str, context: str) -> None:
    """Whatever the text, AddItem takes it, and one callback says what it leads to."""
    found = reader.read(reference, context)
    assert (found.status.success == 0) == (found.variant.vartype == VarType.VT_EMPTY)


def test_names_in_any_alphabet_compare_without_case(make_session: MakeSession, tmp_path: Path) -> None:
    """Objects, contained names, attributes and their extensions are found in any spelling of their case."""
    text = """
galaxy: Letters
templates:
  $Клапан: {attributes: {Поток: {type: Integer, value: 3, security: FreeAccess}}}
  $T:
    attributes: {Störung: {type: Boolean, alarm: {Priority: 7}}}
    contains: {Äußeres: {template: $Клапан}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  Ölpumpe: {template: $T, host: E, attributes: {STÖRUNG: {alarm: {Category: Oil}}}}
"""
    build_galaxy(parse_description(text, "letters.yaml"), tmp_path / "letters.db")
    session = make_session(tmp_path / "letters.db")
    for reference, value in {
        "ölpumpe.STÖRUNG.priority": 7,
        "ÖLPUMPE.störung.CATEGORY": "Oil",
        "ÖLPUMPE.ÄUSSERES.ПОТОК": 3,
        "ölpumpe_äußeres.поток": 3,
        "Ölpumpe.Äusseres.TagName": "Ölpumpe_Äußeres",
    }.items():
        assert session.read(reference).value == value
    watched = session.advised("ÖLPUMPE.äusseres.поток")
    session.write(session.advised("Ölpumpe.Äußeres.Поток"), Variant(VarType.VT_I4, 9))
    assert session.read("ölpumpe.ÄUSSERES.поток").value == 9
    assert watched
    with pytest.raises(GalaxyDescriptionError, match="names compare without case"):
        parse_description("galaxy: G\ntemplates: {$T: {attributes: {Maße: {type: Float}, MASSE: {type: Float}}}}", "g")


def test_a_galaxy_of_before_has_no_other_spellings(
    make_session: MakeSession, reference_galaxy: Path, tmp_path: Path
) -> None:
    """A database without the table of spellings still opens; names compare without case in ASCII."""
    old = Path(shutil.copy(reference_galaxy, tmp_path / "old.db"))
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("DROP TABLE sim_spelling")
    session = make_session(old)
    assert session.read("testCHILDobject.TESTint").value == 99
    assert session.read("KÜHLMASCHINE_1.PV").status.success == 0
