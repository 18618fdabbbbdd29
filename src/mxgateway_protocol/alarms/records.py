"""Records of an alarm list, as an alarm manager gives them: one for each occurrence that is in the list."""

from __future__ import annotations

from typing import NamedTuple

UNACK_ALM = "UNACK_ALM"
ACK_ALM = "ACK_ALM"
UNACK_RTN = "UNACK_RTN"
ACK_RTN = "ACK_RTN"
LATCHED = "LATCHED"

STATES = (UNACK_ALM, ACK_ALM, UNACK_RTN, ACK_RTN, LATCHED)
"""The states by their names; what else a provider says is kept as it is."""

IN_ALARM = frozenset({UNACK_ALM, ACK_ALM})
ACKNOWLEDGED = frozenset({ACK_ALM, ACK_RTN, LATCHED})


class AlarmRecord(NamedTuple):
    """One record. Times are nanoseconds since 1970 UTC, 0 for one that is not told.

    Attributes:
        provider, group, name: the parts of the reference `provider!group.name`; the group is the area.
        node: the computer whose provider tells it.
        guid: of the occurrence, lower case with hyphens; empty when it is not told.
        state: one of STATES, or the provider's own word.
        priority: 1 (most urgent) to 999.
        changed_ns: when the state was reached.
        raised_ns: when the occurrence began.
        user, user_node, domain, full_name, comment: of the acknowledgement.
        mode: `ENABLED`, `SILENCED` or `DISABLED`; empty when it is not told.
        shelved_until_ns: 0 for an alarm that is not shelved.
        is_time_ahead: its time is later than the clock that it was read by.
        is_guid_derived: the GUID was made from reference and start, as nobody gave one.
        is_uncertain: this is the last known state; what is now is not to be had.
    """

    provider: str
    group: str
    name: str
    state: str
    guid: str = ""
    node: str = ""
    priority: int = 500
    type_name: str = ""
    alarm_class: str = ""
    value: str = ""
    limit: str = ""
    description: str = ""
    changed_ns: int = 0
    raised_ns: int = 0
    acked_ns: int = 0
    cleared_ns: int = 0
    user: str = ""
    user_node: str = ""
    domain: str = ""
    full_name: str = ""
    comment: str = ""
    mode: str = ""
    shelved_until_ns: int = 0
    shelve_user: str = ""
    shelve_node: str = ""
    shelve_reason: str = ""
    area_path: tuple[str, ...] = ()
    is_time_ahead: bool = False
    is_guid_derived: bool = False
    is_uncertain: bool = False

    @property
    def reference(self) -> str:
        """The full reference, as the provider spells it."""
        return f"{self.provider}!{self.group}.{self.name}"

    @property
    def key(self) -> str:
        """What names the alarm: its reference, compared without case and without the node."""
        return f"{self.provider}!{self.group}.{self.name}".casefold()

    @property
    def began_ns(self) -> int:
        """When the occurrence began, as far as the record tells."""
        return self.raised_ns or self.changed_ns


def split_reference(reference: str) -> tuple[str, str, str] | None:
    """Provider, group and name of `Provider!Group.Name`; None for what is none.

    The first `!` ends the provider, the first `.` after it the group; the name may have dots.
    """
    provider, mark, rest = reference.partition("!")
    group, dot, name = rest.partition(".")
    return (provider, group, name) if mark and dot and provider and group and name else None
