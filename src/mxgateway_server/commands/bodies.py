"""Requests as the bytes that they come as: what is long is authorized and counted before it is parsed.

A short one is parsed at once: whatever is in it costs a few milliseconds at the most. Of a long one each step that goes
over the whole of it (taking, counting, parsing, checking, serialising, sending) has a turn of the loop of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_contract.field_counts import (
    FieldCountError,
    MalformedMessageError,
    Shape,
    count_fields,
    shape_of,
    top_fields,
)
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.shares import LARGE_BODY
from mxgateway_server.commands.checks import MAX_CORRELATION_CHARACTERS
from mxgateway_server.commands.gate import Checked, CommandGate
from mxgateway_server.errors import InvalidRequestError

NOT_A_MESSAGE = "the request is not the message of this method"

_COMMAND_OF_REQUEST = pb.MxCommandRequest.COMMAND_FIELD_NUMBER
_COMMAND_OF_STREAMED = pb.MxStreamCommand.COMMAND_FIELD_NUMBER
_KIND = pb.MxCommand.KIND_FIELD_NUMBER
_REQUEST = shape_of(pb.MxCommandRequest.DESCRIPTOR)
_STREAMED = shape_of(pb.MxStreamCommand.DESCRIPTOR)
_GLANCE = 16
"""Fields that are looked at for the one that is wanted; writers put it first."""
_Message = TypeVar("_Message", bound=Message)


async def command_request(data: bytes, gate: CommandGate, call: CallInfo) -> pb.MxCommandRequest:
    """The request of an Invoke.

    Raises:
        PermissionDeniedError: the key may not send commands of this kind.
        MessageLimitError: a command of this kind may not be so long.
        InvalidRequestError: it is no such request, or there is more in it than may be.
    """
    if len(data) > LARGE_BODY:
        gate.admit_length(_kind(data, _COMMAND_OF_REQUEST), len(data), call)
        await count(data, _REQUEST)
        await asyncio.sleep(0)
    return parsed(pb.MxCommandRequest.FromString, data)


async def write_out(checked: Checked, gate: CommandGate) -> None:
    """Serialises a long command, so that little is left to do when it goes to the worker."""
    await asyncio.sleep(0)
    gate.write_out(checked)
    await asyncio.sleep(0)


@dataclass(slots=True)
class Batch:
    """One message of a command stream.

    Attributes:
        commands: in order; of a long message as bytes, which `streamed_command` makes a message of.
    """

    session_id: str
    commands: Sequence[pb.MxStreamCommand] | Sequence[bytes]
    cancel_correlation_ids: Sequence[str]


def batch_of(data: bytes) -> Batch:
    """The message of a command stream that these bytes are.

    Raises:
        InvalidRequestError: they are none, or hold more commands than may be.
    """
    if len(data) > LARGE_BODY:
        return _split(data)
    batch = parsed(pb.MxCommandBatch.FromString, data)
    _check_entries(batch.commands, "commands")
    _check_entries(batch.cancel_correlation_ids, "cancel_correlation_ids")
    return Batch(batch.session_id, batch.commands, batch.cancel_correlation_ids)


async def streamed_command(data: bytes, gate: CommandGate, call: CallInfo) -> pb.MxStreamCommand:
    """One command of a long message; see `command_request`."""
    if len(data) > LARGE_BODY:
        gate.admit_length(_kind(data, _COMMAND_OF_STREAMED), len(data), call)
        await count(data, _STREAMED)
        await asyncio.sleep(0)
    return parsed(pb.MxStreamCommand.FromString, data)


async def count(data: bytes, shape: Shape) -> None:
    """Counts what is in a long message before it is parsed, in turns with whoever else has work.

    Raises:
        InvalidRequestError: it is no message, or there is more in it than may be.
    """
    problem = ""
    try:
        for _ in count_fields(data, shape):
            await asyncio.sleep(0)
    except FieldCountError as error:
        problem = str(error)
    except MalformedMessageError:
        problem = NOT_A_MESSAGE
    # Not within `except`: an error keeps the one that it came from, and with it the frames that hold the bytes.
    if problem:
        raise InvalidRequestError(problem)


def parsed(deserializer: Callable[[bytes], _Message], data: bytes) -> _Message:
    """The message.

    Raises:
        InvalidRequestError: the bytes are none.
    """
    try:
        return deserializer(data)
    except DecodeError:
        pass
    raise InvalidRequestError(NOT_A_MESSAGE)


def glance(data: bytes) -> tuple[str, int]:
    """Correlation id and kind of a MxStreamCommand that is not parsed; empty and 0 where they are not to be seen."""
    correlation_id = ""
    try:
        for number, value in top_fields(memoryview(data), _GLANCE):
            if number == pb.MxStreamCommand.CORRELATION_ID_FIELD_NUMBER and not isinstance(value, int):
                correlation_id = bytes(value[:MAX_CORRELATION_CHARACTERS]).decode(errors="replace")
    except (FieldCountError, MalformedMessageError):
        pass
    return correlation_id, _kind(data, _COMMAND_OF_STREAMED)


def _kind(data: bytes, field_number: int) -> int:
    """The kind of the command in this field; 0 when it is not to be seen."""
    try:
        for number, command in top_fields(memoryview(data), _GLANCE):
            if number == field_number and not isinstance(command, int):
                for inner, kind in top_fields(command, _GLANCE):
                    if inner == _KIND and isinstance(kind, int):
                        return kind
    except (FieldCountError, MalformedMessageError):
        pass
    return 0


def _split(data: bytes) -> Batch:
    session_id, problem = b"", ""
    commands: list[bytes] = []
    cancels: list[str] = []
    try:
        for number, value in top_fields(memoryview(data), 2 * MAX_BULK_ITEMS + _GLANCE):
            if isinstance(value, int):
                continue
            if number == pb.MxCommandBatch.SESSION_ID_FIELD_NUMBER:
                session_id = bytes(value)
            elif number == pb.MxCommandBatch.COMMANDS_FIELD_NUMBER:
                commands.append(bytes(value))
                _check_entries(commands, "commands")
            elif number == pb.MxCommandBatch.CANCEL_CORRELATION_IDS_FIELD_NUMBER:
                cancels.append(bytes(value).decode())
                _check_entries(cancels, "cancel_correlation_ids")
        return Batch(session_id.decode(), commands, cancels)
    except FieldCountError as error:
        problem = str(error)
    except (MalformedMessageError, UnicodeDecodeError):
        problem = NOT_A_MESSAGE
    raise InvalidRequestError(problem)


def _check_entries(entries: Sized, field: str) -> None:
    if len(entries) > MAX_BULK_ITEMS:
        raise InvalidRequestError(f"{field}: a message may hold {MAX_BULK_ITEMS}; send the rest in the next one")
