"""What LMXProxy's handles and users do, told once more and independently of the model: small, slow and plain.

It knows handles, advise state, users, who may write what, and pending callbacks; it knows nothing of plants, signals,
SQL or time beyond a number.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

E_INVALIDARG = -2147024809
E_SECURED = -2147467231
MS = 10**6
OPERATION_NS = 230 * MS

Status = tuple[int, int, int, int]
Kinds = tuple[str, ...]
OK: Status = (-1, 0, 5, 0)
MISFIT: Status = (0, 7, 5, 1005)
NOT_WRITEABLE: Status = (0, 5, 5, 1007)
DENIED, SECURED_NEEDED, VERIFIED_NEEDED = (0, 6, 5, 1008), (0, 6, 5, 1012), (0, 6, 5, 1013)
NO_RIGHTS, NO_VERIFIER = (0, 6, 5, 1016), (0, 6, 5, 1017)

NEEDED = {1: "operate", 2: "operate", 3: "operate", 4: "tune", 5: "configure"}


@dataclass(frozen=True)
class Target:
    """An attribute: items of equal targets show the same.

    Attributes:
        kind: `int` or `string`.
        security: its classification, 0 to 6.
        writers: who may write it at run time at all: `u` user, `s` supervisory connections.
    """

    name: str
    kind: str = "int"
    security: int = 1
    writers: str = "us"


def refusal(
    target: Target, supervisory: bool, secured_galaxy: bool, user: frozenset[str] | None, by_signature: bool,
    verifier: frozenset[str] | None, same_person: bool,
) -> Status | None:  # fmt: skip
    """Why a write is refused, by the permissions of those who sign it; None when it is not."""
    level = target.security
    if level == 6 or ("s" if supervisory else "u") not in target.writers:
        return NOT_WRITEABLE
    if not secured_galaxy or (supervisory and not by_signature):
        return None
    allowed = level == 0 or (user is not None and NEEDED[level] in user)
    if by_signature:
        if not allowed:
            return NO_RIGHTS
        if level == 3 and (verifier is None or same_person or "verify" not in verifier):
            return NO_VERIFIER
        return None
    if level in (2, 3):
        return SECURED_NEEDED if level == 2 else VERIFIED_NEEDED
    return None if allowed else DENIED


@dataclass
class OracleItem:
    target: Target | None
    """What it reads; None leads nowhere."""
    is_loose: bool
    buffered: bool = False
    advised: bool = False
    supervisory: bool = False
    connecting: bool = False
    connected: bool = False
    suspended: bool = False
    session: int = 0


@dataclass
class OracleWrite:
    server: int
    handle: int
    item: OracleItem
    target: Target
    status: Status
    dropped: bool = False


@dataclass
class Oracle:
    """Predicts the result of each call, and how many events of which kind each pump delivers."""

    servers: dict[int, dict[int, OracleItem]] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    people: dict[str, frozenset[str]] | None = None
    """Permissions by name while Galaxy security is on; None while it is off."""
    users: dict[int, list[str]] = field(default_factory=dict)
    registered: int = 0
    writes: list[OracleWrite] = field(default_factory=list)
    operations: list[tuple[int, int, int, OracleItem, int, bool]] = field(default_factory=list)

    def register(self, name: str) -> int:
        if not name:
            return E_INVALIDARG
        self.registered += 1
        self.servers[self.registered] = {}
        self.used[self.registered] = 0
        self.users[self.registered] = []
        return self.registered

    def unregister(self, server: int) -> int:
        if server not in self.servers:
            return E_INVALIDARG
        for handle in list(self.servers[server]):
            self.remove(server, handle)
        del self.servers[server]
        del self.users[server]
        return 0

    def add(self, server: int, target: Target | None, is_loose: bool, buffered: bool = False) -> int:
        if server not in self.servers:
            return E_INVALIDARG
        self.used[server] += 1
        self.servers[server][self.used[server]] = OracleItem(target, is_loose, buffered)
        if buffered:
            self.advise(server, self.used[server], False)
        return self.used[server]

    def find(self, server: int, handle: int) -> OracleItem | None:
        return self.servers.get(server, {}).get(handle)

    def remove(self, server: int, handle: int) -> int:
        item = self.find(server, handle)
        if item is None:
            return E_INVALIDARG
        self.un_advise(server, handle)
        for write in self.writes:
            write.dropped |= write.item is item
        del self.servers[server][handle]
        return 0

    def advise(self, server: int, handle: int, supervisory: bool) -> int:
        item = self.find(server, handle)
        if item is None:
            return E_INVALIDARG
        if not item.advised:
            item.advised = item.connecting = True
            item.supervisory = supervisory
            item.session += 1
        item.supervisory |= supervisory
        return 0

    def un_advise(self, server: int, handle: int) -> int:
        item = self.find(server, handle)
        if item is None:
            return E_INVALIDARG
        if item.advised:
            item.advised = item.connecting = item.connected = item.suspended = False
            item.session += 1
        return 0

    def write(self, server: int, handle: int, is_empty: bool, bad_time: bool, misfits: Kinds, user: int) -> int:
        """Write and Write2; `misfits` are the kinds of targets that do not take the value."""
        return self._write(server, handle, is_empty, bad_time, misfits, (user,))

    def write_secured(
        self,
        server: int,
        handle: int,
        is_empty: bool,
        bad_time: bool,
        misfits: tuple[str, ...],
        signers: tuple[int, int],
    ) -> int:
        return self._write(server, handle, is_empty, bad_time, misfits, signers)

    def _write(
        self,
        server: int,
        handle: int,
        is_empty: bool,
        bad_time: bool,
        misfits: tuple[str, ...],
        signers: tuple[int, ...],
    ) -> int:
        item = self.find(server, handle)
        if item is None or not item.advised or not item.connected or is_empty or bad_time:
            return E_INVALIDARG
        by_signature = len(signers) == 2
        if by_signature and not self.users[server]:
            return E_SECURED
        assert item.target is not None
        known = self.users[server]
        names = [known[signer - 1] if 1 <= signer <= len(known) else None for signer in signers]
        rights = [self.people.get(name) if self.people and name else None for name in names]
        status = refusal(
            item.target, item.supervisory, self.people is not None, rights[0], by_signature, rights[-1],
            names[0] == names[-1],
        )  # fmt: skip
        if status is None:
            status = MISFIT if item.target.kind in misfits else OK
        self.writes.append(OracleWrite(server, handle, item, item.target, status))
        return 0

    def authenticate(self, server: int, name: str, right: bool) -> int:
        if server not in self.servers:
            return E_INVALIDARG
        known = self.users[server]
        if self.people is None:
            known[:] = ["anybody"]
            return 1
        if name not in self.people or not right:
            return E_INVALIDARG
        if name not in known:
            known.append(name)
        return known.index(name) + 1

    def suspend(self, server: int, handle: int, now: int) -> int | Status:
        item = self.find(server, handle)
        if item is None:
            return E_INVALIDARG
        if not item.advised:
            return (0, 4, 0, 0)
        if item.suspended:
            return (-1, 0, 0, 0)
        item.suspended = True
        self.operations.append((now + OPERATION_NS, server, handle, item, item.session, False))
        return (-1, 1, 0, 0)

    def activate(self, server: int, handle: int, now: int) -> int | Status:
        item = self.find(server, handle)
        if item is None:
            return E_INVALIDARG
        if not item.suspended:
            return (-1, 0, 0, 0)
        item.suspended = False
        self.operations.append((now + OPERATION_NS, server, handle, item, item.session, True))
        return (-1, 1, 0, 0)

    def interval(self, server: int, milliseconds: int) -> int:
        return 0 if server in self.servers and milliseconds > 0 else E_INVALIDARG

    def pump(
        self, now: int
    ) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]], list[tuple[int, int, Status]]]:
        """Expected data changes, operation completions and write completions, by (server, item)."""
        changes: Counter[tuple[int, int]] = Counter()
        operations: Counter[tuple[int, int]] = Counter()
        for server, items in self.servers.items():
            for handle, item in items.items():
                if item.connecting:
                    item.connecting = False
                    item.connected = item.target is not None
                    changes[server, handle] += item.target is None or not item.suspended
        left = []
        for operation in self.operations:
            due, server, handle, item, session, resumed = operation
            if due > now:
                left.append(operation)
            elif session == item.session:
                operations[server, handle] += 1
                if (resumed and not item.suspended) or (not resumed and item.suspended):
                    changes[server, handle] += item.connected
        self.operations = left
        completions = []
        for write in self.writes:
            if not write.dropped:
                completions.append((write.server, write.handle, write.status))
            if write.status[0]:
                for server, items in self.servers.items():
                    for handle, item in items.items():
                        if item.connected and not item.suspended and item.target == write.target:
                            changes[server, handle] += 1
        self.writes = []
        return changes, operations, completions
