"""Which routes there are, and who may use each. What is not listed here is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import ASGIApp

from mxgateway_server.dashboard.calls import Call
from mxgateway_server.dashboard.roles import Role

Handler: TypeAlias = Callable[[Call], Awaitable[Response | ASGIApp]]

PUBLIC = Role.NONE
"""For what is there without a login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One route.

    Attributes:
        method: `GET`, or `POST` for what changes something.
        path: with parts in braces.
        needs: the least role; PUBLIC needs no login.
        handler: answers.
        is_use: whether a request shows that the person is still there; not what a page asks by itself.
        is_for_programs: whether what is no browser asks, which shows a key itself.
        is_form: whether another server asks, with a form whose contents it has signed.
        is_action: whether it does something that has to be recorded, refused attempts included.
    """

    method: str
    path: str
    needs: Role
    handler: Handler
    is_use: bool = True
    is_for_programs: bool = False
    is_form: bool = False

    @property
    def is_action(self) -> bool:
        return self.method == "POST" and self.needs is not PUBLIC
