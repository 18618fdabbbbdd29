"""Shape checks of commands: kind against payload, bulk sizes, numbers that MXAccess must never see."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from mxgateway_contract.commands import COMMANDS, Group, payload_problem
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.contract import MAX_BULK_ITEMS
from mxgateway_server.errors import InvalidRequestError

_SESSION_ID = re.compile(r"session-[0-9a-f]{32}\Z")
MAX_REFERENCE_CHARACTERS = 1024
"""Longest item definition or context that is passed on; MXAccess's own references are far shorter."""
MAX_CORRELATION_CHARACTERS = 200


ALARM_KINDS = frozenset(kind for kind, command in COMMANDS.items() if command.group is Group.ALARM)

WRITE_KINDS = frozenset(
    {
        pb.MX_COMMAND_KIND_WRITE,
        pb.MX_COMMAND_KIND_WRITE2,
        pb.MX_COMMAND_KIND_WRITE_SECURED,
        pb.MX_COMMAND_KIND_WRITE_SECURED2,
    }
)
BULK_WRITE_KINDS = frozenset(
    {
        pb.MX_COMMAND_KIND_WRITE_BULK,
        pb.MX_COMMAND_KIND_WRITE2_BULK,
        pb.MX_COMMAND_KIND_WRITE_SECURED_BULK,
        pb.MX_COMMAND_KIND_WRITE_SECURED2_BULK,
    }
)
TAG_BULK_KINDS = frozenset(
    {pb.MX_COMMAND_KIND_ADD_ITEM_BULK, pb.MX_COMMAND_KIND_SUBSCRIBE_BULK, pb.MX_COMMAND_KIND_READ_BULK}
)
_HANDLE_BULK_KINDS = frozenset(
    {
        pb.MX_COMMAND_KIND_ADVISE_ITEM_BULK,
        pb.MX_COMMAND_KIND_REMOVE_ITEM_BULK,
        pb.MX_COMMAND_KIND_UN_ADVISE_ITEM_BULK,
        pb.MX_COMMAND_KIND_UNSUBSCRIBE_BULK,
    }
)
ADD_KINDS = frozenset({pb.MX_COMMAND_KIND_ADD_ITEM, pb.MX_COMMAND_KIND_ADD_ITEM2, pb.MX_COMMAND_KIND_ADD_BUFFERED_ITEM})
_TIMED_KINDS = frozenset(
    {
        pb.MX_COMMAND_KIND_WRITE2,
        pb.MX_COMMAND_KIND_WRITE_SECURED2,
        pb.MX_COMMAND_KIND_WRITE2_BULK,
        pb.MX_COMMAND_KIND_WRITE_SECURED2_BULK,
    }
)


def kind_name(kind: int) -> str:
    """The kind's name without its prefix, or its number when it has none."""
    try:
        return pb.MxCommandKind.Name(kind).removeprefix("MX_COMMAND_KIND_")  # type: ignore[arg-type]
    except ValueError:
        return str(kind)


def check_session_id(session_id: str) -> None:
    """Raises InvalidRequestError unless the text can be a session id; it is not repeated in the error."""
    if not _SESSION_ID.match(session_id):
        raise InvalidRequestError("session_id is missing or malformed; take it from OpenSessionReply")


def check_correlation_id(correlation_id: str) -> None:
    if len(correlation_id) > MAX_CORRELATION_CHARACTERS or not correlation_id.isprintable():
        raise InvalidRequestError(f"a correlation id may have {MAX_CORRELATION_CHARACTERS} printable characters")


def check_command(command: pb.MxCommand) -> None:
    """Everything about a command that can be judged without a session.

    Raises:
        InvalidRequestError: with the field and what is wrong with it.
    """
    kind = command.kind
    problem = payload_problem(command)
    if problem:
        raise InvalidRequestError(f"command: {problem}")
    check = _CHECKS.get(kind)
    if check is not None:
        arm = COMMANDS[kind].payload
        check(getattr(command, arm), kind, arm)


def _check_write_payload(payload: Any, kind: int, _arm: str) -> None:
    _check_write(payload, kind)


def _check_bulk_write(payload: Any, kind: int, arm: str) -> None:
    _check_bulk_size(len(payload.entries), f"{arm}.entries")
    for entry in payload.entries:
        _check_write(entry, kind)


def _check_tag_bulk(payload: Any, _kind: int, arm: str) -> None:
    _check_bulk_size(len(payload.tag_addresses), f"{arm}.tag_addresses")
    for tag in payload.tag_addresses:
        _check_reference(tag, f"{arm}.tag_addresses")


def _check_handle_bulk(payload: Any, _kind: int, arm: str) -> None:
    _check_bulk_size(len(payload.item_handles), f"{arm}.item_handles")


def _check_add(payload: Any, kind: int, arm: str) -> None:
    _check_reference(payload.item_definition, f"{arm}.item_definition")
    if kind != pb.MX_COMMAND_KIND_ADD_ITEM:
        _check_reference(payload.item_context, f"{arm}.item_context")


# The payload, its kind and its name; kinds that are not here take whatever their payload can hold.
_CHECKS: dict[int, Callable[[Any, int, str], None]] = {
    **dict.fromkeys(WRITE_KINDS, _check_write_payload),
    **dict.fromkeys(BULK_WRITE_KINDS, _check_bulk_write),
    **dict.fromkeys(TAG_BULK_KINDS, _check_tag_bulk),
    **dict.fromkeys(_HANDLE_BULK_KINDS, _check_handle_bulk),
    **dict.fromkeys(ADD_KINDS, _check_add),
}


def _check_bulk_size(count: int, field: str) -> None:
    if count > MAX_BULK_ITEMS:
        raise InvalidRequestError(f"{field} has {count} entries; at most {MAX_BULK_ITEMS} are taken, so split it")


def _check_reference(reference: str, field: str) -> None:
    if len(reference) > MAX_REFERENCE_CHARACTERS:
        raise InvalidRequestError(f"{field}: a reference may have {MAX_REFERENCE_CHARACTERS} characters")


def _check_write(entry: object, kind: int) -> None:
    value: pb.MxValue = entry.value  # type: ignore[attr-defined]
    if value.WhichOneof("kind") is None and not value.is_null:
        raise InvalidRequestError("value is missing; set one arm of MxValue, or is_null")
    check_finite(value)
    if kind in _TIMED_KINDS and not entry.HasField("timestamp_value"):  # type: ignore[attr-defined]
        raise InvalidRequestError(f"timestamp_value is missing; kind {kind_name(kind)} needs it")


def check_finite(value: pb.MxValue) -> None:
    """Refuses NaN and infinities, which no MXAccess attribute takes.

    Raises:
        InvalidRequestError: the value, or an element of it, is not finite.
    """
    arm = value.WhichOneof("kind")
    if arm == "float_value":
        _finite((value.float_value,))
    elif arm == "double_value":
        _finite((value.double_value,))
    elif arm == "array_value":
        array = value.array_value
        elements = array.WhichOneof("values")
        if elements == "float_values":
            _finite(array.float_values.values)
        elif elements == "double_values":
            _finite(array.double_values.values)
    elif arm == "sparse_array_value":
        for element in value.sparse_array_value.elements:
            check_finite(element.value)


def _finite(numbers: Iterable[float]) -> None:
    if not all(map(math.isfinite, numbers)):
        raise InvalidRequestError("value is not a finite number; MXAccess takes neither NaN nor infinities")
