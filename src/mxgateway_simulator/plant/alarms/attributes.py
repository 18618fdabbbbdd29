"""The attributes that an alarm shows, and what writing them does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mxgateway_contract import failures
from mxgateway_contract.status import MxStatus
from mxgateway_simulator.plant.alarms.alarm import Alarm, AlarmSituation
from mxgateway_simulator.plant.alarms.shelving import ShelveCommandError, parse_shelve_command
from mxgateway_simulator.plant.alarms.states import Acknowledgement, AlarmState
from mxgateway_simulator.plant.board import Edit
from mxgateway_simulator.plant.entries import ACK, DISMISSED, SHELF, Dismissed, Shelved
from mxgateway_simulator.plant.signals import Sampled
from mxgateway_simulator.plant.tags import Act, Author

LONGEST_COMMENT = 256
_OPEN = (AlarmState.UNACK_ALM, AlarmState.UNACK_RTN)


class _Shown(NamedTuple):
    """A value and since when it stands; 0 for no time of its own."""

    value: Any
    since_ns: int = 0


_READ: Mapping[str, Callable[[Alarm, AlarmSituation], _Shown]] = {
    "inalarm": lambda alarm, now: _Shown(now.status.in_alarm, now.status.changed_ns),
    "condition": lambda alarm, now: _Shown(now.status.condition, max(now.status.on_ns, now.status.off_ns)),
    "acked": lambda alarm, now: _Shown(now.status.acked, now.status.changed_ns),
    "ackmsg": lambda alarm, now: _Shown(alarm.comment(now.status), now.status.acked_ns),
    "timealarmon": lambda alarm, now: _Shown(now.status.on_ns, now.status.on_ns),
    "timealarmoff": lambda alarm, now: _Shown(now.status.off_ns, now.status.off_ns),
    "timealarmacked": lambda alarm, now: _Shown(now.status.acked_ns, now.status.acked_ns),
    "alarmmode": lambda alarm, now: _Shown(now.mode + (alarm.plantwide.switches.alarm_mode_numbers == "from_1")),
    "alarmshelved": lambda alarm, now: _Shown(now.shelved is not None, _from(now)),
    "alarmshelvereason": lambda alarm, now: _Shown(now.shelved.reason if now.shelved else "", _from(now)),
    "alarmshelvestarttime": lambda alarm, now: _Shown(_from(now), _from(now)),
    "alarmshelvestoptime": lambda alarm, now: _Shown(now.shelved.until_ns if now.shelved else 0, _from(now)),
    "alarmshelveuser": lambda alarm, now: _Shown(now.shelved.user if now.shelved else "", _from(now)),
    "alarmshelvenode": lambda alarm, now: _Shown(now.shelved.node if now.shelved else "", _from(now)),
    "_alarmstate": lambda alarm, now: _Shown(int(now.status.state), now.status.changed_ns),
}


def _from(now: AlarmSituation) -> int:
    return now.shelved.from_ns if now.shelved else 0


def alarm_reader(alarm: Alarm, name: str, since_ns: int) -> Callable[[int], Sampled] | None:
    """How to work out an alarm's attribute; None for one that is simply configured.

    Args:
        name: below the alarm, in lower case: `inalarm`.
        since_ns: when the object was deployed.
    """
    read = _READ.get(name)
    if read is None:
        return None

    def sampled(t_ns: int) -> Sampled:
        now = alarm.situation(t_ns)
        shown = read(alarm, now)
        return Sampled(shown.value, min(t_ns, max(since_ns, shown.since_ns)), now.next_ns)

    return sampled


def acknowledge(alarm: Alarm, edit: Edit, comment: str, now_ns: int, by: Author) -> MxStatus | None:
    """What writing AckMsg does: acknowledges the present occurrence, whatever the text; None when it is done."""
    switches = alarm.plantwide.switches
    if len(comment) > LONGEST_COMMENT:
        if switches.alarm_long_comment == "refuse":
            return failures.OUT_OF_RANGE
        comment = comment[:LONGEST_COMMENT]
    status = alarm.situation(now_ns).status
    known = status.acknowledgement
    if known is not None:
        is_listed = status.state in (AlarmState.ACK_ALM, AlarmState.LATCHED)
        if (switches.ack_again if is_listed else switches.ack_inactive) == "fails":
            return failures.ACKED_ALREADY
        # The first one stands; putting it again makes it seen.
        edit.put(ACK, alarm.key, known)
        return None
    if status.state not in _OPEN and switches.ack_inactive == "fails":
        return failures.ACKED_ALREADY
    edit.put(ACK, alarm.key, Acknowledgement(status.occurrence_ns, now_ns, comment, *by))
    return None


def shelve(alarm: Alarm, edit: Edit, text: str, now_ns: int, by: Author) -> MxStatus | None:
    """What writing AlarmShelveCmd does: shelves, or ends it; None when it is done."""
    try:
        command = parse_shelve_command(text)
    except ShelveCommandError:
        return failures.OUT_OF_RANGE
    shelf = None
    if command.duration_ns:
        shelf = Shelved(now_ns, now_ns + command.duration_ns, command.reason, by.user, by.node)
    edit.put(SHELF, alarm.key, shelf)
    return None


def dismiss(alarm: Alarm, edit: Edit, now_ns: int) -> bool:
    """Ends a latched alarm; False for one that is not latched."""
    status = alarm.situation(now_ns).status
    if status.state is not AlarmState.LATCHED:
        return False
    edit.put(DISMISSED, alarm.key, Dismissed(status.occurrence_ns, now_ns))
    return True


def alarm_action(alarm: Alarm, name: str) -> Act | None:
    """What writing an alarm's attribute does; None for one that simply takes the value."""
    action = {"ackmsg": acknowledge, "alarmshelvecmd": shelve}.get(name)
    if action is None:
        return None
    return lambda edit, value, now_ns, by: action(alarm, edit, str(value), now_ns, by)
