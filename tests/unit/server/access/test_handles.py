"""Which tag a handle stands for, from the replies that made and freed it."""

from __future__ import annotations

import pytest
from tests.support.gateway import command, ok

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.handles import HandleTracker


def test_handles_are_learned_from_replies_and_forgotten_with_their_end() -> None:
    handles = HandleTracker()
    reply = ok("ADD_ITEM2")
    reply.add_item2.item_handle = 7
    handles.learn(command("ADD_ITEM2", server_handle=1, item_definition="Me.PV", item_context="Tank"), reply)
    bulk = ok("SUBSCRIBE_BULK")
    bulk.subscribe_bulk.results.add(server_handle=1, item_handle=8, tag_address="A.B", was_successful=True)
    bulk.subscribe_bulk.results.add(server_handle=1, item_handle=0, tag_address="C.D")
    handles.learn(command("SUBSCRIBE_BULK", server_handle=1, tag_addresses=["A.B", "C.D"]), bulk)
    assert (handles.reference(1, 7), handles.reference(1, 8), len(handles)) == ("Tank.PV", "A.B", 2)
    assert handles.reference(2, 7) is None
    handles.learn(command("REMOVE_ITEM", server_handle=1, item_handle=7), ok("REMOVE_ITEM"))
    assert handles.reference(1, 7) is None
    handles.learn(command("UNREGISTER", server_handle=1), ok("UNREGISTER"))
    assert len(handles) == 0


def test_a_failed_command_changes_nothing_and_one_without_reply_forgets_what_it_may_have_freed() -> None:
    handles = HandleTracker()
    reply = ok("ADD_ITEM")
    reply.add_item.item_handle = 7
    handles.learn(command("ADD_ITEM", server_handle=1, item_definition="A"), reply)
    failed = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE))
    handles.learn(command("REMOVE_ITEM", server_handle=1, item_handle=7), failed)
    assert handles.reference(1, 7) == "A"
    handles.forget(command("UNSUBSCRIBE_BULK", server_handle=1, item_handles=[7]))
    assert handles.reference(1, 7) is None


@pytest.mark.parametrize(
    ("made", "succeeded"),
    [
        (command("REMOVE_ITEM", server_handle=1, item_handle=7), ok("REMOVE_ITEM")),
        (command("UNREGISTER", server_handle=1), ok("UNREGISTER")),
        (
            command("REMOVE_ITEM_BULK", server_handle=1, item_handles=[7, 8]),
            pb.MxCommandReply(
                remove_item_bulk=pb.BulkSubscribeReply(
                    results=[pb.SubscribeResult(server_handle=1, item_handle=7, was_successful=True)]
                )
            ),
        ),
    ],
)
def test_what_a_command_under_way_may_free_stands_for_nothing_until_its_reply(
    made: pb.MxCommand, succeeded: pb.MxCommandReply
) -> None:
    handles = HandleTracker()
    reply = ok("ADD_ITEM")
    reply.add_item.item_handle = 7
    handles.learn(command("ADD_ITEM", server_handle=1, item_definition="A"), reply)
    failed = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE))
    handles.begin(made)
    assert handles.reference(1, 7) is None
    handles.learn(made, failed)
    assert handles.reference(1, 7) == "A"
    handles.begin(made)
    handles.learn(made, succeeded)
    assert handles.reference(1, 7) is None
    handles.begin(made)
    handles.learn(made, failed)
    assert handles.reference(1, 7) is None, "what is gone does not come back"


def test_a_handle_that_is_freed_again_before_its_new_tag_is_known_stands_for_nothing_either() -> None:
    handles = HandleTracker()
    remove = command("REMOVE_ITEM", server_handle=1, item_handle=7)
    added = ok("ADD_ITEM")
    added.add_item.item_handle = 7
    handles.begin(remove)
    handles.begin(remove)
    handles.learn(remove, ok("REMOVE_ITEM"))
    handles.learn(command("ADD_ITEM", server_handle=1, item_definition="B"), added)
    assert handles.reference(1, 7) is None
    handles.learn(remove, ok("REMOVE_ITEM"))
    assert handles.reference(1, 7) is None
    handles.learn(command("ADD_ITEM", server_handle=1, item_definition="C"), added)
    assert handles.reference(1, 7) == "C"
