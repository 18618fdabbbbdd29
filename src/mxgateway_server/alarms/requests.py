"""What callers ask for, checked and in the gateway's own words."""

from __future__ import annotations

from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.feed import Wish
from mxgateway_server.alarms.filters import AlarmFilter, make_filter
from mxgateway_server.alarms.groups import Viewer
from mxgateway_server.alarms.subscriber import LagPolicy
from mxgateway_server.alarms.telling import Position
from mxgateway_server.commands.checks import check_correlation_id
from mxgateway_server.errors import InvalidRequestError

MAX_COMMENT = 256
MAX_OPERATOR = 256
MAX_REFERENCE = 512
MAX_REASON = 200
MAX_BULK = 1000
DEFAULT_POSITION_SECONDS = 15.0


def filter_of(wanted: pb.AlarmFilter, prefix: str = "") -> AlarmFilter:
    """The filter of a request.

    Raises:
        InvalidRequestError: names the field that is wrong.
    """
    return make_filter(
        prefix=prefix,
        areas=wanted.areas,
        has_sub_areas=wanted.include_sub_areas if wanted.HasField("include_sub_areas") else True,
        references=wanted.references,
        objects=wanted.objects,
        priority_min=wanted.priority_min,
        priority_max=wanted.priority_max,
        states=wanted.states,
        classes=wanted.classes,
        types=wanted.types,
        text=wanted.text,
        excludes_shelved=wanted.exclude_shelved,
        excludes_silenced=wanted.exclude_silenced,
    )


def wish_of(request: pb.StreamAlarmsRequest, viewer: Viewer) -> Wish:
    """How a stream is to be.

    Raises:
        InvalidRequestError: names the field that is wrong.
    """
    check_correlation_id(request.client_correlation_id)
    if request.lag_policy not in pb.AlarmLagPolicy.values():
        raise InvalidRequestError(f"lag_policy {request.lag_policy} is unknown")
    if request.snapshot not in pb.AlarmSnapshotMode.values():
        raise InvalidRequestError(f"snapshot {request.snapshot} is unknown")
    interval = DEFAULT_POSITION_SECONDS
    if request.HasField("position_interval"):
        interval = seconds_of(request.position_interval, "position_interval")
        if interval < 1:
            raise InvalidRequestError("position_interval is 1 s at least")
    after = request.resume_after
    return Wish(
        filter=filter_of(request.filter, request.alarm_filter_prefix),
        viewer=viewer,
        resume_after=(
            Position(after.epoch, after.sequence, after.filter_hash) if request.HasField("resume_after") else None
        ),
        snapshot_on_gap=request.snapshot == pb.ALARM_SNAPSHOT_MODE_ON_GAP,
        is_extended=request.include_extended,
        policy=LagPolicy(request.lag_policy),
        position_interval=interval,
        max_messages=request.max_batch_messages,
    )


def seconds_of(duration: Duration, name: str) -> float:
    """A span of time in seconds.

    Raises:
        InvalidRequestError: it is negative.
    """
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 0:
        raise InvalidRequestError(f"{name} is negative")
    return seconds


class OperatorFields(Protocol):
    """The fields of a request that name an operator."""

    operator_user: str
    operator_node: str
    operator_domain: str
    operator_full_name: str


def check_operator(request: OperatorFields) -> None:
    """Raises InvalidRequestError for names that are too long or hold control characters."""
    for name in ("operator_user", "operator_node", "operator_domain", "operator_full_name"):
        text = getattr(request, name)
        if len(text) > MAX_OPERATOR or not text.isprintable():
            raise InvalidRequestError(f"{name} may have {MAX_OPERATOR} printable characters")


def check_comment(comment: str, *, is_required: bool) -> None:
    """Raises InvalidRequestError for a comment that cannot be kept as it is: it is never cut."""
    if len(comment) > MAX_COMMENT:
        raise InvalidRequestError(f"comment has {len(comment)} characters and may have {MAX_COMMENT}; shorten it")
    if not all(character.isprintable() or character == "\n" for character in comment):
        raise InvalidRequestError("comment holds control characters; only a newline may be in it")
    if is_required and not comment.strip():
        raise InvalidRequestError("comment is needed (setting alarms.acknowledge.comment_required)")


def check_reason(reason: str, *, is_required: bool) -> None:
    """Raises InvalidRequestError for a reason of shelving that the plant could not be told."""
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise InvalidRequestError(f"reason may have {MAX_REASON} printable characters")
    if "'" in reason and '"' in reason:
        raise InvalidRequestError("reason may have single or double quotes, not both")
    if is_required and not reason.strip():
        raise InvalidRequestError("reason is needed to shelve an alarm")


def check_target(reference: str) -> None:
    """Raises InvalidRequestError for what can name no alarm."""
    if not reference.strip() or len(reference) > MAX_REFERENCE or not reference.isprintable():
        raise InvalidRequestError(
            f"alarm_full_reference is a GUID, Provider!Group.Tag, or object and attribute, up to {MAX_REFERENCE} "
            "printable characters"
        )
