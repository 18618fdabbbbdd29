"""Why a soak died: the sentence that follows from what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from soak.ending import Circumstances, cause, obituary, told

ALL_RUN = Circumstances(errors=("ValueError: x",), gateway_code=None, worker_runs=True, prefix_code=None)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (ALL_RUN, "the load failed, and every process of the soak still runs"),
        (replace(ALL_RUN, worker_runs=False), "the worker of the soaked session ended"),
        (replace(ALL_RUN, prefix_code=0), "the program that counts handles ended (exit code 0)"),
        (replace(ALL_RUN, worker_runs=False, prefix_code=0), "all of the Wine prefix ended at once"),
        (replace(ALL_RUN, gateway_code=-9), "the gateway ended (signal 9)"),
        # Its workers go with the gateway.
        (replace(ALL_RUN, gateway_code=1, worker_runs=False, prefix_code=0), "the gateway ended (exit code 1"),
        (replace(ALL_RUN, worker_runs=False, killed_for_memory=2), "the kernel has killed 2 processes"),
    ],
)
def test_the_cause_names_what_ended_first(seen: Circumstances, expected: str) -> None:
    assert expected in cause(seen)
    assert expected in obituary(seen, 12.345)["cause"]


def test_every_failure_of_a_group_is_told_once_with_its_notes() -> None:
    group = ExceptionGroup("a", [ExceptionGroup("b", [ValueError("x"), OSError("y")]), ValueError("x")])
    group.add_note("closing failed, too")
    assert told(group) == ("ValueError: x", "OSError: y", "closing failed, too")
