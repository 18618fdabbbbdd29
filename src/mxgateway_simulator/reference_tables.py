"""The tables of the documentation that are made from the code: switches, signals.

`python -m mxgateway_simulator.reference_tables DIRECTORY` writes them; a test checks that they are up to date.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import get_args, get_type_hints

from mxgateway_simulator.alarm_tables import alarms_page
from mxgateway_simulator.faults import FAULT_NOTES
from mxgateway_simulator.signal_specs import SIGNAL_KINDS
from mxgateway_simulator.switches import PROFILES, SWITCH_NOTES, Switches

_TOPICS = {
    "3": "events and their statuses",
    "4.3": "write failures",
    "5.1": "handles",
    "5.2": "order of calls",
    "5.4": "user and supervisory connections",
    "5.5": "first callback and timing",
    "5.6": "writes",
    "5.8": "buffered items",
    "5.9": "Suspend and Activate",
    "6": "value types",
    "9": "scan state, engines, deployment",
    "10.1": "alarm attributes",
    "10.2": "the alarm manager's list",
    "13": "where sources contradict each other",
    "15": "defaults of the model",
}

_GENERATED = "<!-- made by python -m mxgateway_simulator.reference_tables docs -->\n"


def switches_page() -> str:
    """docs/simulator-switches.md"""
    hints = get_type_hints(Switches)
    lines = [
        "# Switches of the simulator",
        "",
        _GENERATED,
        "What LMXProxy does in every situation is not published. Where the simulator had"
        " to choose, the choice is a switch."
        " Set one for a whole Galaxy under `switches:` of its description, or for one session with the worker"
        " option `switch.NAME=VALUE`; the session's value wins over the profile's, and that over the Galaxy's.",
        "",
        "| switch | default | values | meaning | topic |",
        "|---|---|---|---|---|",
    ]
    for field in dataclasses.fields(Switches):
        meaning, section = SWITCH_NOTES[field.name]
        kind = hints[field.name]
        values = "true, false" if kind is bool else "whole number" if kind is int else ", ".join(get_args(kind))
        default = str(field.default).lower() if kind is bool else field.default
        lines.append(f"| `{field.name}` | {default} | {values} | {meaning} | {_TOPICS[section]} (§{section}) |")
    lines += ["", "## Profiles", "", "The option `profile` sets several latencies at once.", ""]
    lines += ["| profile | switches |", "|---|---|"]
    for name, switches in PROFILES.items():
        text = ", ".join(f"`{key}={value}`" for key, value in switches.items()) or "all defaults"
        lines.append(f"| `{name}` | {text} |")
    lines += [
        "",
        "## Faults",
        "",
        "Faults make the simulated LMXProxy misbehave. They are set by `faults:` of a Galaxy description, by the worker"
        " option `fault.NAME=key=value,…`, or by the fault command of a gateway that allows fault injection.",
        "",
        "| fault | parameters | what happens |",
        "|---|---|---|",
    ]
    for name, (parameters, meaning) in FAULT_NOTES.items():
        shown = ", ".join(f"`{key}`" + (f" ({default})" if default else "") for key, default in parameters.items())
        lines.append(f"| `{name}` | {shown} | {meaning} |")
    lines += [
        "",
        "`method` is a method's name in snake case, for example `add_item`; without it every method is meant. `crash`,"
        " `exit`, `hang` and `corrupt_frame` are faults of the worker process itself.",
    ]
    return "\n".join(lines) + "\n"


def signals_page() -> str:
    """docs/simulator-signals.md"""
    lines = [
        "# Signals of the simulator",
        "",
        _GENERATED,
        "A signal is a function of tag and time, so every session sees the same value at the same time. Durations are"
        " written as `500ms`, `10s`, `2min`, `1h`, `1d`, or as a number of seconds.",
        "",
        "| kind | what it does | takes (default) |",
        "|---|---|---|",
    ]
    for name, kind in SIGNAL_KINDS.items():
        takes = []
        for key, parameter in kind.takes.items():
            default = parameter.default
            note = "required" if key in kind.required else "either" if default is None else default
            takes.append(f"`{key}` ({note})")
        lines.append(f"| `{name}` | {kind.meaning} | {', '.join(takes) or 'nothing'} |")
    lines += [
        "",
        "Every kind but `constant`, `flood`, `toggle`, `states` and `storm` also takes `when`"
        " (another attribute) and `otherwise`"
        " (the value while that one is false). `phase` (0 to 1) fixes where in its"
        " period a signal stands; without it each"
        " tag has a phase of its own.",
        "",
        "A written value takes a signal's place for all sessions, and stays over restarts. `resume: 30s`, which every"
        " kind takes, lets the signal go on so long after a write; the switch `signal_resume_ms` does so for all"
        " signals of a Galaxy. `mxgateway galaxy reset` forgets all that was written at once.",
        "",
        "`source` and `when` name an attribute of the same object (`Speed`), of a"
        " contained one (`Inlet.Position`), or any"
        " by its full reference.",
    ]
    return "\n".join(lines) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "simulator-switches.md": switches_page,
    "simulator-signals.md": signals_page,
    "simulator-alarms.md": partial(alarms_page, _GENERATED),
}


def main(directory: Path) -> None:
    """Writes all pages."""
    for name, page in PAGES.items():
        (directory / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
