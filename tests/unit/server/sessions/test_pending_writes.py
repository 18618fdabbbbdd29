"""Which completion belongs to which write: by item, in order, within bounds."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.sessions.pending_writes import MAX_PENDING, PendingWrites


def event(item: int, server: int = 1) -> pb.MxEvent:
    return pb.MxEvent(family=pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE, server_handle=server, item_handle=item)


class Told:
    """Notes which write was told of its completion."""

    def __init__(self, notes: list[str], name: str) -> None:
        self._notes, self._name = notes, name

    def __call__(self, event: pb.MxEvent | None) -> None:
        self._notes.append(self._name if event is not None else f"{self._name} lost")


def test_completions_of_an_item_come_in_the_order_of_its_writes() -> None:
    writes, notes = PendingWrites(), list[str]()
    for item, name in ((1, "a"), (2, "x"), (1, "b")):
        writes.begin(1, item, Told(notes, name))
    for each in (event(1), event(2), event(1), event(1), event(9), event(2, server=2)):
        writes.complete(each)
    assert (notes, len(writes)) == (["a", "x", "b"], 0)


def test_a_write_that_was_not_taken_waits_for_nothing() -> None:
    writes, notes = PendingWrites(), list[str]()
    first, second = Told(notes, "first"), Told(notes, "second")
    writes.begin(1, 1, first)
    writes.begin(1, 1, second)
    writes.withdraw(1, 1, first)
    writes.withdraw(1, 1, first)
    writes.withdraw(1, 7, first)
    writes.complete(event(1))
    assert (notes, len(writes)) == (["second"], 0)


def test_what_is_never_completed_fills_no_memory() -> None:
    writes, notes = PendingWrites(), list[str]()
    for number in range(MAX_PENDING + 100):
        writes.begin(1, number, Told(notes, str(number)))
    assert len(writes) == MAX_PENDING


def test_after_a_loss_no_completion_is_taken_for_another_writes() -> None:
    writes, notes = PendingWrites(), list[str]()
    for item, name in ((1, "a"), (1, "b"), (2, "x")):
        writes.begin(1, item, Told(notes, name))
    writes.lose()
    writes.complete(event(1))
    assert (sorted(notes), len(writes)) == (["a lost", "b lost", "x lost"], 0)
