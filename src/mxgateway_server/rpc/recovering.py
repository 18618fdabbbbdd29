"""A stream that recovers gaps: after lost events the worker is asked for the last change of each advised item."""

from __future__ import annotations

from mxgateway_contract.field_counts import FieldCountError, MalformedMessageError, top_fields
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import WorkerProtocolError
from mxgateway_server.events.recovery import LastValues, Recovery
from mxgateway_server.events.subscriber import Delivery
from mxgateway_server.sessions.session import Session

_DRAINED = pb.MxCommandReply.DRAIN_EVENTS_FIELD_NUMBER
_MOST_FIELDS = 1_000_000
"""Of one reply; a frame has fewer."""


async def recovered(recovery: Recovery, delivery: Delivery, session: Session, now_ns: int) -> list[Delivery]:
    """What a stream sends for a delivery that does not pass as it is: after a gap the last values before what follows.

    Raises:
        GatewayError: the worker could not be asked; whoever resumes the stream meets the gap again.
    """
    parts: list[Delivery] = []
    if recovery.is_due(delivery):
        before, delivery = recovery.recovered(delivery, await _last_values(session), now_ns)
        parts.append(before)
    if delivery.chunks:
        parts.append(recovery.marked(delivery))
    return parts


async def _last_values(session: Session) -> LastValues:
    events: list[bytes] = []
    after, as_of = 0, None
    while True:
        asked = pb.DrainEventsCommand(last_values=True, after_item=after)
        command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_DRAIN_EVENTS, drain_events=asked)
        reply = await session.submit(command, session.command_timeout)
        after, seen = _take(reply.to_bytes(session.session_id, ""), events)
        # Of several replies the first one is the oldest.
        as_of = seen if as_of is None else as_of
        if not after:
            return LastValues(tuple(events), as_of)


def _take(reply: bytes, events: list[bytes]) -> tuple[int, int]:
    """Adds the events of a reply, as they are; what to ask for next, and up to where events are older."""
    after = as_of = 0
    is_answer = False
    try:
        for number, value in top_fields(memoryview(reply), _MOST_FIELDS):
            if number != _DRAINED or isinstance(value, int):
                continue
            is_answer = True
            for inner, part in top_fields(value, _MOST_FIELDS):
                if inner == pb.DrainEventsReply.EVENTS_FIELD_NUMBER and not isinstance(part, int):
                    events.append(bytes(part))
                elif inner == pb.DrainEventsReply.AS_OF_WORKER_SEQUENCE_FIELD_NUMBER and isinstance(part, int):
                    as_of = part
                elif inner == pb.DrainEventsReply.NEXT_AFTER_FIELD_NUMBER and isinstance(part, int):
                    after = part
    except (FieldCountError, MalformedMessageError):
        is_answer = False
    if not is_answer:
        raise WorkerProtocolError("the worker's reply holds no last values")
    return after, as_of
