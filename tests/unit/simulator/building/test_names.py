"""Names by the product's rules."""

from __future__ import annotations

import pytest

from mxgateway_simulator.building import names


@pytest.mark.parametrize("name", ["T", "Pump_001", "Pump#1", "#Pump", "A$B", "1A", "_A", "Größe", "M" * 128, "Meter"])
def test_instances_may_be_called_so(name: str) -> None:
    assert names.instance_problem(name) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("$Pump", "take the $ out"),
        ("P P", "use letters"),
        ("P.P", "use letters"),
        ("P-1", "use letters"),
        ("", "use letters"),
        ("123", "needs a letter"),
        ("#_1", "needs a letter"),
        ("M" * 129, "128 characters at most"),
        *(
            (word, "reserved word")
            for word in ("Me", "myarea", "MYHOST", "MyContainer", "MyPlatform", "MyEngine", "System")
        ),
    ],
)
def test_instances_may_not_be_called_so(name: str, words: str) -> None:
    assert words in names.instance_problem(name)


@pytest.mark.parametrize(
    ("category", "longest"), [(1, 127), (4, 32), (16, 32), (17, 32), (26, 32), (10, 128), (13, 128)]
)
def test_some_kinds_of_instances_have_shorter_names(category: int, longest: int) -> None:
    assert names.instance_problem("a" * longest, category) == ""
    assert f"{longest} characters at most" in names.instance_problem("a" * (longest + 1), category)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("$Pump", ""),
        ("$P#1$x", ""),
        ("$" + "a" * 31, ""),
        ("$" + "a" * 32, "32 characters at most"),
        ("Pump", "write $Pump"),
        ("$$Pump", "only the first"),
        ("$1", "needs a letter"),
        ("$System", "reserved word"),
        ("$A B", "use letters"),
    ],
)
def test_templates(name: str, words: str) -> None:
    problem = names.template_problem(name)
    assert words in problem
    assert bool(problem) == bool(words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PV", ""),
        ("Flow#1", ""),
        ("A.B.C", ""),
        ("_Hidden", ""),
        ("Topic.TQ2_001", ""),
        ("a" * 329, ""),
        ("a" * 330, "at most"),
        ("1A", "a letter or _ first"),
        ("A.01", "a letter or _ first"),
        ("A..B", "no attribute name"),
        ("A.", "no attribute name"),
        ("N7:0", "no attribute name"),
        ("A[1]", "no attribute name"),
    ],
)
def test_attributes(name: str, words: str) -> None:
    """A part that is a number would read as a bit."""
    problem = names.attribute_problem(name)
    assert words in problem
    assert bool(problem) == bool(words)


def test_an_object_and_its_attribute_have_329_characters_together() -> None:
    assert names.reference_problem("T" * 128, "a" * 200) == ""
    assert "329 at most" in names.reference_problem("T" * 128, "a" * 201)
