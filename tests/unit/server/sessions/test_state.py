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
    GONE_FOR_SURE,
    HANDSHAKING,
    INITIALIZING_WORKER,
    MAX_PEERS,
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
    with pytest.raises(SessionFaultedError, match="INTERNAL: the first") as caught:
        session.require_ready()
    assert caught.value.cause == "INTERNAL"


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


# ------------------------------------------------------------------------------------------------- clients that vanish


def gone(_peer: str) -> bool:
    return False


def there(_peer: str) -> bool:
    return True


def unknown(_peer: str) -> None:
    return None


def test_a_session_without_any_stream_ends_with_the_grace_once_its_client_is_gone() -> None:
    session = record(lease=1000.0, detach_grace=30.0)
    session.met("ipv4:10.0.0.1:5")
    session.look_for_peers(110.0, there)
    assert session.expired(200.0) is None
    session.look_for_peers(200.0, gone)
    assert session.expired(229.9) is None
    session.look_for_peers(229.9, gone)
    assert session.expired(230.0) is CloseReason.DETACH_GRACE_EXPIRED


def test_a_client_that_comes_back_over_another_connection_keeps_its_session() -> None:
    session = record(lease=1000.0, detach_grace=30.0)
    session.met("ipv4:10.0.0.1:5")
    session.look_for_peers(110.0, gone)
    session.met("ipv4:10.0.0.1:6")
    session.look_for_peers(150.0, there)
    assert session.expired(150.0) is None


def test_one_connection_of_several_is_enough() -> None:
    session = record(lease=1000.0, detach_grace=30.0)
    session.met("ipv4:10.0.0.1:5")
    session.met("ipv4:10.0.0.1:6")
    session.look_for_peers(110.0, lambda peer: peer.endswith(":6"))
    assert session.expired(150.0) is None
    session.look_for_peers(150.0, gone)
    assert session.expired(180.0) is CloseReason.DETACH_GRACE_EXPIRED


def test_where_connections_cannot_be_seen_only_the_lease_ends_a_session_without_streams() -> None:
    session = record(lease=1000.0, detach_grace=30.0)
    session.met("ipv4:10.0.0.1:5")
    session.look_for_peers(110.0, unknown)
    assert session.expired(1000.0) is None
    assert session.expired(1100.0) is CloseReason.LEASE_EXPIRED


def test_a_stream_is_a_connection_whatever_the_table_says() -> None:
    session = record(lease=1000.0, detach_grace=30.0)
    session.attach(100.0, "unix:/run/x")
    session.look_for_peers(110.0, gone)
    assert session.expired(500.0) is None
    session.detach(500.0)
    session.look_for_peers(501.0, gone)
    assert session.expired(530.0) is CloseReason.DETACH_GRACE_EXPIRED


def test_a_call_that_ends_after_its_client_went_begins_the_grace_anew() -> None:
    session = record(lease=1000.0, detach_grace=30.0)
    session.met("ipv4:10.0.0.1:5")
    session.begin_call()
    session.look_for_peers(110.0, gone)
    assert session.expired(200.0) is None
    session.end_call(200.0)
    assert session.expired(229.0) is None
    assert session.expired(230.0) is CloseReason.DETACH_GRACE_EXPIRED


def test_a_kept_session_ends_with_its_lease_only() -> None:
    session = record(lease=1000.0, detach_grace=30.0)
    session.is_kept = True
    session.attach(100.0, "ipv4:10.0.0.1:5")
    session.detach(100.0)
    session.look_for_peers(110.0, gone)
    assert session.expired(1000.0) is None
    assert not session.is_abandoned(1000.0)
    assert session.expired(1100.0) is CloseReason.LEASE_EXPIRED


def test_without_a_grace_a_vanished_client_leaves_its_session_to_the_lease() -> None:
    session = record(lease=1000.0, detach_grace=0.0)
    session.met("ipv4:10.0.0.1:5")
    session.look_for_peers(110.0, gone)
    assert session.expired(1000.0) is None


def test_only_a_client_that_is_gone_for_a_while_has_abandoned_its_session() -> None:
    session = record()
    session.met("ipv4:10.0.0.1:5")
    assert not session.is_abandoned(100.0)
    session.look_for_peers(110.0, gone)
    assert not session.is_abandoned(110.0)
    assert session.is_abandoned(110.0 + GONE_FOR_SURE)
    session.begin_call()
    assert not session.is_abandoned(120.0)


def test_of_many_connections_the_oldest_are_forgotten() -> None:
    session = record()
    for port in range(100):
        session.met(f"ipv4:10.0.0.1:{port}")
    assert len(session.peers) == MAX_PEERS
    assert "ipv4:10.0.0.1:99" in session.peers
