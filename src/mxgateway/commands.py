"""MxCommand messages, one function for each family of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, ParamSpec, TypeAlias, TypeVar

from mxgateway.values import MxPython, to_mx_value
from mxgateway_contract.commands import COMMANDS, KINDS_BY_PAYLOAD
from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

MomentLike: TypeAlias = datetime | pb.MxValue
"""Time of a timestamped write: an aware datetime, or the MxValue to send as it is."""

WriteEntry: TypeAlias = pb.WriteBulkEntry | tuple[int, MxPython]
"""(item_handle, value), or the generated entry with a user id of its own."""
Write2Entry: TypeAlias = pb.Write2BulkEntry | tuple[int, MxPython, MomentLike]
"""(item_handle, value, timestamp), or the generated entry."""
WriteSecuredEntry: TypeAlias = pb.WriteSecuredBulkEntry | tuple[int, int, int, MxPython]
"""(item_handle, current_user_id, verifier_user_id, value), or the generated entry."""
WriteSecured2Entry: TypeAlias = pb.WriteSecured2BulkEntry | tuple[int, int, int, MxPython, MomentLike]
"""(item_handle, current_user_id, verifier_user_id, value, timestamp), or the generated entry."""

ItemT = TypeVar("ItemT")
MessageT = TypeVar("MessageT")
P = ParamSpec("P")

IDEMPOTENT_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if facts.is_repeatable)
"""Commands that change nothing, so that a retry policy may repeat them."""


def command(arm: str, payload: Any) -> pb.MxCommand:
    """The MxCommand of a payload; the kind is the one that belongs to the arm."""
    return pb.MxCommand(kind=KINDS_BY_PAYLOAD[arm], **{arm: payload})


def checked(kind: Callable[P, MessageT], *args: P.args, **fields: P.kwargs) -> MessageT:
    """A message with its fields, each of which has to be given: protobuf itself takes None for "left out".

    Raises:
        TypeError: a field is None or of the wrong type; the text names it, and never shows its value.
    """
    for name, value in fields.items():
        if value is None:
            raise TypeError(f"{name} is None")
    try:
        return kind(*args, **fields)
    except (TypeError, ValueError) as error:
        for name, value in fields.items():
            try:
                kind(**{name: value})  # type: ignore[arg-type, call-arg]
            except (TypeError, ValueError):
                refusal = TypeError if isinstance(error, TypeError) else ValueError
                raise refusal(f"{name} cannot be {_described(value)}") from error
        raise


def _described(value: Any) -> str:
    if isinstance(value, int):
        return f"{value}, which is beyond 32 bits"
    if isinstance(value, list):
        kinds = sorted({type(element).__name__ for element in value})
        return f"a list of {' and '.join(kinds)}"
    return f"of type {type(value).__name__}"


def timestamp_value(timestamp: MomentLike) -> pb.MxValue:
    """The time of a timestamped write.

    Raises:
        ValueError: a datetime without time zone.
        TypeError: neither a datetime nor an MxValue.
    """
    if not isinstance(timestamp, datetime | pb.MxValue):
        raise TypeError(f"a timestamp is an aware datetime or an MxValue, not {type(timestamp).__name__}")
    return to_mx_value(timestamp)


def bulk_entries(items: Iterable[ItemT], name: str, most: int = MAX_BULK_ITEMS) -> Sequence[ItemT]:
    """The entries of a bulk call as a list, of which the gateway takes so many at most.

    Raises:
        TypeError: None, or one string where a list of strings is meant.
        ValueError: more than that.
    """
    if items is None:
        raise TypeError(f"{name} is None; give a list (an empty one is fine)")
    if isinstance(items, str | bytes):
        raise TypeError(f"{name} is one string; give a list of strings")
    entries = list(items)
    if None in entries:
        raise TypeError(f"{name} holds None at index {entries.index(None)}")  # type: ignore[arg-type]
    if len(entries) > most:
        raise ValueError(f"{name} has {len(entries)} entries; one call takes at most {most}, so split it")
    return entries


def write_entry(entry: WriteEntry, user_id: int) -> pb.WriteBulkEntry:
    if isinstance(entry, pb.WriteBulkEntry):
        return entry
    item_handle, value = entry
    return pb.WriteBulkEntry(item_handle=item_handle, value=to_mx_value(value), user_id=user_id)


def write2_entry(entry: Write2Entry, user_id: int) -> pb.Write2BulkEntry:
    if isinstance(entry, pb.Write2BulkEntry):
        return entry
    item_handle, value, timestamp = entry
    return pb.Write2BulkEntry(
        item_handle=item_handle, value=to_mx_value(value), timestamp_value=timestamp_value(timestamp), user_id=user_id
    )


def write_secured_entry(entry: WriteSecuredEntry) -> pb.WriteSecuredBulkEntry:
    if isinstance(entry, pb.WriteSecuredBulkEntry):
        return entry
    item_handle, current, verifier, value = entry
    return pb.WriteSecuredBulkEntry(
        item_handle=item_handle, current_user_id=current, verifier_user_id=verifier, value=to_mx_value(value)
    )


def write_secured2_entry(entry: WriteSecured2Entry) -> pb.WriteSecured2BulkEntry:
    if isinstance(entry, pb.WriteSecured2BulkEntry):
        return entry
    item_handle, current, verifier, value, timestamp = entry
    return pb.WriteSecured2BulkEntry(
        item_handle=item_handle,
        current_user_id=current,
        verifier_user_id=verifier,
        value=to_mx_value(value),
        timestamp_value=timestamp_value(timestamp),
    )
