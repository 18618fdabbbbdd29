"""The table of sessions: limits, owners, and what is remembered."""

from __future__ import annotations

import pytest

from mxgateway_server.errors import (
    EventQueueOverflowError,
    GatewayError,
    OwnerMismatchError,
    SessionLimitError,
    SessionNotFoundError,
)
from mxgateway_server.sessions.state import (
    CLOSED,
    READY,
    CloseReason,
    SessionLimits,
)
from mxgateway_server.sessions.table import CLOSED_MEMORY, MAX_APART, SessionTable


def table(maximum: int = 2, per_key: int = 0) -> SessionTable:
    return SessionTable(maximum, SessionLimits(), per_key)


def test_the_table_is_full_at_its_limit_and_an_ended_session_makes_room() -> None:
    sessions = table()
    sessions.create("a", "k", 0.0)
    sessions.create("b", "k", 0.0)
    with pytest.raises(SessionLimitError, match="max_sessions"):
        sessions.create("c", "k", 0.0)
    sessions.remove("a")
    sessions.create("c", "k", 0.0)


def test_a_faulted_session_does_not_hold_a_place() -> None:
    sessions = table(1)
    sessions.create("a", "k", 0.0).fail(GatewayError("x"), 0.0)
    sessions.create("b", "k", 0.0)


def test_a_key_has_its_own_limit() -> None:
    sessions = table(10, per_key=1)
    sessions.create("a", "k", 0.0)
    with pytest.raises(SessionLimitError, match="max_sessions_per_key"):
        sessions.create("b", "k", 0.0)
    sessions.create("c", "other", 0.0)


def test_what_the_gateway_itself_needs_takes_no_place_of_a_client_and_is_bounded_too() -> None:
    sessions = table(1, per_key=1)
    for number in range(MAX_APART):
        sessions.create(f"apart-{number}", "k", 0.0, is_apart=True)
    with pytest.raises(SessionLimitError, match="watch lists"):
        sessions.create("one more", "k", 0.0, is_apart=True)
    sessions.create("a", "k", 0.0)
    with pytest.raises(SessionLimitError, match="max_sessions"):
        sessions.create("b", "other", 0.0)
    sessions.remove("apart-0")
    sessions.create("another", "k", 0.0, is_apart=True)


def test_a_full_table_is_no_hindrance_to_what_the_gateway_itself_needs() -> None:
    sessions = table(1)
    sessions.create("a", "k", 0.0)
    sessions.create("apart", "k", 0.0, is_apart=True)


def test_a_session_that_never_got_ready_gives_its_place_back_and_is_forgotten() -> None:
    sessions = table(1)
    sessions.create("a", "k", 0.0)
    sessions.discard("a")
    assert sessions.find_closed("a", "k", False) is None
    sessions.create("b", "k", 0.0)


def test_only_the_owner_and_admins_find_a_session() -> None:
    sessions = table()
    made = sessions.create("a", "k", 0.0)
    assert sessions.find("a", "k", False) is made
    assert sessions.find("a", "admin", True) is made
    with pytest.raises(OwnerMismatchError):
        sessions.find("a", "other", False)
    with pytest.raises(SessionNotFoundError):
        sessions.find("b", "k", False)


def test_a_closed_session_is_remembered_for_its_owner_only_and_the_memory_is_bounded() -> None:
    sessions = table(10)
    sessions.create("a", "k", 0.0).close_reason = CloseReason.LEASE_EXPIRED
    sessions.remove("a")
    with pytest.raises(SessionNotFoundError, match="lease-expired"):
        sessions.find("a", "k", False)
    closed = sessions.find_closed("a", "k", False)
    assert closed is not None
    assert closed.state == CLOSED
    assert sessions.find_closed("a", "other", False) is None
    for number in range(CLOSED_MEMORY):
        sessions.create(f"n{number}", "k", 0.0)
        sessions.remove(f"n{number}")
    assert sessions.find_closed("a", "k", False) is None


def test_a_key_that_is_made_anew_under_the_same_id_is_another_key() -> None:
    sessions = table()
    sessions.create("a", "k", 0.0).owner_created_ns = 1
    sessions.create("b", "k", 0.0).owner_created_ns = 1
    sessions.remove("b")
    with pytest.raises(OwnerMismatchError):
        sessions.find("a", "k", False, 2)
    with pytest.raises(SessionNotFoundError, match="no such session"):
        sessions.find("b", "k", False, 2)
    assert sessions.find_closed("b", "k", False, 2) is None
    assert sessions.find("a", "k", False, 1).session_id == "a"
    assert sessions.find_closed("b", "k", False, 1) is not None


def test_a_session_that_had_failed_says_the_cause_after_it_is_gone() -> None:
    sessions = table()
    sessions.create("a", "k", 0.0).fail(EventQueueOverflowError("10 events wait"), 0.0)
    sessions.remove("a")
    with pytest.raises(SessionNotFoundError, match="EVENT_QUEUE_OVERFLOW: 10 events wait") as caught:
        sessions.find("a", "k", False)
    assert caught.value.cause == "EVENT_QUEUE_OVERFLOW"


@pytest.mark.parametrize("reason", CloseReason)
def test_a_closed_session_says_why_in_a_word_and_in_words(reason: CloseReason) -> None:
    sessions = table()
    sessions.create("a", "k", 0.0).close_reason = reason
    sessions.remove("a")
    with pytest.raises(SessionNotFoundError) as caught:
        sessions.find("a", "k", False)
    assert caught.value.cause == reason
    assert reason.meaning in str(caught.value)


def test_the_sweep_names_every_expired_session_with_its_reason() -> None:
    sessions = SessionTable(10, SessionLimits(lease=10.0))
    for name in "ab":
        sessions.create(name, "k", 0.0).state = READY
    sessions.find("b", "k", False).touch(5.0)
    assert [(found.session_id, reason) for found, reason in sessions.expired(10.0)] == [
        ("a", CloseReason.LEASE_EXPIRED)
    ]


def test_the_session_whose_client_is_gone_for_longest_may_make_room() -> None:
    sessions = table(10)
    for name, since in (("a", 50.0), ("b", 20.0), ("c", 40.0)):
        made = sessions.create(name, "k", 0.0)
        made.move(READY)
        made.met("ipv4:10.0.0.1:5")
        made.look_for_peers(since, lambda _: False)
    assert sessions.abandoned("k", 20.0) is None
    found = sessions.abandoned("k", 100.0)
    assert found is not None
    assert found.session_id == "b"
    assert sessions.abandoned("other", 100.0) is None
    found.close_reason = CloseReason.MADE_ROOM
    assert not found.is_live
