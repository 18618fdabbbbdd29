"""What bounds the gateway's sessions, and what a caller may ask for when one opens."""

from __future__ import annotations

from dataclasses import dataclass, field

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import Policy, SubscriberLimits
from mxgateway_server.sessions.state import SessionLimits
from mxgateway_server.workers.launcher import WorkerPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """Bounds of the gateway's sessions; the `recent` ones are over and remembered."""

    max_sessions: int = 64
    max_sessions_per_key: int = 0
    limits: SessionLimits = field(default_factory=SessionLimits)
    ring: RingLimits = field(default_factory=RingLimits)
    subscriber: SubscriberLimits = field(default_factory=SubscriberLimits)
    policy: Policy = pb.BACKPRESSURE_POLICY_FAIL_FAST
    max_subscribers: int = 8
    requires_subscriber: bool = False
    recent_sessions: int = 200
    recent_faults: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """What a caller asked for.

    Attributes:
        is_kept: whether the session stays while nobody is connected, until its lease is over.
        is_apart: whether it is one that the gateway itself needs to serve somebody: it takes no place of the others.
    """

    plan: WorkerPlan
    uses_default_plan: bool
    command_timeout: float
    name: str = ""
    policy: Policy = pb.BACKPRESSURE_POLICY_UNSPECIFIED
    options: dict[str, str] = field(default_factory=dict)
    is_kept: bool = False
    is_apart: bool = False
