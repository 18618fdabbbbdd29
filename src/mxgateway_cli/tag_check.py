"""Whether tags can be read: by the resolver that reads them, not by a guess of what it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mxgateway import MAX_BULK_ITEMS, GatewayClient, is_status_failure
from mxgateway_cli.output import failure_text
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import Detail

_CLIENT_NAME = "mxgw-py tags"
# What an engine that is down or slow says: the tag is there all the same.
_PASSING = (pb.MX_STATUS_CATEGORY_COMMUNICATION_ERROR, pb.MX_STATUS_CATEGORY_PENDING, pb.MX_STATUS_CATEGORY_WARNING)


async def unreadable(client: GatewayClient, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are refused, with the reason. Raises MxGatewayError."""
    refused: dict[str, str] = {}
    async with await client.open_session(client_session_name=_CLIENT_NAME) as session:
        handle = await session.register(_CLIENT_NAME)
        for start in range(0, len(tags), MAX_BULK_ITEMS):
            chunk = tags[start : start + MAX_BULK_ITEMS]
            for tag, result in zip(chunk, await session.read_bulk(handle, chunk), strict=True):
                if is_refused(result):
                    refused[tag] = failure_text(result)
        await session.unregister(handle)
    return refused


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
