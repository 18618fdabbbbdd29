"""`mxgw-py sessions`: what is open, and closing it."""

from __future__ import annotations

from tests.support.fake_gateway import FakeGateway
from tests.unit.cli.conftest import Cli

from mxgateway.generated import mxaccess_gateway_pb2 as pb


def summary(number: int, **more: object) -> pb.SessionSummary:
    made = pb.SessionSummary(
        session_id=f"session-{number}",
        client_session_name="night shift",
        state=pb.SESSION_STATE_READY,
        owner_key_id="line4",
        is_own=True,
        is_connected=True,
        attached_streams=2,
        items=17,
        backend_name="simulator",
        worker_process_id=4711,
    )
    made.opened_at.FromSeconds(1_700_000_000)
    made.idle_time.FromSeconds(75)
    made.MergeFrom(pb.SessionSummary(**more))  # type: ignore[arg-type]
    return made


def test_the_open_sessions_are_listed_a_line_each(gateway: FakeGateway, cli: Cli) -> None:
    other = summary(2, owner_key_id="line5", fault_reason="WORKER_HUNG", state=pb.SESSION_STATE_FAULTED)
    other.is_own = other.is_connected = False
    gateway.script("ListSessions", pb.ListSessionsReply(sessions=[summary(1), other]))
    outcome = cli("sessions")
    mine, theirs = outcome.out.splitlines()
    assert mine == (
        "session-1  night shift  ready, connected, opened 2023-11-14T22:13:20Z, idle 75 s, 2 streams, 17 items, "
        "simulator pid 4711"
    )
    assert "faulted (WORKER_HUNG), of key line5, client gone" in theirs


def test_no_open_session_is_said_so(cli: Cli) -> None:
    assert cli("sessions").out == "no open sessions\n"


def test_the_list_as_json_is_the_reply(gateway: FakeGateway, cli: Cli) -> None:
    gateway.script("ListSessions", pb.ListSessionsReply(sessions=[summary(1)], max_sessions=64))
    document = cli("sessions", "--own", "--json").json
    assert gateway.requests[0].own_only
    assert document["sessions"][0]["sessionId"] == "session-1"
    assert document["maxSessions"] == 64
    assert document["closed"] == []


def test_sessions_are_closed_by_their_ids(gateway: FakeGateway, cli: Cli) -> None:
    outcome = cli("sessions", "--close", "session-1", "--close", "session-2")
    assert outcome.code == 0
    closed = [each.session_id for each in gateway.requests if isinstance(each, pb.CloseSessionRequest)]
    assert closed == ["session-1", "session-2"]
    assert outcome.out.splitlines() == ["session session-1 closed", "session session-2 closed", "no open sessions"]


def test_all_of_ones_own_are_closed_and_no_others(gateway: FakeGateway, cli: Cli) -> None:
    gateway.script("ListSessions", pb.ListSessionsReply(sessions=[summary(1), summary(3)]))
    document = cli("sessions", "--close-own", "--json").json
    assert gateway.requests[0].own_only
    assert document["closed"] == ["session-1", "session-3"]


def test_a_session_that_is_opened_for_the_next_command_is_kept(gateway: FakeGateway, cli: Cli) -> None:
    cli("open-session")
    assert gateway.requests[0].keep_when_disconnected
