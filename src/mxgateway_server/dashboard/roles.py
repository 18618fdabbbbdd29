"""What somebody may do in the dashboard: a role, told by the scopes of the key that signed in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from mxgateway_server.access.scopes import Scope


class Role(IntEnum):
    """Each may what those below may, and more.

    NONE: known, but without a role: no scope of the key is one of the dashboard's.
    VIEWER: looks at sessions, plots, alarms and, with `metadata:read`, the Galaxy.
    OPERATOR: sees logs and what sessions hold, closes sessions, acknowledges alarms with `invoke:write`.
    ADMIN: kills, and looks at keys, audit and settings.
    """

    NONE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        return self.name.lower()


def role_of(scopes: Iterable[Scope]) -> Role:
    """The highest role that one of these scopes gives."""
    held = frozenset(scopes)
    if Scope.ADMIN in held:
        return Role.ADMIN
    if Scope.DASHBOARD_OPERATE in held:
        return Role.OPERATOR
    return Role.VIEWER if Scope.DASHBOARD_VIEW in held else Role.NONE
