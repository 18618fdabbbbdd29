"""Looks at the recordings that workers are to play, before the gateway listens."""

from __future__ import annotations

from pathlib import Path

from mxgateway_contract import recording_files
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.workers.launcher import WorkerPlan


def check_recordings(plan: WorkerPlan) -> None:
    """Reads each recording of the plan to its end: a line that makes no sense stops the start, not every session.

    Raises:
        ConfigurationError: a recording cannot be read; names setting, file, line and remedy.
    """
    for backend, options in ((plan.backend, plan.options), *plan.other_options.items()):
        if backend != "replay" or not options.get("file"):
            continue
        is_default = backend == plan.backend
        setting = "worker.backend_options.file" if is_default else "worker.other_backend_options.replay.file"
        try:
            recording_files.check(Path(plan.working_directory, options["file"]))
        except recording_files.RecordingError as error:
            raise ConfigurationError(f"{setting}: {error}") from error
