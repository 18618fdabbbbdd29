"""The page of the documentation about the simulator's alarms: its tables are made from the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mxgateway_simulator.building.base_templates import EXTENSION_ATTRIBUTES, BuiltIn
from mxgateway_simulator.building.description import DATA_TYPES
from mxgateway_simulator.classifications import Category, Security
from mxgateway_simulator.plant.alarms.kinds import KINDS
from mxgateway_simulator.plant.alarms.owners import MODE_NAMES, PLANT_STATES
from mxgateway_simulator.plant.alarms.states import LISTED, AlarmState
from mxgateway_simulator.switches import SWITCH_NOTES

_STATES: Mapping[AlarmState, tuple[str, str, str]] = {
    AlarmState.NORMAL: ("false", "false", "at rest: it never came up, or does not count (disabled, off scan)"),
    AlarmState.UNACK_ALM: ("true", "false", "in alarm, and nobody has acknowledged it"),
    AlarmState.ACK_ALM: ("true", "true", "in alarm, acknowledged"),
    AlarmState.UNACK_RTN: ("false", "false", "returned, but an operator still owes an acknowledgement"),
    AlarmState.ACK_RTN: ("false", "true", "over"),
    AlarmState.LATCHED: (
        "false",
        "true",
        "returned and acknowledged, kept until it is dismissed, in areas that latch",
    ),
}
MEANINGS: Mapping[str, str] = {
    "InAlarm": "whether it is in alarm; false with good quality when it is disabled",
    "Acked": "false from each raise to its acknowledgement; false too for an alarm that never came up",
    "AckMsg": "writing any text acknowledges the occurrence that is there now; the text is the comment, 256 characters",
    "Condition": "whether the condition is there, also when the alarm is disabled",
    "Priority": "1 (most urgent) to 999",
    "Category": "what kind of alarm it is for people, such as `Discrete`, `Value Hi`, `SPC`; decides class and type",
    "DescAttrName": "the message: the text of the attribute that it names (`me.X`), or what it says itself",
    "TimeAlarmOn": "when the present or last occurrence began: the time of the input value",
    "TimeAlarmOff": "when the last one ended",
    "TimeAlarmAcked": "when it was last acknowledged",
    "AlarmMode": "the mode that counts: the most restrictive of its own and those around it",
    "AlarmModeCmd": "its own mode, by number or name",
    "AlarmInhibit": "true disables it",
    "AlarmShelved": "whether it is shelved",
    "AlarmShelveCmd": "shelves it: `Duration=0.5;Reason='pump in repair'`, in hours; 0 ends it",
    "AlarmShelveReason": "why",
    "AlarmShelveStartTime": "since when",
    "AlarmShelveStopTime": "until when; it ends by itself",
    "AlarmShelveUser": "who shelved it",
    "AlarmShelveNode": "from which computer",
    "AlarmSourceAttr": "the attribute that it sits on",
    "ActiveAlarmState": "the value that is the alarm",
    "Alarm.TimeDeadband": "how long the condition must hold",
    "Msg": "the simulator's own: the message where DescAttrName says nothing",
    "_AlarmState": "the simulator's own: the state's number",
    "Alarmed": "whether there is this alarm at all",
    "Limit": "beyond it, and not at it, is the alarm",
    "Tolerance": "how far from the target is no alarm yet",
    "LevelAlarmed": "whether there are level alarms",
    "LevelAlarm.ValueDeadband": "how far back behind the limit it must return (switch `limit_deadband`)",
    "LevelAlarm.TimeDeadband": "how long a limit must be exceeded",
    "ROCAlarmed": "whether there are alarms of the rate of change",
    "Roc.EvalPeriod": "over how long a rate is taken",
    "Roc.Rate.Units": "unit of the rate: 0 a second, 1 a minute, 2 an hour, 3 a day",
    "DeviationAlarmed": "whether there are alarms of deviation",
    "Dev.Target": "what the value should be",
    "Dev.Deadband": "how far back within the tolerance it must return",
    "Dev.SettlingPeriod": "how long after a new target nothing is judged",
    "HasStatistics": "always false",
}
"""What each attribute of an alarm means, by its name below the alarm or the family."""

_INTRO = """\
The simulator follows every alarm of the plant through time, whether somebody looks or not: a state
machine for each, worked out from the attribute's values and from what stands on the board, so that every
worker says the same of it, down to the GUID of each occurrence. Acknowledgements, modes and shelvings
survive restarts. How alarms are described is said in [Describing a Galaxy](galaxy-description.md), what
nobody publishes is a [switch](simulator-switches.md)."""

_AFTER_STATES = """\
An acknowledgement belongs to one occurrence. When an alarm returned unacknowledged and comes up again,
that is a new occurrence with a GUID of its own, and the old one is never acknowledged. An alarm that is
disabled leaves the list; enabled while its condition is there, it is a new occurrence. Taking its object
off scan does the same; an engine that stops takes its alarms along and brings them back as they were."""

_MODES = """\
The mode of an alarm is the most restrictive of its own `AlarmModeCmd` and `AlarmInhibit`, and of those
of its object, its container and its areas; areas add their `PlantState`. A silenced alarm goes on, is
counted and stays in the list, marked; a shelved one too. Numbers: {modes}."""

_PEOPLE = """\
A Galaxy may have a control room (`alarms: {operators: …}`): its operators acknowledge a share of the
alarms, each after a while, by name and with a comment. Who acknowledges which occurrence when is the
same in every worker. Nobody acknowledges where it is not described."""

_HAND = """\
```sh
mxgateway galaxy alarm raise --galaxy my-plant.db --for 2min Tank_01.LevelHigh
mxgateway galaxy alarm ack   --galaxy my-plant.db --comment "on it" Tank_01.LevelHigh
mxgateway galaxy alarm storm --galaxy my-plant.db --area Cellar --count 200 --within 60s
mxgateway galaxy alarm shelve --galaxy my-plant.db --hours 8 --reason "pump in repair" Pump_01.Trip
mxgateway galaxy alarm plant-state --galaxy my-plant.db Cellar Maintenance
mxgateway galaxy alarm list  --galaxy my-plant.db
```

`raise` and `clear` set a condition whatever its attribute shows, `release` leaves it to the attribute
again. A storm picks its alarms by a seed: the same in every worker and every time. Test kits do the same
by JSON lines (`mxgateway galaxy operate`)."""

_MANAGER = """\
A worker that watches alarms reads the plant's alarm manager as the product's consumer is read: a
subscription to areas (`\\\\NODE\\Galaxy!Area`, `Galaxy!*` for all, a third part `!Tank_*` for
names), polls that give the whole list as XML, times without a zone.
[Faults](simulator-switches.md#faults) make it fail, lie and start anew."""


def alarms_page(generated: str) -> str:
    """docs/simulator-alarms.md"""
    modes = ", ".join(f"{number} {name}" for number, name in enumerate(MODE_NAMES))
    lines = ["# Alarms of the simulator", "", generated, *_INTRO.splitlines(), ""]
    lines += ["## States", "", "| state | InAlarm | Acked | in the list | |", "|---|---|---|---|---|"]
    for state, (in_alarm, acked, meaning) in _STATES.items():
        listed = "yes" if state in LISTED else "no"
        lines.append(f"| `{state.name}` | {in_alarm} | {acked} | {listed} | {meaning} |")
    lines += ["", *_AFTER_STATES.splitlines(), "", "## Kinds", ""]
    lines += ["| alarm | class, type | comes with | turned on by | limit |", "|---|---|---|---|---|"]
    for extension, kinds in KINDS.items():
        for kind in kinds:
            name = f"`A.{kind.suffix}`" if kind.suffix else "`A`"
            switches = [part for part in (kind.switch, kind.suffix and f"{kind.suffix}.Alarmed") if part]
            on = ", ".join(f"`A.{switch}`" for switch in switches) or "always"
            bound = f"`A.{kind.bound}`" if kind.bound else ""
            lines.append(f"| {name} | {kind.alarm_class}, {kind.type_name} | {extension} | {on} | {bound} |")
    lines += ["", "HiHi does not end Hi: each is an alarm of its own.", "", "## Attributes", ""]
    lines += _attributes()
    lines += ["", "## Modes", "", *_MODES.format(modes=modes).splitlines(), "", "| plant state | mode |", "|---|---|"]
    lines += [f"| {name} | {MODE_NAMES[mode]} |" for name, mode in PLANT_STATES.items()]
    for title, text in (
        ("The control room", _PEOPLE),
        ("By hand", _HAND),
        ("The alarm manager", _MANAGER),
    ):
        lines += ["", f"## {title}", "", *text.splitlines()]
    lines += ["", "## What nobody publishes", "", "Each of these is a choice of the simulator, and a switch:", ""]
    lines += [
        f"- `{name}`: {meaning}" for name, (meaning, section) in SWITCH_NOTES.items() if section.startswith("10.")
    ]
    return "\n".join(lines) + "\n"


def _attributes() -> list[str]:
    lines = []
    for title, extension in (
        (
            "Of a discrete alarm on `A`, and of every other below its own name, as in `A.Hi.InAlarm`",
            "AlarmExtension",
        ),
        ("Of an attribute with analog alarms, besides", "AnalogExtension"),
    ):
        lines += [f"{title}:", "", "| attribute | type | may be written | meaning |", "|---|---|---|---|"]
        for attribute in _shown(EXTENSION_ATTRIBUTES[extension], extension):
            name = _below(attribute.name)
            data_type = next(key for key, value in DATA_TYPES.items() if value == attribute.data_type)
            lines.append(f"| `A.{attribute.name}` | {data_type} | {_writeable(attribute)} | {MEANINGS[name]} |")
        lines.append("")
    return lines[:-1]


def _shown(attributes: Iterable[BuiltIn], extension: str) -> list[BuiltIn]:
    """Those to show: of the analog ones only the first of each kind that are not those of every alarm."""
    if extension == "AlarmExtension":
        return list(attributes)
    common = {attribute.name for attribute in EXTENSION_ATTRIBUTES["AlarmExtension"]}
    found = []
    for attribute in attributes:
        below = _below(attribute.name)
        if below not in common and (
            below == attribute.name or attribute.name.startswith(("Hi.", "Roc.Inc", "Dev.Minor."))
        ):
            found.append(attribute)
    return found


def _below(name: str) -> str:
    """An attribute's name below its alarm: `InAlarm` of `Hi.InAlarm`."""
    for kinds in KINDS.values():
        for kind in kinds:
            if kind.suffix and name.startswith(f"{kind.suffix}."):
                return name[len(kind.suffix) + 1 :]
    return name


def _writeable(attribute: BuiltIn) -> str:
    if attribute.security is Security.ViewOnly:
        return "no" if "Writeable" not in Category(attribute.category).name else "when it is configured"
    if attribute.category in (Category.Writeable_C_Lockable, Category.Constant):
        return "when it is configured"
    return Security(attribute.security).name
