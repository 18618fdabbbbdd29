"""Faults of the simulated LMXProxy, for tests of what stands around it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from mxgateway_contract import hresults

METHODS = (
    "register", "unregister", "add_item", "add_item2", "remove_item", "advise", "un_advise", "advise_supervisory",
    "write", "write2", "write_secured", "write_secured2", "authenticate_user", "archestra_user_to_id", "suspend",
    "activate", "add_buffered_item", "set_buffered_update_interval",
)  # fmt: skip

FAULT_NOTES: Mapping[str, tuple[Mapping[str, str], str]] = {
    "hang_call": (
        {"method": "", "seconds": "3600", "times": "1"},
        "the next calls of the method block, as a hung COM call does",
    ),
    "slow_call": (
        {"method": "", "seconds": "1", "times": "0 = all"},
        "calls of the method take longer",
    ),
    "fail_call": (
        {"method": "", "hresult": "0x80004005", "times": "1"},
        "calls of the method fail with the HRESULT",
    ),
    "drop_completions": ({"count": "0 = all"}, "OnWriteComplete and OperationComplete are not delivered"),
    "flood_events": ({"count": "10000"}, "so many copies of the next OnDataChange are delivered"),
    "late_events": ({"count": "1"}, "after the next UnAdvise so many more OnDataChange are delivered"),
    "fail_poll": (
        {"hresult": "0x80004005", "times": "1"},
        "the next polls of the alarm manager fail with the HRESULT",
    ),
    "crash_poll": (
        {"times": "1"},
        "the next polls of the alarm manager end the worker, as a consumer that crashes does",
    ),
    "slow_poll": ({"seconds": "1", "times": "0 = all"}, "polls of the alarm manager take longer"),
    "cut_alarm_list": (
        {"records": "10", "times": "1"},
        "the alarm manager has more records than it gives: so many",
    ),
    "break_alarm_xml": ({"at": "100", "times": "1"}, "the alarm manager's answer ends after so many characters"),
    "refuse_ack": (
        {"status": "-55", "hresult": "", "times": "1"},
        "acknowledgements are answered with the native status, or fail with the HRESULT",
    ),
    "restart_alarm_provider": ({}, "the alarm manager begins anew: other GUIDs for the same alarms"),
    "clear": ({}, "ends all faults"),
}
"""By name of the fault: its parameters with their defaults, and what happens."""

FAULTS = tuple(FAULT_NOTES)


@dataclass(slots=True)
class CallFault:
    """A fault of calls; `left` counts down, below 0 it never ends."""

    method: str
    seconds: float
    hresult: int
    left: int


@dataclass(slots=True)
class AlarmFault:
    """A fault of the alarm manager; `left` counts down, below 0 it never ends."""

    kind: str
    number: float
    hresult: int | None
    left: int


@dataclass(slots=True)
class Faults:
    """The faults that are set; counters count down as they strike, below 0 for no end."""

    calls: list[CallFault] = field(default_factory=list)
    dropped_completions: int = 0
    flood: int = 0
    late_events: int = 0
    alarms: list[AlarmFault] = field(default_factory=list)
    alarm_restarts: int = 0

    def set(self, fault: str, parameters: Mapping[str, str]) -> None:
        """Sets a fault.

        Raises:
            ValueError: there is no such fault, or it does not take a parameter or its value.
        """
        if fault not in FAULT_NOTES:
            near = difflib.get_close_matches(fault, FAULTS, 1)
            hint = f"did you mean {near[0]}?" if near else f"the simulator has {', '.join(FAULTS)}"
            raise ValueError(f"there is no fault {fault!r}; {hint}")
        known = FAULT_NOTES[fault][0]
        for name in parameters:
            if name not in known:
                takes = ", ".join(known) or "nothing"
                raise ValueError(f"fault {fault} does not take {name!r}; it takes {takes}")
        if fault == "clear":
            self.calls.clear()
            self.alarms.clear()
            self.dropped_completions = self.flood = self.late_events = 0
        elif fault == "drop_completions":
            self.dropped_completions = _whole(parameters, "count", 0) or -1
        elif fault == "flood_events":
            self.flood = _whole(parameters, "count", 10_000)
        elif fault == "late_events":
            self.late_events = _whole(parameters, "count", 1)
        elif fault == "restart_alarm_provider":
            self.alarm_restarts += 1
        elif fault in _ALARM_NUMBERS:
            self.alarms.append(_alarm_fault(fault, parameters))
        else:
            self.calls.append(_call_fault(fault, parameters))

    def strike_alarms(self, *kinds: str) -> AlarmFault | None:
        """The fault of one of these kinds that the alarm manager meets now."""
        for fault in self.alarms:
            if fault.kind in kinds:
                fault.left -= 1
                if not fault.left:
                    self.alarms.remove(fault)
                return fault
        return None

    @property
    def concern_events(self) -> bool:
        """Whether a fault of events is set."""
        return bool(self.dropped_completions or self.flood or self.late_events)

    def strike(self, method: str) -> CallFault | None:
        """The fault that the next call of a method meets."""
        for fault in self.calls:
            if fault.method in ("", method):
                fault.left -= 1
                if not fault.left:
                    self.calls.remove(fault)
                return fault
        return None

    def drops_completion(self) -> bool:
        """Whether the next completion is lost."""
        if not self.dropped_completions:
            return False
        self.dropped_completions -= 1
        return True


def _call_fault(fault: str, parameters: Mapping[str, str]) -> CallFault:
    method = parameters.get("method", "")
    if method and method not in METHODS:
        near = difflib.get_close_matches(method, METHODS, 1)
        raise ValueError(f"there is no method {method!r}; " + (f"did you mean {near[0]}?" if near else str(METHODS)))
    times = _whole(parameters, "times", 0 if fault == "slow_call" else 1) or -1
    if fault == "fail_call":
        return CallFault(method, 0.0, _hresult(parameters) or hresults.E_FAIL, times)
    return CallFault(method, _seconds(parameters, "3600" if fault == "hang_call" else "1"), 0, times)


_ALARM_NUMBERS = {
    "fail_poll": "",
    "crash_poll": "",
    "slow_poll": "seconds",
    "cut_alarm_list": "records",
    "break_alarm_xml": "at",
    "refuse_ack": "status",
}
"""The parameter that is a fault's number."""


def _alarm_fault(fault: str, parameters: Mapping[str, str]) -> AlarmFault:
    times = _whole(parameters, "times", 0 if fault == "slow_poll" else 1) or -1
    hresult = _hresult(parameters)
    name = _ALARM_NUMBERS[fault]
    if not name:
        return AlarmFault(fault, 0, hresult or hresults.E_FAIL, times)
    if name == "seconds":
        return AlarmFault(fault, _seconds(parameters, "1"), None, times)
    if name == "status":
        text = parameters.get("status", "-55")
        if not text.lstrip("-").isdigit():
            raise ValueError(f"status is a whole number, not {text!r}")
        return AlarmFault(fault, int(text), hresult, times)
    return AlarmFault(fault, _whole(parameters, name, 10 if name == "records" else 100), None, times)


def _hresult(parameters: Mapping[str, str]) -> int | None:
    """An HRESULT as a signed number; None when none is given."""
    text = parameters.get("hresult", "")
    if not text:
        return None
    try:
        code = int(text, 0)
    except ValueError:
        raise ValueError(f"hresult is a number such as 0x80004005, not {text!r}") from None
    return code - (1 << 32) if code > 0x7FFFFFFF else code


def _seconds(parameters: Mapping[str, str], default: str) -> float:
    text = parameters.get("seconds", default)
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(f"seconds is a number, not {text!r}") from None
    if not 0 <= seconds <= 86_400:
        raise ValueError(f"seconds must be from 0 to 86400, not {text}")
    return seconds


def _whole(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, str(default))
    if not text.isdigit():
        raise ValueError(f"{name} is a whole number from 0, not {text!r}")
    return int(text)
