"""A write that waits for its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mxgateway.errors import (
    MxAccessError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayResourceError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
)
from mxgateway.quality import is_status_failure
from mxgateway.received_values import from_mx_value
from mxgateway.replies import status_text
from mxgateway.values import to_mx_value
from mxgateway_contract.constants import CAPABILITY_EVENT_BATCHES
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway.events import EventStream
    from mxgateway.pending_writes import PendingWrites
    from mxgateway.session_port import SessionPort
    from mxgateway.subscribed_items import SubscribedItems


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """A write that MXAccess has completed.

    Attributes:
        tag: the reference written to.
        value: what was sent.
        before: the OnDataChange that told the type, with the value before the write.
        completion: the OnWriteComplete.
    """

    tag: str
    value: pb.MxValue
    before: pb.MxEvent
    completion: pb.MxEvent

    @property
    def old(self) -> Any:
        """The Python value before the write, see `from_mx_value`."""
        return from_mx_value(self.before.value)

    @property
    def new(self) -> Any:
        """The Python value that was sent."""
        return from_mx_value(self.value)

    def __repr__(self) -> str:
        return f"<WriteOutcome {self.tag}: {self.old!r} -> {self.new!r}, complete>"

    def _repr_html_(self) -> str:
        from html import escape

        from mxgateway.results import Events

        return f"Write of {escape(self.tag)} completed: {Events([self.before, self.completion])._repr_html_()}"


async def write_and_confirm(
    session: SessionPort,
    tag: str,
    value: Any | Callable[[pb.MxEvent], Any],
    *,
    server_handle: int | None = None,
    user_id: int = 0,
    verifier_id: int | None = None,
    supervisory: bool = False,
    timeout: float = 15.0,
) -> WriteOutcome:
    """What `Session.write_and_confirm` does, see there."""
    progress = _Progress(tag, timeout)
    own_handle = server_handle is None
    handle = server_handle if server_handle is not None else await session.register(f"write {tag}")
    try:
        with progress:
            async with asyncio.timeout(timeout), session.stream_events() as events:
                item = await session.add_item(handle, tag)
                if CAPABILITY_EVENT_BATCHES in session.capabilities:
                    # Beside another stream it gets only what comes once it stands, and this gateway tells when it does.
                    await events.opened()
                try:
                    await (session.advise_supervisory if supervisory else session.advise)(handle, item)
                    before = await _event(events, item, pb.MX_EVENT_FAMILY_ON_DATA_CHANGE)
                    _check(before, f"{tag} cannot be written: its first value has failed")
                    written = to_mx_value(value(before) if callable(value) else value)
                    progress.is_sent = True
                    await _write(session, handle, item, written, user_id, verifier_id)
                    completion = await _completed(events, item)
                finally:
                    await session.unsubscribe_bulk(handle, [item])
            _check(completion, f"writing {tag} failed")
    finally:
        if own_handle:
            await session.unregister(handle)
    return WriteOutcome(tag, written, before, completion)


class Subscribed(Protocol):
    """What a write needs of a subscription that has the item."""

    session: SessionPort | None
    is_serving: bool
    items: SubscribedItems
    writes: PendingWrites


async def write_subscribed(
    subscribed: Subscribed,
    tag: str,
    value: Any | Callable[[pb.MxEvent], Any],
    *,
    user_id: int,
    verifier_id: int | None,
    timeout: float,
) -> WriteOutcome:
    """What `Subscription.write` does, see there."""
    session, (server, item) = _place_of(subscribed, tag)
    progress = _Progress(tag, timeout)
    with progress:
        async with asyncio.timeout(timeout):
            # Answered from the last OnDataChange; before the first one it waits, as a write would have to.
            (result,) = await session.read_bulk(server, [tag])
            before = _as_event(result, server, item)
            _check(before, f"{tag} cannot be written: its value has failed")
            written = to_mx_value(value(before) if callable(value) else value)
            pending = subscribed.writes.begin(item)
            progress.is_sent = True
            try:
                await _write(session, server, item, written, user_id, verifier_id)
                completion = await asyncio.shield(pending)
            except (MxGatewayError, TimeoutError) as error:
                subscribed.writes.take_back(item, pending)
                if _may_complete_later(error):
                    # The next completion of this item could be that of this write: another item takes its place.
                    subscribed.items.renew([item])
                raise
    _check(completion, f"writing {tag} failed")
    return WriteOutcome(tag, written, before, completion)


def _place_of(subscribed: Subscribed, tag: str) -> tuple[SessionPort, tuple[int, int]]:
    if tag not in subscribed.items:
        raise ValueError(f"{tag} is not subscribed; add it first")
    if (reason := subscribed.items.failures.get(tag)) is not None:
        raise ValueError(f"{tag} cannot be written, since it could not be subscribed: {reason}")
    place = subscribed.items.item_of(tag)
    if subscribed.session is None or not subscribed.is_serving or place is None:
        raise MxGatewayConnectionError("the subscription is interrupted; nothing was sent")
    return subscribed.session, place


def _as_event(result: pb.BulkReadResult, server_handle: int, item_handle: int) -> pb.MxEvent:
    if not result.was_successful and not result.statuses:
        raise MxAccessError(result.error_message or "the tag cannot be read", raw_reply=result)
    event = pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
        server_handle=server_handle,
        item_handle=item_handle,
        value=result.value,
        quality=result.quality,
        statuses=result.statuses,
    )
    if result.HasField("source_timestamp"):
        event.source_timestamp.CopyFrom(result.source_timestamp)
    return event


async def _write(
    session: SessionPort, server: int, item: int, value: pb.MxValue, user_id: int, verifier_id: int | None
) -> None:
    if verifier_id is None:
        await session.write(server, item, value, user_id)
    else:
        await session.write_secured(server, item, user_id, verifier_id, value)


def _may_complete_later(error: Exception) -> bool:
    """Whether a write that failed on its way may have reached MXAccess all the same."""
    if isinstance(error, MxGatewayResourceError):
        return False
    return isinstance(error, TimeoutError | MxGatewayTransportError)


class _Progress:
    """Says in a timeout's error whether the write was sent."""

    def __init__(self, tag: str, timeout: float) -> None:
        self._tag = tag
        self._timeout = timeout
        self.is_sent = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if not isinstance(error, TimeoutError) or isinstance(error, MxGatewayError):
            return
        state = "no value came, nothing was written"
        if self.is_sent:
            state = "OnWriteComplete did not come; the outcome is unknown"
        raise MxGatewayTimeoutError(f"{self._tag}: {state} within {self._timeout:g} s") from error


async def _event(events: EventStream, item: int, family: int) -> pb.MxEvent:
    async for event in events:
        if event.family == family and event.item_handle == item:
            return event
    raise MxGatewayTimeoutError("the event stream ended")


async def _completed(events: EventStream, item: int) -> pb.MxEvent:
    while True:
        event = await _event(events, item, pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE)
        # A pending completion announces another one.
        if not any(status.category == pb.MX_STATUS_CATEGORY_PENDING for status in event.statuses):
            return event


def _check(event: pb.MxEvent, text: str) -> None:
    failed = [status for status in event.statuses if is_status_failure(status)]
    if failed:
        raise MxAccessError(
            f"{text}: {', '.join(status_text(status) for status in failed)}",
            raw_reply=event,
            statuses=event.statuses,
            hresult=event.hresult if event.HasField("hresult") else None,
        )
