"""What LMXProxy remembers of its clients: server handles, items, writes under way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mxgateway_protocol.backend import Sample
from mxgateway_protocol.variants import Variant
from mxgateway_simulator.plant.galaxy_file import UserRow
from mxgateway_simulator.plant.signals import Step
from mxgateway_simulator.plant.tags import Binding, Vtq

NOT_ADVISED, USER, SUPERVISORY = 0, 1, 2
"""Kinds of connection: none, by Advise, by AdviseSupervisory."""


@dataclass(slots=True, eq=False)
class Server:
    """One registered client."""

    handle: int
    client_name: str
    buffered_interval_ns: int
    items: dict[int, Item] = field(default_factory=dict)
    users: dict[int, UserRow | None] = field(default_factory=dict)
    next_item: int = 1
    next_user: int = 1


@dataclass(slots=True, eq=False)
class PendingWrite:
    """A write that was accepted and whose completion is to come.

    Attributes:
        advise: kind of connection it was issued over.
        secured: whether it came by WriteSecured or WriteSecured2.
    """

    item: Item
    binding: Binding
    value: Variant
    time_ns: int | None
    advise: int
    user: UserRow | None
    secured: bool = False
    verifier: UserRow | None = None


@dataclass(slots=True, eq=False)
class Item:
    """One item of a client.

    Attributes:
        is_connected: whether the first callback was delivered, so that its type is known to the client's proxy.
        is_lost: it was connected, and its attribute has gone since.
        generation: counts Advise, UnAdvise and RemoveItem, so that what was scheduled before finds out.
        timer: counts schedulings, likewise.
        is_down: its object does not run, or is off scan.
        step: the grid signal's function while the item is a member of a group.
    """

    server: Server
    handle: int
    reference: str
    context: str
    is_buffered: bool = False
    advise: int = NOT_ADVISED
    binding: Binding | None = None
    is_connected: bool = False
    is_lost: bool = False
    is_removed: bool = False
    is_suspended: bool = False
    is_down: bool = False
    generation: int = 0
    timer: int = 0
    pending: deque[PendingWrite] = field(default_factory=deque)
    last: Vtq | None = None
    last_value: object = None
    step: Step | None = None
    group: Group | None = None
    server_handle: int = 0
    vartype: int = 0
    data_type: int = 0
    samples: list[Sample] = field(default_factory=list)
    is_fresh: bool = True
    flush_due_ns: int | None = None
    last_at_ns: int = 0


class Group:
    """Items whose signals change at the same instants: looked at together."""

    __slots__ = ("interval_ns", "items", "offset_ns")

    def __init__(self, interval_ns: int, offset_ns: int) -> None:
        self.interval_ns = interval_ns
        self.offset_ns = offset_ns
        self.items: dict[Item, None] = {}
