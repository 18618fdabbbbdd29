"""Bulk commands: one round trip, one result an entry in order, refusals before anything is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.fake_gateway import FakeGateway, ok

from mxgateway import MAX_BULK_ITEMS, MxGatewayProtocolError, Session
from mxgateway.generated import mxaccess_gateway_pb2 as pb

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)

CALLS: list[tuple[str, str, Any]] = [
    ("add_item_bulk", "add_item_bulk", "A.B"),
    ("advise_item_bulk", "advise_item_bulk", 1),
    ("remove_item_bulk", "remove_item_bulk", 1),
    ("unadvise_item_bulk", "un_advise_item_bulk", 1),
    ("subscribe_bulk", "subscribe_bulk", "A.B"),
    ("unsubscribe_bulk", "unsubscribe_bulk", 1),
    ("write_bulk", "write_bulk", (1, 5)),
    ("write2_bulk", "write2_bulk", (1, 5, MOMENT)),
    ("write_secured_bulk", "write_secured_bulk", (1, 2, 3, 5)),
    ("write_secured2_bulk", "write_secured2_bulk", (1, 2, 3, 5, MOMENT)),
    ("read_bulk", "read_bulk", "A.B"),
]
eleven = pytest.mark.parametrize(("method", "arm", "entry"), CALLS, ids=[call[0] for call in CALLS])


@eleven
async def test_one_round_trip_and_a_result_each(
    gateway: FakeGateway, session: Session, method: str, arm: str, entry: Any
) -> None:
    """A bulk call is one request with all entries and returns as many results, under the caller's correlation id."""
    results = await getattr(session, method)(1, [entry, entry, entry], correlation_id="mine")
    assert len(results) == 3
    assert len(gateway.commands) == 1
    assert gateway.commands[0].command.WhichOneof("payload") == arm
    assert gateway.commands[0].client_correlation_id == "mine"


@eleven
async def test_limit_of_entries(gateway: FakeGateway, session: Session, method: str, arm: str, entry: Any) -> None:
    """MAX_BULK_ITEMS entries pass, one more is refused before anything is sent."""
    assert len(await getattr(session, method)(1, [entry] * MAX_BULK_ITEMS)) == MAX_BULK_ITEMS
    with pytest.raises(ValueError, match=str(MAX_BULK_ITEMS)):
        await getattr(session, method)(1, [entry] * (MAX_BULK_ITEMS + 1))
    assert len(gateway.commands) == 1


@eleven
async def test_none_is_a_type_error(gateway: FakeGateway, session: Session, method: str, arm: str, entry: Any) -> None:
    """None in place of the list, or within it, and a bare string, are TypeErrors before anything is sent."""
    for wrong in (None, [entry, None], "A.B"):
        with pytest.raises(TypeError):
            await getattr(session, method)(1, wrong)
    assert not gateway.commands


@eleven
async def test_empty_list_is_fine(session: Session, method: str, arm: str, entry: Any) -> None:
    """An empty list gives an empty result."""
    assert await getattr(session, method)(1, []) == []


@eleven
async def test_wrong_number_of_results_raises(
    gateway: FakeGateway, session: Session, method: str, arm: str, entry: Any
) -> None:
    """A reply with another number of results than entries raises, because results are matched by position."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    getattr(reply, arm).results.add(server_handle=1)
    gateway.answer(arm, reply)
    with pytest.raises(MxGatewayProtocolError, match="1 results came back for 2 entries"):
        await getattr(session, method)(1, [entry, entry])


async def test_failed_entry_does_not_raise(gateway: FakeGateway, session: Session) -> None:
    """An entry that fails is a result with was_successful False among the others."""
    good = (await session.add_item_bulk(1, ["A.B"]))[0].item_handle
    results = await session.advise_item_bulk(1, [good, 99])
    assert [result.was_successful for result in results] == [True, False]
    assert results[1].error_message


async def test_any_iterable_is_taken(session: Session) -> None:
    """A generator of tags is as good as a list."""
    assert len(await session.read_bulk(1, (f"T{n}.V" for n in range(4)))) == 4


@pytest.mark.parametrize("timeout_ms", [-1, 2**32])
async def test_read_timeout_out_of_range(gateway: FakeGateway, session: Session, timeout_ms: int) -> None:
    """A negative read timeout is a ValueError before anything is sent."""
    with pytest.raises(ValueError, match="timeout_ms"):
        await session.read_bulk(1, ["A.B"], timeout_ms=timeout_ms)
    assert not gateway.commands


async def test_write_entries_keep_their_own_users_and_times(gateway: FakeGateway, session: Session) -> None:
    """User ids and times of the secured family stand on each entry; generated entries travel as they are."""
    await session.write_secured2_bulk(1, [(1, 2, 3, 5, MOMENT), (4, 5, 6, "x", MOMENT)])
    sent = gateway.commands_of("write_secured2_bulk")[0].entries
    assert [(e.item_handle, e.current_user_id, e.verifier_user_id) for e in sent] == [(1, 2, 3), (4, 5, 6)]
    assert sent[1].value.string_value == "x"
    own = pb.WriteBulkEntry(item_handle=9, user_id=4, value=pb.MxValue(bool_value=True))
    await session.write_bulk(1, [own, (1, 2)], user_id=8)
    assert [e.user_id for e in gateway.commands_of("write_bulk")[0].entries] == [4, 8]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("register", None), "client_name is None"),
        (("add_item", 1, None), "item_definition is None"),
        (("add_item", None, "A.B"), "server_handle is None"),
        (("write", 1, None, 5), "item_handle is None"),
        (("advise", "1", 2), "server_handle cannot be of type str"),
        (("advise", 2**40, 2), "server_handle cannot be 1099511627776, which is beyond 32 bits"),
        (("add_item_bulk", 1, [1, "A.B"]), "tag_addresses cannot be a list of int and str"),
        (("authenticate_user", 1, "operator", None), "verify_user_password is None"),
    ],
)
async def test_what_protobuf_would_leave_out_is_refused(
    gateway: FakeGateway, session: Session, arguments: tuple[Any, ...], text: str
) -> None:
    """None would travel as handle 0 or an empty reference; the argument at fault is named, and nothing is sent."""
    method, *rest = arguments
    with pytest.raises((TypeError, ValueError), match=f"^{text}$"):
        await getattr(session, method)(*rest)
    assert not gateway.commands


async def test_a_wrong_password_type_is_not_shown(session: Session) -> None:
    """The text of a refused argument has its type, never its value."""
    with pytest.raises(TypeError) as caught:
        await session.authenticate_user(1, "operator", ["sentinel"])  # type: ignore[arg-type]
    assert "sentinel" not in str(caught.value)
