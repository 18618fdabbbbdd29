"""Numbers in words, short texts, and the type that a value is written as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mxgateway import to_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.tui.text import age_text, clock_text, fit, fit_reference, moment_text, one_line, rate_text
from mxgateway_cli.tui.words import category, data_type, failures, security_class, status_words, write_type

from .fake_plant import attribute


def test_a_refusal_names_category_number_and_meaning() -> None:
    """A failed status reads as an engineer says it."""
    status = pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_SECURITY_ERROR, detail=1012)
    expected = "security error, detail 1012: needs a secured write, with the operator's credentials"
    assert status_words(status) == expected


def test_an_unknown_detail_shows_what_mxaccess_says() -> None:
    """A number without own words takes the diagnostic text; a category beyond the contract shows its number."""
    status = pb.MxStatusProxy(success=0, category=9, detail=8000, diagnostic_text="object says no")
    assert status_words(status) == "software error, detail 8000: object says no"
    assert status_words(pb.MxStatusProxy(category=77, detail=4711)) == "category 77, detail 4711"


def test_only_failed_statuses_are_told() -> None:
    """OK, pending and unfilled statuses are no failures."""
    fine = [pb.MxStatusProxy(success=-1, category=2), pb.MxStatusProxy(success=-1, category=3), pb.MxStatusProxy()]
    assert failures(fine) == ""
    assert failures([*fine, pb.MxStatusProxy(category=5, detail=5)]).startswith("communication error, detail 5")


def test_galaxy_numbers_have_words() -> None:
    """Security class, category and data type read as in the Galaxy; unknown ones show their number."""
    assert (security_class(4), security_class(42)) == ("Tune", "class 42")
    assert (category(10), category(99)) == ("Writeable_USC_Lockable", "category 99")
    array = attribute("A", "B", 2, "Integer", is_array=True, array_dimension=7, array_dimension_present=True)
    assert data_type(array) == "Integer[7]"
    assert data_type(attribute("A", "B", 2, "Integer", is_array=True)) == "Integer[]"
    assert data_type(attribute("A", "B", 99, "")) == "type 99"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (to_mx_value(True), "bool"),
        (to_mx_value(5), "int32"),
        (to_mx_value(5, data_type="int64"), "int64"),
        (to_mx_value(5.0, data_type="float"), "float"),
        (to_mx_value(5.0), "double"),
        (to_mx_value("x"), "string"),
        (to_mx_value(5.0, data_type="elapsed"), "elapsed"),
        (to_mx_value([1, 2]), "int32[]"),
        (to_mx_value([1.0], data_type="elapsed[]"), "elapsed[]"),
        (to_mx_value(["a"]), "string[]"),
    ],
)
def test_a_live_value_says_its_type(value: pb.MxValue, expected: str) -> None:
    """The type of a write is that of the last value, whatever the Galaxy says."""
    assert write_type(value, attribute("A", "B", 1, "Boolean")) == expected


def test_the_galaxy_speaks_for_a_null() -> None:
    """Without a value the Galaxy's data type counts, and nothing is guessed without either."""
    assert write_type(to_mx_value(None), attribute("A", "B", 6, "Time")) == "timestamp"
    assert write_type(None, attribute("A", "B", 4, "Double", is_array=True)) == "double[]"
    assert write_type(None, attribute("A", "B", 13, "QualifiedEnum")) is None
    assert write_type(None, None) is None


def test_texts_fit_their_cells() -> None:
    """A text takes exactly its cells: padded, cut at the end, or cut at the front to keep what tells tags apart."""
    assert fit("ab", 4) == "ab  "
    assert fit("ab", 4, right=True) == "  ab"
    assert fit("abcdef", 4) == "abc…"
    assert fit("abc", 0) == ""


@pytest.mark.parametrize(
    ("reference", "width", "expected"),
    [
        ("A.B", 6, "A.B   "),
        ("TestMachine_001.TestHistoryValue", 24, "…ne_001.TestHistoryValue"),
        ("TestMachine_001.TestHistoryValue", 16, "…_001.Test…Value"[:16]),
        ("NoDotAtAllHere", 6, "…lHere"),
        ("日本語.値", 6, "…語.値"),
        ("A.B", 0, ""),
    ],
)
def test_a_reference_that_is_cut_still_tells_which_one_it_is(reference: str, width: int, expected: str) -> None:
    """The number of the object stays, and both ends of the attribute."""
    assert fit_reference(reference, width) == expected


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=40), st.integers(0, 50))
def test_a_reference_takes_exactly_its_cells(reference: str, width: int) -> None:
    assert cell_len(fit_reference(reference, width)) == width


@pytest.mark.parametrize("width", range(14, 33))
def test_numbered_objects_stay_apart_in_narrow_columns(width: int) -> None:
    shown = {fit_reference(f"TestMachine_{n:03}.TestHistoryValue", width) for n in range(1, 100)}
    assert len(shown) == 99


def test_control_characters_never_reach_the_terminal() -> None:
    """A string tag cannot tear the table or send an escape sequence."""
    assert one_line("a\nb\x1b[2Jc") == "a·b·[2Jc"


def test_times_and_rates_are_short() -> None:
    """Age, clock and rate in the units that their size asks for."""
    assert [age_text(seconds) for seconds in (None, 0.44, 42, 120, 7200)] == ["", "0.4 s", "42 s", "2 min", "2 h"]
    assert (clock_text(0), clock_text(1_700_000_000_123_000_000)) == ("", "22:13:20.123")
    assert (moment_text(0), moment_text(1_700_000_000_000_000_000)) == ("", "2023-11-14 22:13:20.000+00:00")
    assert (rate_text(0.25), rate_text(250.4)) == ("0.2/s", "250/s")
