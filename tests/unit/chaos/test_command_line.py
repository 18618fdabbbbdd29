"""What the command line of `make chaos` asks for."""

from __future__ import annotations

import pytest
from chaos.__main__ import options_of
from chaos.alarm_storm import AlarmStormOptions
from chaos.storm import StormOptions


def test_a_storm_over_the_alarms_is_of_the_kinds_and_pauses_that_are_asked_for() -> None:
    options, _ = options_of(["--alarms", "--faults", "7", "--kind", "cut", "--kind", "failover", "--pause", "0.02"])
    assert options == AlarmStormOptions(1, 7, ("cut", "failover"), (0.02, 0.02))
    plan = options.plan()
    assert isinstance(plan, list)
    assert len(plan) == 7
    assert set(plan) == {"cut", "failover"}


def test_what_is_not_asked_for_is_as_usual() -> None:
    assert options_of(["--alarms"])[0] == AlarmStormOptions()
    assert options_of([])[0] == StormOptions()
    assert options_of(["--pause", "3"])[0] == StormOptions(pauses=(0.1, 3.0))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--alarms", "--kind", "drain"], "no such fault: drain; choose from kill_worker"),
        (["--kind", "fail_poll"], "no such fault: fail_poll; choose from kill_worker"),
        (["--alarms", "--role", "reader"], "--role: not with --alarms"),
        (["--alarms", "--flood", "3"], "--flood: not with --alarms"),
    ],
)
def test_what_a_storm_does_not_have_is_refused(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options_of(arguments)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
