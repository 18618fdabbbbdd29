"""What LMXProxy is called, and where its methods stand: identifiers, vtable slots, parameters (published facts)."""

from __future__ import annotations

from dataclasses import dataclass

PROG_ID = "LMXProxy.LMXProxyServer.1"
CLASS_ID = "{C30B52F5-2CB5-4760-AF0A-3A344A7EB5DC}"

INTERFACES = (
    "{CCE67FB7-EAFD-4367-9212-617043BF126D}",
    "{020A8A87-69C5-497F-A893-B629E669FBFF}",
    "{57D006B6-F25E-4654-A81E-BCBAFD60FE59}",
    "{9DC0D5C1-9371-4E84-86F8-7091D316A66C}",
    "{ECEFF506-A752-46E3-9E31-0A8E257C9926}",
)
"""ILMXProxyServer to ILMXProxyServer5: each has the methods of the ones before it, so one table of slots serves all."""

EVENTS = "{848299B6-DD61-4A0D-A304-3947A564B89C}"
BUFFERED_EVENTS = "{C70A6FC4-09EF-4F31-8874-A049FEE87A95}"
"""The two source interfaces. Both number their first event 1, so each needs a sink of its own."""

ALARM_CONSUMER = "WNWRAPCONSUMERLib.wwAlarmConsumer"
"""ProgID of the alarm manager's XML consumer. Of its CLSID only the beginning, 7AB52E5F, is published."""

IUNKNOWN = "{00000000-0000-0000-C000-000000000046}"
IDISPATCH = "{00020400-0000-0000-C000-000000000046}"
CONNECTION_POINT_CONTAINER = "{B196B284-BAB4-101A-B69C-00AA00341D07}"

STAND_IN_CONTROL = "{5A3B1D50-6E2A-4C0F-9B53-0C5B7F1A0030}"
"""How a test makes the stand-in misbehave; the product's object does not know it."""

ON_DATA_CHANGE, ON_WRITE_COMPLETE, OPERATION_COMPLETE = 1, 2, 3
ON_BUFFERED_DATA_CHANGE = 1


@dataclass(frozen=True, slots=True)
class Method:
    """One method of ILMXProxyServer5.

    Attributes:
        name: as MXAccess spells it.
        slot: place in the vtable, IDispatch's seven included.
        since: number of the interface that brought it.
        parameters: `i` a 32-bit integer, `s` a BSTR, `p` a BSTR that is a secret, `V` a VARIANT by value.
        result: `i` an integer, `S` an MxStatus, empty for none; always the last, by pointer.
    """

    name: str
    slot: int
    since: int
    parameters: str
    result: str = ""


METHODS = {
    "register": Method(name="Register", slot=7, since=1, parameters="s", result="i"),
    "unregister": Method("Unregister", 8, 1, "i"),
    "add_item": Method(name="AddItem", slot=9, since=1, parameters="is", result="i"),
    "remove_item": Method("RemoveItem", 10, 1, "ii"),
    "advise": Method("Advise", 11, 1, "ii"),
    "un_advise": Method("UnAdvise", 12, 1, "ii"),
    "write": Method("Write", 13, 1, "iiVi"),
    "write_secured": Method("WriteSecured", 14, 1, "iiiiV"),
    "authenticate_user": Method(name="AuthenticateUser", slot=15, since=1, parameters="isp", result="i"),
    "archestra_user_to_id": Method(name="ArchestrAUserToId", slot=16, since=2, parameters="is", result="i"),
    "add_item2": Method(name="AddItem2", slot=17, since=3, parameters="iss", result="i"),
    "write2": Method("Write2", 18, 4, "iiVVi"),
    "write_secured2": Method("WriteSecured2", 19, 4, "iiiiVV"),
    "suspend": Method(name="Suspend", slot=20, since=4, parameters="ii", result="S"),
    "activate": Method(name="Activate", slot=21, since=4, parameters="ii", result="S"),
    "advise_supervisory": Method("AdviseSupervisory", 22, 4, "ii"),
    "add_buffered_item": Method(name="AddBufferedItem", slot=23, since=5, parameters="iss", result="i"),
    "set_buffered_update_interval": Method("SetBufferedUpdateInterval", 24, 5, "ii"),
}
"""By the backend's name for it. The user stands last in Write and Write2, and before the value in the secured ones."""


def guid_bytes(text: str) -> bytes:
    """A GUID as it lies in memory: its first three parts are numbers, lowest byte first."""
    raw = bytes.fromhex(text.strip("{}").replace("-", ""))
    return raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]
