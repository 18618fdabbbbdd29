"""What commands print: one JSON document, or short lines."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


def proto_dict(message: Message) -> dict[str, Any]:
    """A message as protobuf JSON: camelCase keys in the order of the contract, every plain field present, 64-bit
    integers as strings. Total: a time beyond the calendar, for which protobuf has no JSON, stands as seconds and
    nanoseconds in words."""
    from google.protobuf.json_format import MessageToDict, SerializeToJsonError

    try:
        document = MessageToDict(message, always_print_fields_with_no_presence=True)
    except SerializeToJsonError:
        known = type(message)()
        known.CopyFrom(message)
        far = list(_take_far_times(known))
        document = MessageToDict(known, always_print_fields_with_no_presence=True)
        for path, text in far:
            place: Any = document
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = text
    return _in_order(document, message.DESCRIPTOR)


def _take_far_times(message: Message, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Makes times without a JSON form such that have one; where each stood in the document, and what it was."""
    from google.protobuf.timestamp_pb2 import Timestamp

    from mxgateway.house import time_text

    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        entries = enumerate(value) if field.is_repeated else [(None, value)]
        for index, each in entries:
            here = (*path, field.json_name) if index is None else (*path, field.json_name, index)
            if not isinstance(each, Timestamp):
                yield from _take_far_times(each, here)
                continue
            text = time_text(each)
            if not text.endswith("Z"):
                yield here, text
                each.seconds = each.nanos = 0


def _in_order(document: dict[str, Any], descriptor: Any) -> dict[str, Any]:
    """The keys in the order of the fields: protobuf puts those with default values last."""
    if descriptor.full_name.startswith("google.protobuf.") or descriptor.GetOptions().map_entry:
        return document
    ordered = {}
    for field in descriptor.fields:
        if field.json_name not in document:
            continue
        value = document[field.json_name]
        if field.message_type is not None:
            if isinstance(value, dict):
                value = _in_order(value, field.message_type)
            elif isinstance(value, list):
                value = [_in_order(each, field.message_type) if isinstance(each, dict) else each for each in value]
        ordered[field.json_name] = value
    return ordered


def emit(payload: Any, output_json: bool, text: str | Iterable[str]) -> None:
    """Prints the payload as one JSON document, or the text."""
    if output_json:
        click.echo(json.dumps(payload, indent=2))
        return
    for line in (text,) if isinstance(text, str) else text:
        click.echo(one_line(line))


def one_line(text: str) -> str:
    """A line for a terminal: what names and messages hold can neither break it nor command the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else f"\\u{ord(char):04x}" for char in text)


def emit_done(payload: Any, output_json: bool, text: str | Iterable[str]) -> None:
    """`emit` for what has been done already: a result that cannot be shown does not make it a failure."""
    try:
        emit(payload, output_json, text)
    except BrokenPipeError:
        # Who read it has gone; what is still buffered must not fail at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        note(f"done, but the result cannot be shown: {error}")


def emit_message(message: Message, output_json: bool, text: str | Iterable[str]) -> None:
    """Prints a message as protobuf JSON, or the text."""
    emit(proto_dict(message) if output_json else None, output_json, text)


def note(text: str) -> None:
    """A line about progress; goes to stderr, so that stdout holds results only."""
    click.echo(text, err=True)


def output_encoding() -> str:
    """The encoding of stdout: on Windows that of the system when stdout is a file or a pipe."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def escape_what_does_not_encode() -> None:
    """From now on a letter that the encoding of stdout or stderr does not have is shown as an escape.

    A result that cannot be shown must not look like a failure of what was done.
    """
    for stream in (sys.stdout, sys.stderr):
        # Streams that a host has put in their place may not be able to.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_terminal() -> bool:
    """Whether stdout is a terminal, where colours and live tables make sense."""
    return sys.stdout.isatty()


def ask(what: str, remedy: str, default: str) -> str:
    """Asks on the terminal; Enter alone gives the default.

    Raises:
        click.UsageError: there is no terminal to ask on; the text names the remedy.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask on; give {remedy}")
    return str(click.prompt(what, default=default, show_default=bool(default), err=True))


def ask_secret(what: str, remedy: str) -> str:
    """Asks for a secret on the terminal, without showing it.

    Raises:
        click.UsageError: there is no terminal to ask on; the text names the remedy.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask for the {what}; use {remedy}")
    return str(click.prompt(what, hide_input=True, err=True))


def failure_text(result: Any) -> str:
    """Why a result of a bulk call failed: what its failed statuses mean, or else the text that came with it."""
    from mxgateway import is_status_failure
    from mxgateway.house import status_text

    failed = [status_text(each) for each in getattr(result, "statuses", ()) if is_status_failure(each)]
    return ", ".join(failed) or result.error_message or "without a reason"


def event_text(event: pb.MxEvent) -> str:
    """One event as one line."""
    from mxgateway import quality_name
    from mxgateway.house import status_text
    from mxgateway_cli.value_text import mx_text
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

    if event.HasField("replay_gap"):
        gap = event.replay_gap
        lost = f"{gap.dropped_events} events" if gap.dropped_events else f"before {gap.oldest_available_sequence}"
        return f"gap: {lost} lost"
    family = pb.MxEventFamily.Name(event.family) if event.family in pb.MxEventFamily.values() else str(event.family)
    parts = [str(event.worker_sequence), family.removeprefix("MX_EVENT_FAMILY_"), f"item {event.item_handle}"]
    if event.HasField("value"):
        parts.append(f"{mx_text(event.value)} {quality_name(event.quality)}")
    parts.extend(status_text(status) for status in event.statuses)
    return "  ".join(parts)
