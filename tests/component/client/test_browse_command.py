"""`mxgw-py browse` and globs of tags against a real gateway: which tags an object has, and what leads to an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.support.shared_gateway import shared_gateway
from tests.unit.cli.conftest import Outcome

from mxgateway.testing import LocalGateway
from mxgateway_cli.main import main

pytestmark = pytest.mark.shares_processes

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with shared_gateway("reference") as running:
        yield running


@pytest.fixture
def run(gateway: LocalGateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("BROWSE_KEY", gateway.api_key)
    where = ("--endpoint", gateway.endpoint, "--ca-file", str(gateway.ca_file), "--api-key-env", "BROWSE_KEY")

    def command(*arguments: str) -> Outcome:
        words = 2 if arguments[0] == "tags" else 1
        code = main.execute([*arguments[:words], *where, *arguments[words:]], prog_name="mxgw-py")
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return command


@pytest.mark.parametrize(
    ("arguments", "shown", "left_out"),
    [
        # An object: its own attributes with units, history and description, then what it contains.
        (
            ["TestMachine_001"],
            [
                "TestMachine_001",
                "  .Speed             Float          rpm  Speed of the spindle",
                "  .TestHistoryValue  Float          degC  history  Historized process value",
                "  .TestAlarm001      Boolean        alarm  Toggles every ten seconds",
                "  DelmiaReceiver (DelmiaReceiver_001)",
            ],
            ["ShortDesc", "TestAlarm001.Acked"],
        ),
        (["TestMachine_001", "--all"], [".ShortDesc", ".TestAlarm001.Acked", ".Speed.EngUnits"], []),
        # What is contained in it, by the names that MXAccess takes.
        (["TestMachine_001.DelmiaReceiver"], ["DelmiaReceiver (DelmiaReceiver_001)", ".PartNumber"], ["MESReceiver"]),
        (["TestArea/TestMachine_001/MESReceiver"], ["MESReceiver (MESReceiver_001)", ".MoveInPartNumbers[]"], []),
        # One attribute, or a pattern of them, wherever it comes from.
        (["testchildobject.testint"], ["TestChildObject", ".TestInt  Integer"], ["TestIntArray"]),
        (["TestChildObject.TestIntArray[]"], [".TestIntArray[]  Integer"], []),
        (["TestMachine_001.TestAlarm001.A*"], [".TestAlarm001.Acked", ".TestAlarm001.AckMsg"], [".Area"]),
        (["DevPlatform.CPULoad"], [".CPULoad  Float"], [".CPULoadAvg"]),
        # A filter keeps what leads to what it finds, at any depth.
        (
            ["--glob", "DelmiaReceiver_00?"],
            ["TestArea/", "  TestMachine_001", "    DelmiaReceiver (DelmiaReceiver_001)"],
            ["MES"],
        ),
        (["TestArea", "--glob", "TestMachine_010"], ["TestArea/", "  TestMachine_010"], ["TestMachine_011"]),
        (["--glob", "TestMachine_001", "--attributes"], ["TestArea/", "  TestMachine_001", "    .Speed"], [".Area"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value and isinstance(value[0], str) else "",
)  # fmt: skip
def test_browse_answers_which_tags(run: Run, arguments: list[str], shown: list[str], left_out: list[str]) -> None:
    """Whatever names an object or an attribute shows it, and what an engineer did not make stays behind --all."""
    outcome = run("browse", *arguments)
    assert (outcome.code, outcome.err) == (0, "")
    for text in shown:
        assert text in outcome.out
    for text in left_out:
        assert text not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "code", "remark"),
    [
        (["DevPlatform"], 0, "DevPlatform has no attributes of its own; --all shows the built-in ones"),
        (["--glob", "Nothing*"], 0, "no object has a tag name that fits Nothing*"),
        (["TestArea", "--glob", "Nothing*"], 0, "no object below TestArea has a tag name that fits Nothing*"),
        (["TestMachin_001"], 1, "did you mean TestMachine_001"),
        (["TestMachine_001.TestChangingIn"], 1, "did you mean TestMachine_001.TestChangingInt"),
        (["TestArea/Nowhere"], 1, "no object with contained path 'TestArea/Nowhere'"),
    ],
)
def test_an_empty_answer_says_what_to_do(run: Run, arguments: list[str], code: int, remark: str) -> None:
    """Nothing is never silent: stderr says why, and what to try."""
    outcome = run("browse", *arguments)
    assert outcome.code == code
    assert remark in outcome.err


def test_browse_as_json(run: Run) -> None:
    """JSON has the object that PATH names, with origin, units and description, beside what is below it."""
    document = run("browse", "TestMachine_001", "--json").json
    assert document["object"]["tagName"] == "TestMachine_001"
    speed = next(each for each in document["object"]["attributes"] if each["attributeName"] == "Speed")
    assert (speed["origin"], speed["engineeringUnits"], speed["description"]) == (
        "ATTRIBUTE_ORIGIN_CONFIGURED",
        "rpm",
        "Speed of the spindle",
    )
    assert [each["tagName"] for each in document["nodes"]] == ["DelmiaReceiver_001", "MESReceiver_001"]
    assert "attributes" not in document["nodes"][0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["TestMachine_001"], (16, {"configured"})),
        (["TestMachine_001.*"], (16, {"configured"})),
        (["TestMachine_001.Test*"], (9, {"configured"})),
        (["TestMachine_001.TestAlarm001.Ack*"], (2, {"extension"})),
        (["DevPlatform.CPULoad*"], (2, {"built-in"})),
        (["TestMachine_001.*", "--all"], (146, {"configured", "extension", "built-in"})),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_globs_take_an_engineers_own(run: Run, arguments: list[str], expected: tuple[int, set[str]]) -> None:
    """`*` is an engineer's own; a name reaches every attribute, those of extensions with a dot of its own."""
    tags = run("tags", "export", *arguments, "--json").json["tags"]
    assert (len(tags), {each["origin"] for each in tags}) == expected


def test_a_glob_that_finds_built_in_ones_only_says_how(run: Run) -> None:
    """An object without attributes of its own is no riddle."""
    outcome = run("read", "DevPlatform.*")
    assert outcome.code == 2
    assert "--all looks among built-in attributes, too" in outcome.err
