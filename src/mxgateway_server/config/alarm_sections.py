"""The settings of the alarms: what is listened to, who tells it, how much is kept, and who may do what."""

from __future__ import annotations

import re
import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mxgateway_server.config.sections import FilePath, Section

_EXPRESSION = re.compile(r"(\\\\[^\\!\s\"']+)?\\[^\\!\s\"']+![^\\!\s\"']+(![^!\s\"']*)?")
_LEAST_URGENT = 999
_MOST_BANDS = 10
_AREA = re.compile(r"[^\\!\s\"']+")


def _one_or_many(given: object) -> object:
    return (given,) if isinstance(given, str) else given


def _expressions(given: tuple[str, ...]) -> tuple[str, ...]:
    for expression in given:
        if not _EXPRESSION.fullmatch(expression):
            raise ValueError(
                r"write \Provider!Area or \\Node\Provider!Area, such as \Galaxy!Line1, without blanks and quotes"
            )
    return given


def _area(name: str) -> str:
    if name and not _AREA.fullmatch(name):
        raise ValueError("write the name of an area, without blanks, quotes, ! and \\")
    return name


def _bands(given: tuple[int, ...]) -> tuple[int, ...]:
    if not given or list(given) != sorted(set(given)) or given[0] < 1 or given[-1] > _LEAST_URGENT:
        raise ValueError(f"write priorities from 1 to {_LEAST_URGENT}, each higher than the one before")
    if len(given) > _MOST_BANDS:
        raise ValueError(f"there may be {_MOST_BANDS} bands at most")
    return given


def _zone(name: str) -> str:
    if name:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                "there is no such time zone; write one such as Europe/Berlin, or nothing for the worker machine's own"
            ) from None
    return name


class AlarmSubtagSettings(Section):
    active: str = Field(default="InAlarm", min_length=1)
    """Attribute of an alarm that tells whether it is in alarm."""
    acked: str = Field(default="Acked", min_length=1)
    """Attribute that tells whether it is acknowledged."""
    ack_comment: str = "AckMsg"
    """Attribute that acknowledges when a comment is written to it; empty when there is none, and then no alarm can be
    acknowledged while the attributes speak."""
    priority: str = "Priority"
    """Attribute with the priority; empty for none."""
    time_on: str = "TimeAlarmOn"
    """Attribute with the start of the alarm; empty for none, and then returned alarms cannot be told from those at
    rest."""
    time_off: str = "TimeAlarmOff"
    """Attribute with its return; empty for none."""
    time_acked: str = "TimeAlarmAcked"
    """Attribute with its acknowledgement; empty for none."""


class AlarmDiscoverySettings(Section):
    use_galaxy: bool = True
    """Watches every alarm of the Galaxy: those of alarm extensions, and of analog and bad-value extensions, turned
    on or not, which its database does not tell."""
    include: tuple[str, ...] = ()
    """Further alarms, as object and attribute, such as `Tank1.Level.Hi`; they are watched without a Galaxy, too."""
    exclude: tuple[str, ...] = ()
    """Alarms that are not watched, as object and attribute with `*` and `?`."""
    max_alarms: int = Field(default=5000, ge=0, le=100_000)
    """Alarms that are watched at most; of more, those of the first areas, and the log says so."""


class AlarmFallbackSettings(Section):
    mode: Literal["auto", "alarm_manager", "attributes"] = "auto"
    """Who tells the alarms: the alarm manager with watched attributes in its place while it is silent, or always the
    one or the other."""
    consecutive_failure_threshold: int = Field(default=3, ge=1)
    """Failures of the alarm manager in a row before the attributes take over."""
    failback_probe_interval_seconds: int = Field(default=30, ge=1)
    """How often the alarm manager is asked meanwhile."""
    failback_stable_probes: int = Field(default=3, ge=1)
    """Good answers in a row before it takes over again."""
    subtags: AlarmSubtagSettings = AlarmSubtagSettings()
    discovery: AlarmDiscoverySettings = AlarmDiscoverySettings()


class AlarmRingSettings(Section):
    transitions: int = Field(default=100_000, ge=100, le=10_000_000)
    """Changes that are kept in memory, for readers that are slow or come back."""
    mib: int = Field(default=64, ge=1, le=4096)
    """Memory that they may take, in MiB."""


class AlarmStreamSettings(Section):
    per_key: int = Field(default=16, ge=1)
    """Streams of alarms that one key may have at once."""
    filter_groups: int = Field(default=256, ge=1)
    """Different filters, times the rights of their keys, that may be in use at once."""
    silent_reader_seconds: float = Field(default=60.0, ge=1)
    """A stream whose reader takes nothing for so long is ended."""


class AlarmAcknowledgeSettings(Section):
    confirm_seconds: float = Field(default=60.0, ge=0, le=600)
    """Longest time that an acknowledgement may wait for its change."""
    comment_required: bool = False
    """Refuses acknowledgements without a comment."""
    operator: Literal["claimed", "fixed", "prefixed"] = "claimed"
    """What the plant is told of who acknowledges: the operator that the caller names, the key's name, or both as
    `key/operator`."""


class AlarmShelveSettings(Section):
    max_hours: float = Field(default=8.0, gt=0, le=8760)
    """Longest time for which an alarm may be shelved."""


class AlarmHistorySettings(Section):
    enabled: bool = True
    """Keeps what happened to the alarms in a file; with it streams can be resumed after a restart."""
    path: FilePath = ""
    """The file; empty for alarms.db in the state directory."""
    max_days: float = Field(default=30.0, gt=0, le=3660)
    """Age at which changes go."""
    max_rows: int = Field(default=2_000_000, ge=1000)
    """Changes that are kept; of more the oldest go."""
    max_mib: int = Field(default=512, ge=1)
    """Size of the file, likewise."""


class AlarmStatisticsSettings(Section):
    flood_begin: int = Field(default=10, ge=1)
    """A flood begins when ten minutes hold more alarms than this."""
    flood_end: int = Field(default=5, ge=1)
    """It ends when they hold fewer than this."""
    fleeting_seconds: float = Field(default=10.0, gt=0)
    """An alarm that is shorter than this, and does not chatter, is fleeting."""
    bands: Annotated[tuple[int, ...], AfterValidator(_bands)] = (249, 499, 999)
    """Last priority of each band of the priority shares, and of the metrics, the most urgent first."""


class AlarmSettings(Section):
    enabled: bool = False
    """Keeps the list of alarms; without it the alarm calls say that there is none."""
    subscription_expression: Annotated[
        tuple[str, ...], BeforeValidator(_one_or_many), AfterValidator(_expressions)
    ] = ()
    r"""What is listened to, one expression or a list: areas such as `\Galaxy!Line1`, with the areas below them; empty
    for `default_area`."""
    default_area: Annotated[str, AfterValidator(_area)] = ""
    """Area that is listened to when no expression says another, and that alarms belong to whose area is not known."""
    reconcile_interval_seconds: float = Field(default=30.0, ge=1)
    """How often the list is compared with the worker's."""
    poll_interval_ms: int = Field(default=500, ge=50, le=60_000)
    """How often the worker asks the alarm manager."""
    max_records: int = Field(default=10_000, ge=100, le=100_000)
    """Alarms that one such question asks for at first; more are asked for when the answer is cut."""
    display_mode: Literal["Summary", "History"] = "Summary"
    """DISPLAY_MODE of the question."""
    time_zone: Annotated[str, AfterValidator(_zone)] = ""
    """Zone of the times that the alarm manager tells, such as `Europe/Berlin`; empty for the worker machine's own."""
    date_order: Literal["auto", "mdy", "dmy", "ymd"] = "auto"
    """Order of the dates that it tells."""
    fallback: AlarmFallbackSettings = AlarmFallbackSettings()
    ring: AlarmRingSettings = AlarmRingSettings()
    streams: AlarmStreamSettings = AlarmStreamSettings()
    acknowledge: AlarmAcknowledgeSettings = AlarmAcknowledgeSettings()
    shelve: AlarmShelveSettings = AlarmShelveSettings()
    history: AlarmHistorySettings = AlarmHistorySettings()
    statistics: AlarmStatisticsSettings = AlarmStatisticsSettings()
    positions: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Operators' positions: a name, and the areas that it is responsible for; each has figures of its own."""

    @property
    def expressions(self) -> tuple[str, ...]:
        """What is listened to."""
        if self.subscription_expression or not self.default_area:
            return self.subscription_expression
        return (rf"\Galaxy!{self.default_area}",)
