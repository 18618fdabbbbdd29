"""The board behind live tables: what it shows follows the events, whenever they come."""

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.watch_board import Board


def change(handle: int, value: int) -> pb.MxEvent:
    return pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
        item_handle=handle,
        quality=192,
        value=pb.MxValue(data_type=pb.MX_DATA_TYPE_INTEGER, int32_value=value),
    )


def subscribed(handle: int, tag: str) -> pb.SubscribeResult:
    return pb.SubscribeResult(item_handle=handle, tag_address=tag, was_successful=True)


def test_a_first_value_that_comes_before_the_reply_is_shown() -> None:
    """A constant tag sends one event in its life; it may overtake the reply that names its handle."""
    board = Board()
    assert board.apply(change(1, 7), 1.0) is None
    assert board.apply(change(1, 8), 2.0) is None
    board.subscribe([subscribed(1, "A.B"), subscribed(2, "C.D")])
    assert (board.rows[1].text, board.rows[1].changed_at) == ("8", 2.0)
    assert (board.waiting, board.good, board.events) == (1, 1, 2)


def test_values_after_the_reply_go_to_their_rows() -> None:
    board = Board()
    board.subscribe([subscribed(2, "C.D")])
    row = board.apply(change(2, 5), 3.0)
    assert row is board.rows[2]
    assert board.waiting == 0
