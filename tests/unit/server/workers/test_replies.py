"""Replies pass through the gateway as bytes, with the ids that the caller knows."""

from __future__ import annotations

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import WorkerProtocolError
from mxgateway_server.workers.replies import CommandReply, reply_batch


def worker_reply() -> pb.MxCommandReply:
    reply = pb.MxCommandReply(session_id="pool-1", correlation_id="17", kind=pb.MX_COMMAND_KIND_READ_BULK, hresult=0)
    reply.read_bulk.results.add(tag_address="A.PV", was_successful=True)
    return reply


@pytest.mark.parametrize("is_parsed", [False, True])
@pytest.mark.parametrize("correlation_id", ["mine", ""])
def test_only_the_ids_differ(is_parsed: bool, correlation_id: str) -> None:
    reply = CommandReply(worker_reply().SerializeToString())
    if is_parsed:
        assert reply.message == worker_reply()
    expected = worker_reply()
    expected.session_id, expected.correlation_id = "session-1", correlation_id
    assert pb.MxCommandReply.FromString(reply.to_bytes("session-1", correlation_id)) == expected


def test_what_is_changed_in_the_message_is_in_the_bytes() -> None:
    reply = CommandReply(worker_reply().SerializeToString())
    reply.message.read_bulk.results.add(tag_address="B.PV")
    sent = pb.MxCommandReply.FromString(reply.to_bytes("session-1", "c"))
    assert [result.tag_address for result in sent.read_bulk.results] == ["A.PV", "B.PV"]


def test_bytes_that_are_no_reply_are_told_as_the_workers_fault() -> None:
    with pytest.raises(WorkerProtocolError, match="no MxCommandReply"):
        CommandReply(b"\xff").message  # noqa: B018


def test_a_batch_is_the_message_of_its_replies() -> None:
    replies = [pb.MxCommandReply(correlation_id=str(number)) for number in range(3)]
    batch = reply_batch([reply.SerializeToString() for reply in replies])
    assert pb.MxCommandReplyBatch.FromString(batch) == pb.MxCommandReplyBatch(replies=replies)
