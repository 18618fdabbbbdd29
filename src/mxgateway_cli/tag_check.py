"""Whether tags can be read: by the resolver that reads them, not by a guess of what it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mxgateway import GatewayClient, Session, is_status_failure
from mxgateway_cli.connection import HINT_SECONDS, Connection
from mxgateway_cli.failures import CommandFailure
from mxgateway_cli.output import failure_text, note
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import Detail

_CLIENT_NAME = "mxgw-py tags"
# What an engine that is down or slow says: the tag is there all the same.
_PASSING = (pb.MX_STATUS_CATEGORY_COMMUNICATION_ERROR, pb.MX_STATUS_CATEGORY_PENDING, pb.MX_STATUS_CATEGORY_WARNING)


# An unknown reference is refused at once; whatever takes longer is none.
_AT_ONCE_MS = 1000
_MOST_TOLD = 5


async def unreadable(client: GatewayClient, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are refused, with the reason. Raises MxGatewayError."""
    async with await client.open_session(client_session_name=_CLIENT_NAME) as session:
        handle = await session.register(_CLIENT_NAME)
        results = await _read(session, handle, tags)
        await session.unregister(handle)
    return {tag: failure_text(result) for tag, result in results.items() if is_refused(result)}


def tell_unknown(connection: Connection, tags: Sequence[str], session_id: str = "", server_handle: int = 0) -> None:
    """Tells a person which tags lead nowhere, and what may have been meant: AddItem and Advise take any text, and only
    an event says later that there is no such tag.

    Args:
        session_id, server_handle: where the tags are items; without them they are read in a session of their own.
    """
    if connection.output_json or not tags:
        return

    async def body(client: GatewayClient) -> list[str]:
        if not session_id:
            return list(await unreadable(client, tags))
        results = await _read(client.attach_session(session_id), server_handle, tags, _AT_ONCE_MS)
        return [tag for tag, result in results.items() if is_unknown(result.statuses)]

    try:
        found = replace(connection, timeout=HINT_SECONDS).run(body)
    except CommandFailure:
        # A key may add items without reading them: then nothing is told.
        return
    if found:
        shown = ", ".join(found[:_MOST_TOLD]) + (", …" if len(found) > _MOST_TOLD else "")
        for text in connection.hints(found) or [f"no such tag: {shown}"]:
            note(text)


async def _read(
    session: Session, server_handle: int, tags: Sequence[str], timeout_ms: int = 0
) -> dict[str, pb.BulkReadResult]:
    results: dict[str, pb.BulkReadResult] = {}
    for start in range(0, len(tags), session.max_bulk_items):
        chunk = tags[start : start + session.max_bulk_items]
        results.update(zip(chunk, await session.read_bulk(server_handle, chunk, timeout_ms=timeout_ms), strict=True))
    return results


def is_refused(result: pb.BulkReadResult) -> bool:
    """Whether there is no such tag, or it may not be read; not whether it has no value now."""
    if result.was_successful:
        return False
    failed = [status for status in result.statuses if is_status_failure(status)]
    if not failed:
        # A tag that did not answer in time is there; without a status else it is the gateway that refuses.
        return not result.error_message.startswith("no value within")
    return any(status.category not in _PASSING for status in failed)


def is_unknown(statuses: Iterable[pb.MxStatusProxy]) -> bool:
    """Whether MXAccess says that there is no such reference."""
    return any(
        status.category == pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR
        and status.detail in (Detail.INVALID_REFERENCE, Detail.SUCCESS)
        and is_status_failure(status)
        for status in statuses
    )
