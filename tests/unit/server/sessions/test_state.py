"""The session's state machine: every transition, the lease, the grace, the owner."""

from __future__ import annotations

import itertools

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import (
    GatewayError,
    OwnerMismatchError,
    SessionFaultedError,
    SessionLimitError,
    SessionNotFoundError,
    SessionNotReadyError,
)
from mxgateway_server.sessions.state import (
    CLOSED,
    CLOSING,
    CREATING,
    FAULTED,
    HANDSHAKING,
    INITIALIZING_WORKER,
    READY,
    STARTING_WORKER,
    TRANSITIONS,
    WAITING_FOR_PIPE,
    CloseReason,
    SessionLimits,
    SessionRecord,
)
from mxgateway_server.sessions.table import CLOSED_MEMORY, SessionTable

START = [CREATING, STARTING_WORKER, WAITING_FOR_PIPE, HANDSHAKING, INITIALIZING_WORKER]
ALL = [*START, READY, CLOSING, CLOSED, FAULTED]
LEGAL = {
    *((a, b) for a, b in itertools.combinations([*START, READY], 2)),
    *((state, end) for state in START for end in (CLOSING, CLOSED, FAULTED)),
    (READY, CLOSING),
    (READY, FAULTED),
    (CLOSING, CLOSED),
    (FAULTED, CLOSED),
}


def record(state: int = READY, **limits: float) -> SessionRecord:
    made = SessionRecord("s", "owner", SessionLimits(**limits), 100.0)
    made.state = pb.SessionState.ValueType(state)
    return made


@pytest.mark.parametrize(("before", "after"), list(itertools.product(ALL, ALL)))
def test_the_transition_matrix_is_exactly_this(before: int, after: int) -> None:
    session = record(before)
    moved = session.move(pb.SessionState.ValueType(after))
    assert moved == ((before, after) in LEGAL)
    assert session.state == (after if moved else before)


def test_every_state_of_the_contract_has_its_row() -> None:
    assert set(TRANSITIONS) == {number for number in pb.SessionState.values() if number}


def test_only_the_first_fault_is_kept_and_explains_itself() -> None:
    session = record()
    assert session.fail(GatewayError("the first"), 1.0)
    assert not session.fail(GatewayError("the second"), 2.0)
    with pytest.raises(SessionFaultedError, match="the first"):
        session.require_ready()


@pytest.mark.parametrize("state", [state for state in ALL if state not in (READY, FAULTED)])
def test_only_a_ready_session_takes_commands(state: int) -> None:
    with pytest.raises(SessionNotReadyError):
        record(state).require_ready()


def test_the_lease_runs_out_and_a_call_begins_it_anew() -> None:
    session = record(lease=10.0)
    assert session.expired(109.9) is None
    assert session.expired(110.0) is CloseReason.LEASE_EXPIRED
    session.touch(109.0)
    assert session.expired(118.9) is None
    assert session.expired(119.0) is CloseReason.LEASE_EXPIRED


def test_an_attached_stream_keeps_the_session_alive() -> None:
    session = record(lease=10.0)
    session.attach(100.0)
    assert session.expired(1_000_000.0) is None


def test_the_lease_begins_anew_when_a_long_stream_ends() -> None:
    session = record(lease=10.0, detach_grace=0.0)
    session.attach(100.0)
    session.detach(5000.0)
    assert session.expired(5009.9) is None
    assert session.expired(5010.0) is CloseReason.LEASE_EXPIRED


def test_the_grace_after_the_last_stream_is_shorter_than_the_lease_and_a_call_ends_it() -> None:
    session = record(lease=1000.0, detach_grace=30.0)
    session.attach(100.0)
    session.attach(100.0)
    session.detach(110.0)
    assert session.expired(200.0) is None
    session.detach(200.0)
    assert session.expired(229.9) is None
    assert session.expired(230.0) is CloseReason.DETACH_GRACE_EXPIRED
    session.touch(229.0)
    assert session.expired(300.0) is None


def test_a_session_does_not_expire_under_a_command_that_runs_and_the_times_begin_anew_with_its_end() -> None:
    session = record(lease=10.0, detach_grace=3.0)
    session.begin_call()
    session.begin_call()
    session.end_call(105.0)
    assert session.expired(1000.0) is None
    session.end_call(1000.0)
    assert session.expired(1009.9) is None
    assert session.expired(1010.0) is CloseReason.LEASE_EXPIRED
    session.attach(1000.0)
    session.begin_call()
    session.detach(1001.0)
    assert session.expired(1006.0) is None
    session.end_call(1006.0)
    assert session.expired(1008.9) is None
    assert session.expired(1009.0) is CloseReason.DETACH_GRACE_EXPIRED


def test_a_grace_of_zero_leaves_only_the_lease() -> None:
    session = record(lease=1000.0, detach_grace=0.0)
    session.attach(100.0)
    session.detach(100.0)
    assert session.expired(1099.0) is None


@pytest.mark.parametrize("state", [state for state in ALL if state not in (READY, FAULTED)])
def test_the_sweep_leaves_other_states_alone(state: int) -> None:
    assert record(state, lease=1.0).expired(1_000_000.0) is None


def test_a_faulted_session_is_remembered_for_a_while_only() -> None:
    session = record()
    session.fail(GatewayError("x"), 500.0)
    assert session.expired(559.0) is None
    assert session.expired(560.0) is CloseReason.FAULT


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


def test_the_sweep_names_every_expired_session_with_its_reason() -> None:
    sessions = SessionTable(10, SessionLimits(lease=10.0))
    for name in "ab":
        sessions.create(name, "k", 0.0).state = READY
    sessions.find("b", "k", False).touch(5.0)
    assert [(found.session_id, reason) for found, reason in sessions.expired(10.0)] == [
        ("a", CloseReason.LEASE_EXPIRED)
    ]
