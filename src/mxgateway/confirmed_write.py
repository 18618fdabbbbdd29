"""A write that waits for its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mxgateway.errors import MxAccessError, MxGatewayTimeoutError
from mxgateway.quality import is_status_failure
from mxgateway.replies import status_text
from mxgateway.values import from_mx_value
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway.session_port import SessionPort


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

    def __repr__(self) -> str:
        before, after = from_mx_value(self.before.value), from_mx_value(self.value)
        return f"<WriteOutcome {self.tag}: {before!r} -> {after!r}, complete>"

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
    supervisory: bool = False,
    timeout: float = 15.0,
) -> WriteOutcome:
    """What `Session.write_and_confirm` does, see there."""
    sent = False
    own_handle = server_handle is None
    handle = server_handle if server_handle is not None else await session.register(f"write {tag}")
    try:
        async with asyncio.timeout(timeout), session.stream_events() as events:
            item = await session.add_item(handle, tag)
            try:
                await (session.advise_supervisory if supervisory else session.advise)(handle, item)
                before = await _event(events, item, pb.MX_EVENT_FAMILY_ON_DATA_CHANGE)
                _check(before, f"{tag} cannot be written: its first value has failed")
                written = value(before) if callable(value) else value
                sent = True
                await session.write(handle, item, written, user_id)
                completion = await _completed(events, item)
                _check(completion, f"writing {tag} failed")
            finally:
                await session.unsubscribe_bulk(handle, [item])
    except TimeoutError as error:
        state = "OnWriteComplete did not come; the outcome is unknown" if sent else "no value came, nothing was written"
        raise MxGatewayTimeoutError(f"{tag}: {state} within {timeout:g} s") from error
    finally:
        if own_handle:
            await session.unregister(handle)
    from mxgateway.values import to_mx_value

    return WriteOutcome(tag, to_mx_value(written), before, completion)


async def _event(events: Any, item: int, family: int) -> pb.MxEvent:
    async for event in events:
        if event.family == family and event.item_handle == item:
            return event  # type: ignore[no-any-return]
    raise MxGatewayTimeoutError("the event stream ended")


async def _completed(events: Any, item: int) -> pb.MxEvent:
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
