"""Who does what is done to keys and gateway: told once, at the door, and noted with each record of the audit."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts.

    Attributes:
        name: such as `key:line4`, `cli:operator`, `oidc:anna`; `gateway` for the gateway itself.
        origin: by which door: `rpc`, `cli`, `dashboard`, `control`, `gateway`.
    """

    name: str
    origin: str


GATEWAY = Actor("gateway", "gateway")

_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


@contextlib.contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Within the block, records that name nobody are this one's."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def current_actor() -> Actor | None:
    """Who acts now; None when nobody said so."""
    return _acting.get()


def console_actor() -> Actor:
    """The account that runs a command of the console."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = "unknown"
    return Actor(f"cli:{name}", "cli")
