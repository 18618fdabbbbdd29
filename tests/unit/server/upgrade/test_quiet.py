"""What an upgrade waits for, and what it leaves behind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mxgateway_server.errors import GatewayError
from mxgateway_server.sessions.state import READY, SessionLimits, SessionRecord
from mxgateway_server.upgrade.quiet import hindrances


def session(name: str, *, is_apart: bool = False) -> Any:
    record = SessionRecord(session_id=name, owner_key_id="k", limits=SessionLimits(), opened_at=0.0, is_apart=is_apart)
    return SimpleNamespace(session_id=name, record=record, worker=None, writes=None)


def test_a_session_that_is_only_beginning_is_waited_for() -> None:
    assert hindrances([session("a")]) == {"a": "it is creating"}


def test_neither_a_faulted_one_nor_one_of_the_gateways_own_is() -> None:
    faulted, apart, ready_apart = session("f"), session("w", is_apart=True), session("v", is_apart=True)
    faulted.record.fail(GatewayError("x"), 0.0)
    ready_apart.record.move(READY)
    assert hindrances([faulted, apart, ready_apart]) == {}
