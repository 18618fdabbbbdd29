"""Roles come from scopes, and from no scope that was there before them."""

from __future__ import annotations

import pytest

from mxgateway_server.access.scopes import Scope
from mxgateway_server.dashboard.limits import MAX_KNOWN, RequestLimit
from mxgateway_server.dashboard.roles import Role, role_of


@pytest.mark.parametrize("scope", [each for each in Scope if not each.startswith("dashboard:")])
def test_no_key_of_before_has_got_a_role_but_admins(scope: Scope) -> None:
    assert role_of([scope]) is (Role.ADMIN if scope is Scope.ADMIN else Role.NONE)


def test_the_highest_role_counts() -> None:
    assert role_of([]) is Role.NONE
    assert role_of([Scope.DASHBOARD_VIEW]) is Role.VIEWER
    assert role_of([Scope.DASHBOARD_VIEW, Scope.DASHBOARD_OPERATE]) is Role.OPERATOR
    assert role_of(Scope) is Role.ADMIN


def test_requests_are_bounded_by_login_after_a_burst() -> None:
    limit = RequestLimit(per_second=20, burst=60)
    assert sum(limit.admit("a", 0.0) for _ in range(100)) == 60
    assert limit.admit("b", 0.0)
    assert sum(limit.admit("a", 1.0) for _ in range(100)) == 20
    for number in range(MAX_KNOWN + 5):
        limit.admit(str(number), 2.0)
    assert len(limit) == MAX_KNOWN
