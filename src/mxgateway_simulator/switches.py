"""Every choice of the model that no source states for certain, as a named switch.

A switch is set for a whole Galaxy (`switches:` of its description) or for one session (`--option switch.NAME=VALUE`);
the session's setting wins. The fields of `Switches` say all that there is to say about each.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mxgateway_simulator.errors import OptionError


def _switch(default: Any, meaning: str, section: str, *, realistic: str = "") -> Any:
    """A switch with all that is known of it; `realistic` is its value in that profile, where it differs."""
    return field(default=default, metadata={"meaning": meaning, "section": section, "realistic": realistic})


@dataclass(frozen=True, slots=True)
class Switches:
    """The model's choices, each with its default, its meaning and the section of the notes on MXAccess it follows."""

    first_callback_cold_min_ms: int = _switch(
        0, "Shortest time to the first callback of a session's first item.", "5.5", realistic="3000"
    )
    first_callback_cold_max_ms: int = _switch(
        0, "Longest time to it; the reference decides which time it is.", "5.5", realistic="8000"
    )
    first_callback_warm_ms: int = _switch(0, "Time to the first callback of later items.", "5.5", realistic="250")
    change_latency_ms: int = _switch(0, "From a change in the plant to its OnDataChange.", "5.5", realistic="100")
    write_latency_ms: int = _switch(0, "From Write to its OnWriteComplete.", "5.6", realistic="350")
    operation_latency_ms: int = _switch(230, "From Suspend or Activate to OperationComplete.", "5.9")
    initializing_ms: int = _switch(
        0, "How long quality stays Initializing after an object starts or comes back on scan.", "9", realistic="500"
    )
    waiting_callback_first: bool = _switch(
        False, "Whether a callback (Empty, quality 32, Pending, detail 11) precedes the first value.", "5.5"
    )
    double_advise: Literal["success", "e_invalidarg"] = _switch(
        "success", "What a second Advise of an advised item answers.", "5.2"
    )
    double_advise_upgrades: bool = _switch(
        True, "Whether AdviseSupervisory of a user-advised item makes the connection supervisory.", "15"
    )
    unadvise_unadvised: Literal["success", "e_invalidarg"] = _switch(
        "success", "What UnAdvise of an item that is not advised answers.", "15"
    )
    remove_advised: Literal["unadvise", "e_invalidarg"] = _switch(
        "unadvise", "What RemoveItem of an advised item does.", "5.2"
    )
    remove_drops_completions: bool = _switch(
        True, "Whether RemoveItem drops the completions of writes under way.", "15"
    )
    equal_references_share_handle: bool = _switch(
        False, "Whether AddItem of a known reference answers the known handle.", "5.1"
    )
    rebind_after_deploy: bool = _switch(
        True, "Whether advised items find their attribute again after a deployment.", "9"
    )
    bare_array_category: Literal["configuration", "communication"] = _switch(
        "configuration", "Category of the failed status when an array is advised without brackets.", "13"
    )
    bad_reference_detail: int = _switch(6, "Detail of the failed status when a reference cannot be resolved.", "15")
    write_completion_first: bool = _switch(
        True, "Whether OnWriteComplete comes before the OnDataChange of the same write.", "5.6"
    )
    write_pending_completion_first: bool = _switch(False, "Whether a Pending completion precedes the final one.", "5.6")
    write_ok_source: Literal["responding_object", "requesting_lmx"] = _switch(
        "responding_object", "Source in the status of a successful write.", "15"
    )
    not_coercible_category: Literal["software", "operational"] = _switch(
        "software", "Category when a value cannot be coerced to the attribute's type.", "4.3"
    )
    not_coercible_detail: Literal["generic", "specific"] = _switch(
        "generic",
        "Detail then: always 1005 (generic), or also 19 for a text that is no number and 20 for an overflow.",
        "4.3",
    )
    denied_detail: int = _switch(1008, "Detail when a user may not write: 1008 or 1016.", "4.3")
    write_equal_value_echoes: bool = _switch(
        True, "Whether writing the value that already stands gives an OnDataChange.", "5.5"
    )
    supervisory_skips_security: bool = _switch(
        True,
        "Whether a supervisory connection writes Operate, Secured and Verified attributes without a user.",
        "5.4",
    )
    secured_needs_authenticated_user: bool = _switch(
        True, "Whether WriteSecured fails with 0x80004021 while the server handle holds no authenticated user.", "13"
    )
    coercion: Literal["galaxy", "automation"] = _switch(
        "galaxy",
        "Whether a written value is coerced by the Galaxy's rules, or as COM's VariantChangeType does it: true becomes "
        "-1, numbers become times and times numbers, a large number's text has E+.",
        "4.3",
    )
    event_data_type: Literal["vartype", "galaxy"] = _switch(
        "vartype",
        "Data type of OnDataChange, which carries none over COM: what the VARTYPE tells of it, or the Galaxy's own.",
        "3",
    )
    qualified_enum_as: Literal["integer", "string"] = _switch(
        "integer", "Whether a QualifiedEnum is delivered as its ordinal or as its text.", "6"
    )
    qualified_struct_as: Literal["failure", "text"] = _switch(
        "failure",
        "Whether a whole QualifiedStruct gives a failed status (detail 18) or an empty text; members are "
        "read by dotted names.",
        "6",
    )
    wide_integers: Literal["refused", "coerced"] = _switch(
        "refused",
        "Whether writing an integer beyond 32 bits (VT_I8, VT_UI8, a large VT_UI4) is refused (detail "
        "1005) or coerced where the attribute can hold it.",
        "6",
    )
    array_elements: Literal["family", "exact"] = _switch(
        "family",
        "Whether an array may be written with elements of a related type (VT_R8 to a Float), or of the "
        "VARTYPE alone in which it is delivered.",
        "6",
    )
    timestamp_vartype: Literal["date", "bstr", "filetime"] = _switch(
        "date", "VARTYPE in which Time values are delivered.", "6"
    )
    stopped_engine_keeps_value: bool = _switch(
        True, "Whether the last value stays in OnDataChange when the engine stops.", "9"
    )
    stopped_engine_source: Literal["responding_nmx", "requesting_nmx"] = _switch(
        "responding_nmx", "Source of the status when the engine is stopped.", "9"
    )
    undeployed_detail: int = _switch(6, "Detail of the status when an advised object is undeployed.", "9")
    redeploy_signature_callback: bool = _switch(
        True,
        "Whether a failed callback precedes the new value when a changed object is deployed over a "
        "running one: detail 10 where the attribute has changed, else 9.",
        "9",
    )
    initializing_callback: bool = _switch(
        True, "Whether a callback with quality 32 precedes the value after a restart.", "9"
    )
    suspend_unadvised_fails: bool = _switch(
        True, "Whether Suspend of an item that is not advised answers a failed status.", "15"
    )
    suspend_again: Literal["ok", "pending"] = _switch("ok", "What Suspend of a suspended item answers.", "5.9")
    suspend_failed_callback: bool = _switch(
        False, "Whether Suspend and Activate of an item whose reference failed tell the failure again.", "5.9"
    )
    operation_complete_on_activate: bool = _switch(
        True, "Whether Activate of a suspended item gives OperationComplete.", "5.9"
    )
    suspended_callback: bool = _switch(True, "Whether a suspended item gets an OnDataChange with quality 32.", "5.9")
    buffered_batch: bool = _switch(
        False, "Whether OnBufferedDataChange carries all samples of an interval, or one each.", "5.8"
    )
    buffered_needs_buffer: bool = _switch(
        True, "Whether attributes without a buffer fail (detail 1002) as buffered items.", "5.8"
    )
    buffered_default_interval_ms: int = _switch(
        100, "Interval of buffered items before SetBufferedUpdateInterval.", "15"
    )
    signal_resume_ms: int = _switch(
        0, "How long a written value stays before the signal of its attribute goes on; 0 for good.", "15"
    )
    ack_again: Literal["fails", "success"] = _switch(
        "success", "What acknowledging an acknowledged alarm answers: success, or detail 1015.", "10.1"
    )
    ack_inactive: Literal["success", "fails"] = _switch(
        "success", "What acknowledging answers where there is no alarm: success, or detail 1015.", "10.1"
    )
    alarm_guid: Literal["per_occurrence", "per_alarm", "none"] = _switch(
        "per_occurrence", "What has a GUID: each occurrence of an alarm, the alarm, or nothing.", "10.1"
    )
    alarm_comment_on_raise: Literal["keep", "clear"] = _switch(
        "keep", "Whether AckMsg stays readable when the alarm comes up again.", "10.1"
    )
    alarm_long_comment: Literal["cut", "refuse"] = _switch(
        "cut", "What becomes of a comment above 256 characters: cut, or refused with detail 1004.", "10.1"
    )
    alarm_on_enable: Literal["new", "old_time"] = _switch(
        "new", "Which time an alarm carries that is enabled while its condition is there.", "10.1"
    )
    acked_when_disabled: Literal["true", "unchanged"] = _switch("true", "What Acked of a disabled alarm says.", "10.1")
    alarm_off_scan: Literal["gone", "keep"] = _switch(
        "gone", "What becomes of the alarms of an object that is taken off scan.", "10.1"
    )
    alarm_engine_stop: Literal["gone", "keep"] = _switch(
        "gone",
        "What becomes of the alarms of an engine while it is stopped; after the start they are as before.",
        "10.1",
    )
    alarm_latching: bool = _switch(
        False, "Whether acknowledged alarms that return stay as LATCHED until they are dismissed.", "10.1"
    )
    alarm_mode_numbers: Literal["from_0", "from_1"] = _switch(
        "from_0", "Numbers of Enable, Silence, Disable in AlarmMode and AlarmModeCmd.", "10.1"
    )
    limit_deadband: Literal["on_return", "both_sides", "on_raise"] = _switch(
        "on_return", "Where the value deadband of a limit counts; equal to the limit is no alarm.", "10.1"
    )
    time_deadband_stamp: Literal["first", "end"] = _switch(
        "first",
        "Which time an alarm carries that had to hold for a time deadband: of its beginning, or of its end.",
        "10.1",
    )
    bad_quality_alarm: Literal["keep", "clear"] = _switch(
        "keep", "What becomes of an alarm while the quality of its attribute is bad.", "10.1"
    )
    active_bit_with_rtn: bool = _switch(
        False, "Whether element 13 of AlarmCntsBySeverity sets the bit of active alarms for returned ones, too.", "10.1"
    )

    alarm_xml: bool = _switch(
        True, "Whether the alarm manager gives its list as XML, or as records: for load tests.", "10.2"
    )
    alarm_date_order: Literal["mdy", "dmy", "ymd"] = _switch(
        "mdy", "Order of the dates in the alarm manager's records.", "10.2"
    )
    alarm_sub_areas: bool = _switch(
        True, "Whether a subscription to an area takes the alarms of the areas in it, too.", "10.2"
    )
    silenced_in_list: bool = _switch(True, "Whether the alarm manager's list has silenced alarms.", "10.2")

    @classmethod
    def parse(cls, values: Mapping[str, str], base: Switches | None = None) -> Switches:
        """The switches with some of them set from text.

        Raises:
            OptionError: there is no such switch, or it has no such value.
        """
        hints = get_type_hints(cls)
        changes: dict[str, Any] = {}
        for name, text in values.items():
            if name not in hints:
                near = difflib.get_close_matches(name, hints, 1)
                hint = f"did you mean {near[0]!r}?" if near else "docs/simulator-switches.md lists them"
                raise OptionError(f"there is no switch {name!r}; {hint}")
            changes[name] = _value(name, text, hints[name])
        switches = dataclasses.replace(base or cls(), **changes)
        if switches.first_callback_cold_min_ms > switches.first_callback_cold_max_ms:
            raise OptionError("switch first_callback_cold_min_ms is above first_callback_cold_max_ms; raise the latter")
        return switches


PROFILES: Mapping[str, Mapping[str, str]] = types.MappingProxyType(
    {"test": {}, "realistic": {s.name: s.metadata["realistic"] for s in fields(Switches) if s.metadata["realistic"]}}
)
"""Latency profiles: `test` delays nothing but Suspend and Activate, `realistic` is timed like a real node."""

SWITCH_NOTES: Mapping[str, tuple[str, str]] = types.MappingProxyType(
    {s.name: (s.metadata["meaning"], s.metadata["section"]) for s in fields(Switches)}
)
"""By name of the switch: its meaning, and the section of the notes on MXAccess that it follows."""


def _value(name: str, text: str, hint: Any) -> Any:
    if hint is bool:
        if text.lower() in ("true", "yes", "on", "1"):
            return True
        if text.lower() in ("false", "no", "off", "0"):
            return False
        raise OptionError(f"switch {name} is true or false, not {text!r}")
    if hint is int:
        try:
            number = int(text)
        except ValueError:
            raise OptionError(f"switch {name} is a whole number, not {text!r}") from None
        if not 0 <= number <= 3_600_000:
            raise OptionError(f"switch {name} must be from 0 to 3600000, not {number}")
        return number
    assert get_origin(hint) is Literal
    if text not in get_args(hint):
        raise OptionError(f"switch {name} is one of {', '.join(get_args(hint))}, not {text!r}")
    return text
