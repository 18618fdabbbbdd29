"""Two things the gateway does to commands on their way: it expands sparse arrays, and completes bare array names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mxgateway_contract.commands import COMMANDS, Touch
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.references import is_bare, join_reference
from mxgateway_protocol.wire import delimited, key
from mxgateway_server.access.constraints import TagLookup
from mxgateway_server.errors import InvalidRequestError

MAX_SPARSE_LENGTH = 100_000
"""Most elements that the sparse arrays of one command may be expanded to: a few bytes must not become gigabytes."""


def has_sparse(command: pb.MxCommand) -> bool:
    """Whether a write carries a sparse array."""
    return command.kind in _WRITING_KINDS and any(
        value.WhichOneof("kind") == "sparse_array_value" for value in _written(command)
    )


def expand_sparse(command: pb.MxCommand) -> pb.MxCommand:
    """The command with every sparse array made whole; missing elements get their type's default.

    Raises:
        InvalidRequestError: length 0 or too long, an index out of range or repeated, or an element that does not fit.
    """
    _check_lengths(command)
    expanded = pb.MxCommand()
    expanded.CopyFrom(command)
    for value in _written(expanded):
        if value.WhichOneof("kind") == "sparse_array_value":
            _expand(value)
    return expanded


def _check_lengths(command: pb.MxCommand) -> None:
    """Adds up what a command's sparse arrays would become, before any of them does."""
    sparse = [value for value in _written(command) if value.WhichOneof("kind") == "sparse_array_value"]
    length = sum(value.sparse_array_value.total_length for value in sparse)
    if length > MAX_SPARSE_LENGTH:
        raise InvalidRequestError(
            f"sparse_array_value.total_length is 1 to {MAX_SPARSE_LENGTH} in all of a command, not {length}"
        )


def _written(command: pb.MxCommand) -> list[pb.MxValue]:
    facts = COMMANDS[command.kind]
    payload = getattr(command, facts.payload)
    return [entry.value for entry in payload.entries] if "entries" in facts.fields else [payload.value]


_WRITING_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if "value" in facts.values)
_STAMP = key(pb.TimestampArray.VALUES_FIELD_NUMBER, 2)
_ARMS: dict[int, tuple[tuple[str, ...], str, Any]] = {
    # element type → arms of MxValue that fit, field of MxArray, default
    pb.MX_DATA_TYPE_BOOLEAN: (("bool_value",), "bool_values", False),
    pb.MX_DATA_TYPE_INTEGER: (("int32_value", "int64_value"), "int32_values", 0),
    pb.MX_DATA_TYPE_FLOAT: (("float_value",), "float_values", 0.0),
    pb.MX_DATA_TYPE_DOUBLE: (("double_value",), "double_values", 0.0),
    pb.MX_DATA_TYPE_STRING: (("string_value",), "string_values", ""),
    pb.MX_DATA_TYPE_TIME: (("timestamp_value",), "timestamp_values", delimited(_STAMP, b"")),
}


def _expand(value: pb.MxValue) -> None:
    """Makes the array of a value whole, in its place: it may be long, so it is not built first and then copied."""
    sparse = value.sparse_array_value
    length, element_type = sparse.total_length, sparse.element_data_type
    if not length:
        raise InvalidRequestError(f"sparse_array_value.total_length is 1 to {MAX_SPARSE_LENGTH}, not 0")
    if element_type not in _ARMS:
        raise InvalidRequestError(
            "sparse_array_value.element_data_type must be BOOLEAN, INTEGER, FLOAT, DOUBLE, STRING or TIME"
        )
    arms, field, default = _ARMS[element_type]
    given: dict[int, Any] = {}
    is_wide = False
    for element in sparse.elements:
        index, arm = element.index, element.value.WhichOneof("kind")
        if index >= length:
            raise InvalidRequestError(f"sparse_array_value: index {index} in an array of {length}")
        if index in given:
            raise InvalidRequestError(f"sparse_array_value: index {index} occurs twice")
        if arm not in arms:
            raise InvalidRequestError(f"sparse_array_value: element {index} must be set as {' or '.join(arms)}")
        one = getattr(element.value, arm)
        # Messages by the ten thousand are made quickest of their bytes.
        given[index] = delimited(_STAMP, one.SerializeToString()) if arm == "timestamp_value" else one
        is_wide = is_wide or arm == "int64_value"
    elements = [default] * length
    for index, one in given.items():
        elements[index] = one
    # From here on there is no sparse array any more: a value is one or the other.
    array = value.array_value
    array.element_data_type = element_type
    array.dimensions.append(length)
    target = getattr(array, "int64_values" if is_wide else field)
    if isinstance(target, pb.TimestampArray):
        target.MergeFromString(b"".join(elements))
    else:
        target.values.extend(elements)


def complete_array_names(command: pb.MxCommand, lookup: TagLookup, tags: Sequence[str] | None = None) -> pb.MxCommand:
    """The command with `[]` after every bare name that the Galaxy knows as an array; else the very same object.

    Args:
        command: what is to be sent.
        lookup: the Galaxy.
        tags: its `tag_addresses`, where they are read already.
    """
    facts = COMMANDS[command.kind]
    if facts.touches is Touch.NAME:
        request = getattr(command, facts.payload)
        name = request.item_definition
        context = request.item_context if "item_context" in facts.fields else ""
        if not _is_bare_array(join_reference(context, name), lookup):
            return command
        changed = _copy(command)
        getattr(changed, facts.payload).item_definition = _completed(name)
        return changed
    if facts.touches is Touch.NAMES:
        names = tags or getattr(command, facts.payload).tag_addresses
        if lookup.none_may_be_array(names):
            return command
        bare = [index for index, name in enumerate(names) if _is_bare_array(name, lookup)]
        if not bare:
            return command
        changed = _copy(command)
        completed = getattr(changed, facts.payload).tag_addresses
        for index in bare:
            completed[index] = _completed(names[index])
        return changed
    return command


def restore_names(command: pb.MxCommand, reply: pb.MxCommandReply) -> None:
    """Gives the results of a command whose names were completed the names that it was sent with."""
    facts = COMMANDS[command.kind]
    if facts.touches is Touch.NAMES:
        results = getattr(reply, facts.reply).results
        for name, result in zip(getattr(command, facts.payload).tag_addresses, results, strict=False):
            result.tag_address = name


def _copy(command: pb.MxCommand) -> pb.MxCommand:
    changed = pb.MxCommand()
    changed.CopyFrom(command)
    return changed


def _completed(name: str) -> str:
    return f"{name.rstrip()}[]"


def _is_bare_array(name: str, lookup: TagLookup) -> bool:
    if not lookup.may_be_array(name):
        return False
    facts = lookup.lookup(name)
    return facts is not None and facts.is_array and is_bare(name)
