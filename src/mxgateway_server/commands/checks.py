"""Shape checks of commands: kind against payload, bulk sizes, numbers that MXAccess must never see."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any, NoReturn

from mxgateway_contract.commands import COMMANDS, Command, kinds_with, payload_problem
from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import InvalidRequestError

_SESSION_ID = re.compile(r"session-[0-9a-f]{32}\Z")
MAX_REFERENCE_CHARACTERS = 1024
"""Longest item definition or context that is passed on; MXAccess's own references are far shorter."""
MAX_CORRELATION_CHARACTERS = 200
MAX_NAME_CHARACTERS = 256
"""Longest name, password or id of a client program or a user."""
_NAMES = ("client_name", "verify_user", "verify_user_password", "user_id_guid")
MAX_SPARSE_ELEMENTS = 10_000
"""Most elements that the sparse arrays of one command may give; more are better written as a whole array."""


def is_session_id(text: str) -> bool:
    """Whether the text can be a session id."""
    return _SESSION_ID.match(text) is not None


def check_session_id(session_id: str) -> None:
    """Raises InvalidRequestError unless the text can be a session id; it is not repeated in the error."""
    if not _SESSION_ID.match(session_id):
        raise InvalidRequestError("session_id is missing or malformed; take it from OpenSessionReply")


def is_correlation_id(text: str) -> bool:
    """Whether the text can be a correlation id; an empty one is none."""
    return 0 < len(text) <= MAX_CORRELATION_CHARACTERS and text.isprintable()


def check_correlation_id(correlation_id: str) -> None:
    if len(correlation_id) > MAX_CORRELATION_CHARACTERS or not correlation_id.isprintable():
        raise InvalidRequestError(f"a correlation id may have {MAX_CORRELATION_CHARACTERS} printable characters")


def check_command(command: pb.MxCommand) -> Sequence[str]:
    """Everything about a command that can be judged without a session.

    Returns:
        The names in `tag_addresses`, when it has that field: each reading of them makes all these texts anew.

    Raises:
        InvalidRequestError: with the field and what is wrong with it.
    """
    problem = payload_problem(command)
    if problem:
        raise InvalidRequestError(f"command: {problem}")
    kind = command.kind
    checks, facts = _CHECKS[kind], COMMANDS[kind]
    if checks:
        payload = getattr(command, facts.payload)
        for check in checks:
            check(payload, facts)
    return _tags(command, facts) if kind in _NAMING_KINDS else ()


def _tags(command: pb.MxCommand, facts: Command) -> list[str]:
    tags = getattr(command, facts.payload).tag_addresses
    if len(tags) > MAX_BULK_ITEMS:
        _refuse_entries(tags, f"{facts.payload}.tag_addresses")
    # A slice is a list, made in one go.
    names: list[str] = tags[:]
    if max(map(len, names), default=0) > MAX_REFERENCE_CHARACTERS:
        _refuse_length(f"{facts.payload}.tag_addresses")
    if "client_handles" in facts.fields:
        numbers = getattr(command, facts.payload).client_handles
        if numbers and len(numbers) != len(names):
            raise InvalidRequestError(
                f"{facts.payload}.client_handles has {len(numbers)} entries: none, or one for each of the {len(names)} "
                "in tag_addresses"
            )
    return names


_NAMING_KINDS = kinds_with("tag_addresses")

Check = Callable[[Any, Command], object]


def _check_texts(*fields: str) -> Check:
    def check(payload: Any, facts: Command) -> None:
        for field in fields:
            _check_reference(getattr(payload, field), f"{facts.payload}.{field}")

    return check


def _check_names(*fields: str) -> Check:
    def check(payload: Any, facts: Command) -> None:
        for field in fields:
            if len(getattr(payload, field)) > MAX_NAME_CHARACTERS:
                raise InvalidRequestError(f"{facts.payload}.{field} may have {MAX_NAME_CHARACTERS} characters")

    return check


def _check_handles(payload: Any, facts: Command) -> None:
    if len(payload.item_handles) > MAX_BULK_ITEMS:
        _refuse_entries(payload.item_handles, f"{facts.payload}.item_handles")


def _check_entries(payload: Any, facts: Command) -> None:
    if len(payload.entries) > MAX_BULK_ITEMS:
        _refuse_entries(payload.entries, f"{facts.payload}.entries")
    sparse = 0
    for entry in payload.entries:
        sparse += _check_values(entry, facts)
        if sparse > MAX_SPARSE_ELEMENTS:
            raise _too_sparse()


def _check_values(entry: Any, facts: Command) -> int:
    """Checks the values of one entry; how many elements its sparse arrays give."""
    sparse = 0
    for field in facts.values:
        value = getattr(entry, field)
        if not isinstance(value, pb.MxValue):
            for each in value:
                sparse += check_finite(each)
            continue
        if field == "value":
            if value.WhichOneof("kind") is None and not value.is_null:
                raise InvalidRequestError("value is missing; set one arm of MxValue, or is_null")
        elif not entry.HasField(field):
            raise InvalidRequestError(f"{field} is missing; {facts.name} needs it")
        sparse += check_finite(value)
    return sparse


def _checks_of(facts: Command) -> tuple[Check, ...]:
    """The checks that the fields of a payload ask for, whatever its kind."""
    checks: list[Check] = []
    texts = [field for field in ("item_definition", "item_context") if field in facts.fields]
    if texts:
        checks.append(_check_texts(*texts))
    names = [field for field in _NAMES if field in facts.fields]
    if names:
        checks.append(_check_names(*names))
    if "item_handles" in facts.fields:
        checks.append(_check_handles)
    if "entries" in facts.fields:
        checks.append(_check_entries)
    elif facts.values:
        checks.append(_check_values)
    return tuple(checks)


_CHECKS: dict[int, tuple[Check, ...]] = {kind: _checks_of(facts) for kind, facts in COMMANDS.items()}


def _refuse_entries(entries: Sized, field: str) -> NoReturn:
    raise InvalidRequestError(f"{field} has {len(entries)} entries; at most {MAX_BULK_ITEMS} are taken, so split it")


def _check_reference(reference: str, field: str) -> None:
    if len(reference) > MAX_REFERENCE_CHARACTERS:
        _refuse_length(field)


def _refuse_length(field: str) -> NoReturn:
    raise InvalidRequestError(f"{field}: a reference may have {MAX_REFERENCE_CHARACTERS} characters")


def check_finite(value: pb.MxValue) -> int:
    """Refuses NaN and infinities, which no MXAccess attribute takes; how many elements of a sparse array it gives.

    Raises:
        InvalidRequestError: the value, or an element of it, is not finite, or a sparse array gives too many.
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
            _all_finite(array.float_values.values[:])
        elif elements == "double_values":
            _all_finite(array.double_values.values[:])
    elif arm == "sparse_array_value":
        given = value.sparse_array_value.elements
        if len(given) > MAX_SPARSE_ELEMENTS:
            raise _too_sparse()
        for element in given:
            check_finite(element.value)
        return len(given)
    return 0


def _too_sparse() -> InvalidRequestError:
    return InvalidRequestError(
        f"sparse_array_value.elements: a command may have {MAX_SPARSE_ELEMENTS}; write the whole array as array_value"
    )


def _all_finite(numbers: list[float]) -> None:
    # What is not finite makes the sum so; a sum may also be too large, and then each number is looked at.
    if not math.isfinite(sum(numbers)):
        _finite(numbers)


def _finite(numbers: Iterable[float]) -> None:
    if not all(map(math.isfinite, numbers)):
        raise InvalidRequestError("value is not a finite number; MXAccess takes neither NaN nor infinities")
