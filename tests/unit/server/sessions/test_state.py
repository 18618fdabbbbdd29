"""The session's state machine: every transition, the lease, the grace."""

from __future__ import annotations

import itertools

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import (
    GatewayError,
    SessionFaultedError,
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
    made = SessionRecord(session_id="s", owner_key_id="owner", limits=SessionLimits(**limits), opened_at=100.0)
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
