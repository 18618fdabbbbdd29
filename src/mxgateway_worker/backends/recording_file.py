"""A recording as the replay plays it: the values of each tag in order of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mxgateway_contract import recording_files
from mxgateway_contract.recording_files import RecordingError
from mxgateway_contract.recordings import Moment

__all__ = ["Moment", "Recording", "RecordingError", "read"]


@dataclass(slots=True)
class Recording:
    """All values of a recording, by lower-case tag and in order of time."""

    series: dict[str, list[Moment]] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int = 0


def read(path: Path) -> Recording:
    """Reads a recording whole.

    Raises:
        RecordingError: the file is missing, of another kind, empty, or has a line that makes no sense.
    """
    recording = Recording()
    for tag, moment in recording_files.moments(path):
        recording.series.setdefault(tag.casefold(), []).append(moment)
    for series in recording.series.values():
        series.sort(key=lambda moment: moment.time_ns)
    recording.start_ns = min(series[0].time_ns for series in recording.series.values())
    recording.end_ns = max(series[-1].time_ns for series in recording.series.values())
    return recording
