"""What the gateway counts beside what its parts know anyway: plain numbers that their owners raise in passing.

Nothing is computed here: rates, quantiles and texts are made by whoever looks. Single-threaded, on the gateway's loop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from mxgateway_contract.commands import COMMANDS, Command, Group, Scope

FAILURES = ("mxaccess", "refused", "timeout", "canceled", "worker")
"""How a command that reached its session can fail: in MXAccess, at a check of worker or gateway, by its limit, by its
caller, with its worker."""

GROUPS = ("com", "write", "secured", "bulk_read", "bulk_write", "control", "alarm", "other")
"""Groups of command kinds that are timed together."""

OTHER = "other"

_COMMAND_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0, 60.0)
# Fewer than of commands: each of these is a line of every method.
_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 30.0)
_START_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SHORT_SECONDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0, 5.0)
_WRITES = (Scope.INVOKE_WRITE, Scope.INVOKE_SECURE)


class Tally(dict[str, int]):
    """Numbers by a word of a closed set; of a word that never came it is 0."""

    def __missing__(self, word: str) -> int:
        return 0


class Distribution:
    """How many values lay up to which bound.

    Attributes:
        bounds: upper bounds, rising; above the last there is one place more.
        counts: values of each place.
        total: sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Counts a value in."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """A bound that this share of the values does not exceed; the last bound where it may be more, 0 without any."""
        wanted = share * self.count
        if not wanted:
            return 0.0
        seen = 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            if seen >= wanted:
                return bound
        return self.bounds[-1]


class CommandCounts:
    """One command kind.

    Attributes:
        name: as the contract spells it, in small letters.
        started: sent to a worker.
        succeeded: answered well.
        mxaccess, refused, timeout, canceled, worker: how the others failed, see FAILURES.
        seconds: from gateway to worker and back, of its whole group.
    """

    __slots__ = ("canceled", "mxaccess", "name", "refused", "seconds", "started", "succeeded", "timeout", "worker")

    def __init__(self, name: str, seconds: Distribution) -> None:
        self.name = name
        self.seconds = seconds
        self.started = self.succeeded = 0
        self.mxaccess = self.refused = self.timeout = self.canceled = self.worker = 0

    @property
    def failed(self) -> int:
        return self.mxaccess + self.refused + self.timeout + self.canceled + self.worker


class CommandCounters:
    """Counts of each kind, of all sessions together.

    Attributes:
        seconds: durations by group.
    """

    def __init__(self) -> None:
        self.seconds = {group: Distribution(_COMMAND_SECONDS) for group in GROUPS}
        self._other = CommandCounts(OTHER, self.seconds[OTHER])
        self._kinds: dict[int, CommandCounts] = {
            kind: CommandCounts(facts.payload, self.seconds[group_of(facts)]) for kind, facts in COMMANDS.items()
        }

    def of(self, kind: int) -> CommandCounts:
        """The counts of a kind; those that the catalogue does not have share one."""
        return self._kinds.get(kind, self._other)

    @property
    def all(self) -> tuple[CommandCounts, ...]:
        """Every kind that was ever sent, in the order of the catalogue."""
        return tuple(counts for counts in (*self._kinds.values(), self._other) if counts.started or counts.failed)


def group_of(facts: Command) -> str:
    """The group that a kind is timed with."""
    writes = facts.scope in _WRITES
    if facts.group is Group.BULK:
        return "bulk_write" if writes else "bulk_read"
    if facts.group is Group.COM:
        if facts.scope is Scope.INVOKE_SECURE:
            return "secured"
        return "write" if writes else "com"
    return {Group.CONTROL: "control", Group.ALARM: "alarm"}.get(facts.group, OTHER)


class RpcCounts:
    """Calls of one method.

    Attributes:
        codes: ended calls by gRPC status code, such as `OK`.
        seconds: how long they took; empty for streams, whose length says nothing.
    """

    __slots__ = ("codes", "seconds")

    def __init__(self) -> None:
        self.codes = Tally()
        self.seconds = Distribution(_CALL_SECONDS)


class Counters:
    """Everything that is counted, since the gateway started.

    Attributes:
        rpcs: calls by method, in the gateway's own spelling of it; what it does not have is `other`.
        stream_ends: ended streams of the gateway by cause.
        sends: seconds that one message of events took to be sent: slow readers show here.
        auth_failures: refused keys by kind.
        denied: what keys were denied, by where: `rpc`, `command`.
        worker_starts: seconds from start to ready, of starts that succeeded (`ok`) and did not (`failed`).
        workers_exited: ended worker processes by class of exit code.
        hung: workers that were found to hang.
        audit_writes: seconds that storing audit records took.
        ended_worker_cpu: processor seconds of workers that are gone, as far as they told.
        retries: second and further attempts by area: `worker_startup`, `audit_store`.
        spans: spans of traces by what became of them: `exported`, `failed`, `dropped`.
        reload_ok: whether the last reload of the settings was taken; true before the first.
    """

    def __init__(self) -> None:
        self.commands = CommandCounters()
        self.rpcs: dict[str, RpcCounts] = {}
        self.stream_ends = Tally()
        self.sends = Distribution(_SHORT_SECONDS)
        self.auth_failures = Tally()
        self.denied = Tally()
        self.worker_starts = {outcome: Distribution(_START_SECONDS) for outcome in ("ok", "failed")}
        self.workers_exited = Tally()
        self.hung = 0
        self.audit_writes = Distribution(_SHORT_SECONDS)
        self.ended_worker_cpu = 0.0
        self.retries = Tally()
        self.spans = Tally()
        self.reload_ok = True

    def rpc(self, method: str) -> RpcCounts:
        """The counts of a method, made when it is asked for first: methods are few and known."""
        counts = self.rpcs.get(method)
        if counts is None:
            counts = self.rpcs[method] = RpcCounts()
        return counts
