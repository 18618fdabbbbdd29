"""What workers are kept from on this machine, part by part: told at the start and by `check-config`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.workers.launcher import WorkerPlan
from mxgateway_worker.sandbox import grants, probe

PARTS = {
    "files": "reads and writes only Python, the Galaxy's folder, the board and the recording",
    "state directory": "sees neither keys, pepper, certificates nor audit",
    "programs": "starts no other program",
    "network": "opens no socket",
    "processes": "neither looks into nor signals other processes",
    "environment": "gets the variables that it needs and no other",
}
"""What a worker that is confined does not do, by the name of the part."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is in force for each worker that this gateway starts.

    Attributes:
        mode: the setting `worker.sandbox`.
        missing: parts that are not in force → why.
    """

    mode: str
    missing: dict[str, str]

    @property
    def table(self) -> list[tuple[str, str, str]]:
        """Each part: its name, what it means, and why it is not in force; '' when it is."""
        return [(name, meaning, self.missing.get(name, "")) for name, meaning in PARTS.items()]


def confinement(plan: WorkerPlan, secrets: Iterable[Path]) -> Confinement:
    """What this machine can do, and these settings ask for.

    Args:
        plan: how workers are started.
        secrets: files and folders that no worker may see.
    """
    mode = plan.sandbox
    if not plan.is_own_program:
        why = "workers are another program (worker.command, worker.com_python)"
        return Confinement(mode, _all_but_environment(why))
    if mode == "off":
        return Confinement(mode, _all_but_environment('worker.sandbox = "off"'))
    missing = dict(probe().missing)
    if "files" in missing:
        missing["state directory"] = missing["files"]
    elif shown := grants(plan.options).showing(secrets):
        secret, grant = shown[0]
        missing["state directory"] = (
            f"{secret} lies in {grant}, which workers need: put the Galaxy into a folder of its own"
        )
    if sys.platform == "win32":
        missing["environment"] = "workers get all variables but those whose names sound secret"
    return Confinement(mode, missing)


def require(found: Confinement) -> None:
    """Refuses a start whose settings ask for more than there is.

    Raises:
        ConfigurationError: names the part, and why it is not in force.
    """
    if found.mode == "required" and found.missing:
        name, why = next(iter(found.missing.items()))
        raise ConfigurationError(
            f'worker.sandbox = "required", but of {name} it cannot be had: {why}; or set worker.sandbox = "auto" to '
            "take what there is"
        )


def _all_but_environment(why: str) -> dict[str, str]:
    missing = dict.fromkeys((name for name in PARTS if name != "environment"), why)
    if sys.platform == "win32":
        missing["environment"] = "workers get all variables but those whose names sound secret"
    return missing
