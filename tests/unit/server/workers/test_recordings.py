"""Recordings are looked at before the gateway listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.workers.launcher import WorkerPlan
from mxgateway_server.workers.recordings import check_recordings

GOOD = "tag,time,value\nA.B,2026-01-01T00:00:00Z,1\n"


def test_a_good_recording_passes(tmp_path: Path) -> None:
    """Also one whose path is relative to where workers run, and a plan without one."""
    (tmp_path / "rec.csv").write_text(GOOD)
    check_recordings(WorkerPlan(backend="replay", options={"file": "rec.csv"}, working_directory=str(tmp_path)))
    check_recordings(WorkerPlan(backend="replay"))
    check_recordings(WorkerPlan(backend="simulator", options={"file": "nothing"}))


@pytest.mark.parametrize(
    ("plan", "setting"),
    [
        ({"backend": "replay", "options": {"file": "rec.csv"}}, "worker.backend_options.file"),
        (
            {"backend": "simulator", "other_options": {"replay": {"file": "rec.csv"}}},
            "worker.other_backend_options.replay.file",
        ),
    ],
)
def test_a_line_that_makes_no_sense_stops_the_start(tmp_path: Path, plan: dict[str, object], setting: str) -> None:
    """Setting, file, line and remedy are named; no session has to fail for that."""
    (tmp_path / "rec.csv").write_text(GOOD + "A.B,soon,1\n")
    with pytest.raises(ConfigurationError) as refusal:
        check_recordings(WorkerPlan(working_directory=str(tmp_path), **plan))  # type: ignore[arg-type]
    text = str(refusal.value)
    assert text.startswith(setting)
    assert "rec.csv, line 3" in text
    assert "mend the line" in text
