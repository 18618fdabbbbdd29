"""The base templates and the primitives they are made of: the built-in attributes of every object.

Written as lines of `name type category security [value]`; `type[]` is an array.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mxgateway_protocol.variants import DataType
from mxgateway_simulator.building.description import DATA_TYPES
from mxgateway_simulator.classifications import Category, Security

_CATEGORIES = {
    "const": Category.Constant,
    "calc": Category.Calculated,
    "calcr": Category.CalculatedRetentive,
    "pkg": Category.PackageOnly_Lockable,
    "u": Category.Writeable_U,
    "us": Category.Writeable_US,
    "usc": Category.Writeable_USC_Lockable,
    "s": Category.Writeable_S,
    "c": Category.Writeable_C_Lockable,
    "sys": Category.SystemSetsOnly,
    "int": Category.SystemInternal,
}
_SECURITY = {
    "free": Security.FreeAccess,
    "op": Security.Operate,
    "tune": Security.Tune,
    "conf": Security.Configure,
    "view": Security.ViewOnly,
}

_OBJECT = """
Tagname String const view
ContainedName String const view
HierarchicalName String const view
ShortDesc InternationalizedString usc free
Area ReferenceType const view
Container ReferenceType const view
Host ReferenceType const view
SecurityGroup String c view Default
CodeBase String const view 1.0
ConfigVersion Integer const view 1
DeployedVersion Integer sys view 1
MinorVersion Integer const view 0
BasedOn String const view
DerivedFrom String const view
Errors String[] sys view
Warnings String[] sys view
ExecutionRelatedObject ReferenceType c view
ExecutionRelativeOrder Integer c view 0
ScanState Boolean sys view
ScanStateCmd Boolean us op
ScanStateOnDeploy Boolean c view true
AlarmMode QualifiedEnum sys view 0
AlarmModeCmd QualifiedEnum us op 0
AlarmInhibit Boolean us op false
InAlarm Boolean sys view
AlarmCntsBySeverity Integer[] sys view
AlarmMostUrgentAcked Boolean sys view true
AlarmMostUrgentInAlarm Boolean sys view
AlarmMostUrgentMode QualifiedEnum sys view 0
AlarmMostUrgentSeverity Integer sys view 0
AlarmMostUrgentShelved Boolean sys view
AlarmThrottled Boolean sys view
CmdData BigString int view
IsTemplate Boolean const view
_ChangeCounter Integer int view
_Signature Integer int view
"""

_AREA = """
AlarmCntsBySeverityEnableShelved Integer[] sys view
AlarmsActive Integer calc view
AlarmsUnacked Integer calc view
AlarmAggregationStateCmd Boolean us op true
PlantState String usc op Running
PlantStateAlarmMode QualifiedEnum sys view 0
AreaAlarmMode QualifiedEnum us op 0
"""

_ENGINE = """
Engine.State QualifiedEnum sys view
StartTime Time sys view
Scheduler.ScanPeriod Integer c view 500
Scheduler.ScanOverrun Boolean calc view
Scheduler.ScanOverrunsCnt Integer calc view
Scheduler.ScanCnt Integer calc view
Scheduler.ExecutionTime Float calc view
Scheduler.ExecutionTimeAvg Float calc view
Scheduler.ObjectCnt Integer calc view
Scheduler.StatsReset Boolean us op
CheckpointPeriod Integer c view 0
Historian.InStoreForward Boolean calc view
Historian.ConnectStatus Boolean calc view true
NetworkAddress String const view localhost
ProcessId Integer sys view
RestartAttempts Integer calc view
AlarmThrottleLimit Integer usc tune 2000
"""

_PLATFORM = """
NodeName String const view
CPULoad Float calc view
CPULoadAvg Float calc view
RAMAvail Float calc view
RAMTotal Float sys view 16384
DiskSpaceAvail Float calc view
PageFileUsage Float calc view
PageFaultsAvg Float calc view
SystemStartupTime Time sys view
UpTime ElapsedTime calc view
HeartbeatPeriod Integer c view 2000
MissedHeartbeatsMax Integer c view 3
"""

_DEVICE = """
ConnectionStatus QualifiedEnum calc view
Reconnect Boolean us op
ServerNode String c view localhost
ServerName String c view
ScanGroupList String[] c view
ActiveItemCnt Integer calc view
ErrorCnt Integer calc view
ProtocolVersion Integer const view 3
"""

_STATE = """
InAlarm Boolean sys view
Acked Boolean sys view
AckMsg String us op
Condition Boolean calc view
TimeAlarmOn Time sys view
TimeAlarmOff Time sys view
TimeAlarmAcked Time sys view
AlarmMode QualifiedEnum sys view 0
AlarmModeCmd QualifiedEnum us op 0
AlarmInhibit Boolean us op false
AlarmShelved Boolean sys view
AlarmShelveCmd String u op
AlarmShelveReason String sys view
AlarmShelveStartTime Time sys view
AlarmShelveStopTime Time sys view
AlarmShelveUser String sys view
AlarmShelveNode String sys view
_AlarmState Integer int view
"""

_PRIORITY = """
Priority Integer usc tune 500
DescAttrName ReferenceType c view
"""

_ALARM = """
Category String usc tune Discrete
AlarmSourceAttr ReferenceType const view
ActiveAlarmState Boolean usc tune true
Alarm.TimeDeadband ElapsedTime usc tune 0
Msg InternationalizedString usc tune
"""

_LIMIT = """
Alarmed Boolean c view false
Limit Float usc tune 0
"""

_TOLERANCE = """
Alarmed Boolean c view false
Tolerance Float usc tune 0
"""

_ANALOG = """
LevelAlarmed Boolean c view false
LevelAlarm.ValueDeadband Float usc tune 0
LevelAlarm.TimeDeadband ElapsedTime usc tune 0
ROCAlarmed Boolean c view false
Roc.EvalPeriod ElapsedTime usc tune 1
Roc.Rate.Units QualifiedEnum usc tune 0
DeviationAlarmed Boolean c view false
Dev.Target Float us tune 0
Dev.Deadband Float usc tune 0
Dev.SettlingPeriod ElapsedTime usc tune 0
HasStatistics Boolean const view false
"""

_HISTORY = """
HistEnabled Boolean usc tune true
EngUnits InternationalizedString usc tune
Description InternationalizedString usc tune
ForceStoragePeriod Integer usc tune 0
ValueDeadBand Float usc tune 0
TrendHi Float usc tune 100
TrendLo Float usc tune 0
InterpolationType QualifiedEnum c view 0
RolloverValue Float c view 0
SampleCount Integer c view 0
EnableSwingingDoor Boolean c view false
RateDeadBand Float c view 0
_HistorianTagId Integer int view
"""

_INPUT = """
InputSource ReferenceType us conf ---
ReadStatus StatusType sys view 0
DiagnosticErrorDesc String sys view
"""

_OUTPUT = """
OutputDest ReferenceType us conf ---
WriteStatus StatusType sys view 0
OutputErrorDesc String sys view
OutputEveryScan Boolean c view false
"""

_SCRIPT = """
Expression String c view
DeclarationsText BigString c view
ExecuteText BigString c view
ExecutionTimeout Integer c view 5000
TriggerType QualifiedEnum c view 0
TriggerPeriod ElapsedTime c view 1
State QualifiedEnum sys view 0
ExecutionCnt Integer calc view
ExecutionTime ElapsedTime calc view
ExecutionError.Condition Boolean calc view
ExecutionError.Desc String calc view
"""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A built-in attribute; `default` is its text in the table."""

    name: str
    data_type: DataType
    is_array: bool
    category: Category
    security: Security
    default: str


@dataclass(frozen=True, slots=True)
class BaseTemplate:
    """A base template: its name without `$`, category_id and built-in attributes."""

    name: str
    category_id: int
    attributes: tuple[BuiltIn, ...]


def _parse(table: str) -> tuple[BuiltIn, ...]:
    found = []
    for line in table.strip().splitlines():
        name, kind, category, security, *rest = line.split()
        found.append(
            BuiltIn(
                name=name,
                data_type=DATA_TYPES[kind.removesuffix("[]")],
                is_array=kind.endswith("[]"),
                category=_CATEGORIES[category],
                security=_SECURITY[security],
                default=" ".join(rest),
            )
        )
    return tuple(found)


_COMMON = _parse(_OBJECT)

BASE_TEMPLATES = {
    template.name: template
    for template in (
        BaseTemplate("$WinPlatform", 1, _COMMON + _parse(_ENGINE) + _parse(_PLATFORM)),
        BaseTemplate("$AppEngine", 3, _COMMON + _parse(_ENGINE)),
        BaseTemplate("$ViewEngine", 4, _COMMON + _parse(_ENGINE)),
        BaseTemplate("$UserDefined", 10, _COMMON),
        BaseTemplate("$Sequencer", 10, _COMMON),
        BaseTemplate("$DDESuiteLinkClient", 11, _COMMON + _parse(_DEVICE)),
        BaseTemplate("$OPCClient", 11, _COMMON + _parse(_DEVICE)),
        BaseTemplate("$InTouchProxy", 11, _COMMON + _parse(_DEVICE)),
        BaseTemplate("$Area", 13, _COMMON + _parse(_AREA)),
        BaseTemplate("$Symbol", 16, ()),
        BaseTemplate("$ViewApp", 17, _COMMON),
        BaseTemplate("$RedundantDIObject", 24, _COMMON + _parse(_DEVICE)),
        BaseTemplate("$InTouchViewApp", 26, _COMMON),
    )
}
"""All base templates by name."""

_BELOW_ALARM = _parse(_PRIORITY) + _parse(_STATE)


def _below(prefix: str, attributes: tuple[BuiltIn, ...]) -> tuple[BuiltIn, ...]:
    return tuple(replace(attribute, name=f"{prefix}.{attribute.name}") for attribute in attributes)


def _analog() -> tuple[BuiltIn, ...]:
    """Level, rate and deviation alarms of a number."""
    limited, tolerant = _parse(_LIMIT) + _BELOW_ALARM, _parse(_TOLERANCE) + _BELOW_ALARM
    attributes = _parse(_ANALOG)
    for name in ("LoLo", "Lo", "Hi", "HiHi", "Roc.IncreasingHi", "Roc.DecreasingHi"):
        attributes += _below(name, limited)
    for name in ("Dev.Minor", "Dev.Major"):
        attributes += _below(name, tolerant)
    return attributes


EXTENSION_ATTRIBUTES = {
    "AlarmExtension": _BELOW_ALARM + _parse(_ALARM),
    "AnalogExtension": _analog(),
    "BadValueAlarmExtension": _below("Bad", _parse("Alarmed Boolean c view true") + _BELOW_ALARM),
    "HistoryExtension": _parse(_HISTORY),
    "InputExtension": _parse(_INPUT),
    "OutputExtension": _parse(_OUTPUT),
    "InputOutputExtension": _parse(_INPUT) + _parse(_OUTPUT),
    "ScriptExtension": _parse(_SCRIPT),
}
"""Attributes of each extension primitive, by the name of its primitive definition."""

EXECUTION_GROUPS = {
    "HistoryExtension": 18, "AlarmExtension": 16, "AnalogExtension": 15, "BadValueAlarmExtension": 16,
    "InputExtension": 4, "OutputExtension": 20, "InputOutputExtension": 4, "ScriptExtension": 10,
}  # fmt: skip


def default_of(attribute: BuiltIn) -> object:
    """The default of a built-in attribute as a value, or None for the type's own."""
    text = attribute.default
    if not text:
        return None
    if attribute.data_type == DataType.BOOLEAN:
        return text == "true"
    if attribute.data_type in (DataType.FLOAT, DataType.DOUBLE, DataType.ELAPSED_TIME):
        return float(text)
    if attribute.data_type in (DataType.STRING, DataType.BIG_STRING, DataType.INTERNATIONALIZED_STRING,
                               DataType.REFERENCE_TYPE):  # fmt: skip
        return text
    return int(text)
