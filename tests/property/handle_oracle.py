"""What LMXProxy's handles do, told once more and independently of the model: small, slow and plain.

It knows handles, advise state and pending callbacks; it knows nothing of plants, signals, SQL or time beyond a number.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

E_INVALIDARG = -2147024809
E_SECURED = -2147467231
MS = 10**6
OPERATION_NS = 230 * MS

Status = tuple[int, int, int, int]


@dataclass
class OracleItem:
    target: str | None
    """What it reads: attributes that are the same have the same text; None leads nowhere."""
    is_loose: bool
    advised: bool = False
    connecting: bool = False
    connected: bool = False
    suspended: bool = False
    session: int = 0


@dataclass
class OracleWrite:
    server: int
    handle: int
    item: OracleItem
    target: str
    status: Status
    dropped: bool = False


@dataclass
class Oracle:
    """Predicts the result of each call, and how many events of which kind each pump delivers."""

    servers: dict[int, dict[int, OracleItem]] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    users: set[int] = field(default_factory=set)
    registered: int = 0
    writes: list[OracleWrite] = field(default_factory=list)
    operations: list[tuple[int, int, int, OracleItem, int, bool]] = field(default_factory=list)

    def register(self, name: str) -> int:
        if not name:
            return E_INVALIDARG
        self.registered += 1
        self.servers[self.registered] = {}
        self.used[self.registered] = 0
        return self.registered

    def unregister(self, server: int) -> int:
        if server not in self.servers:
            return E_INVALIDARG
        for handle in list(self.servers[server]):
            self.remove(server, handle)
        del self.servers[server]
        self.users.discard(server)
        return 0

    def add(self, server: int, target: str | None, is_loose: bool) -> int:
        if server not in self.servers:
            return E_INVALIDARG
        self.used[server] += 1
        self.servers[server][self.used[server]] = OracleItem(target, is_loose)
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

    def advise(self, server: int, handle: int) -> int:
        item = self.find(server, handle)
        if item is None:
            return E_INVALIDARG
        if not item.advised:
            item.advised = item.connecting = True
            item.session += 1
        return 0

    def un_advise(self, server: int, handle: int) -> int:
        item = self.find(server, handle)
        if item is None:
            return E_INVALIDARG
        if item.advised:
            item.advised = item.connecting = item.connected = item.suspended = False
            item.session += 1
        return 0

    def write(
        self, server: int, handle: int, is_empty: bool, bad_time: bool, status: Status, secured: bool = False
    ) -> int:
        item = self.find(server, handle)
        if item is None or not item.advised or not item.connected or is_empty or bad_time:
            return E_INVALIDARG
        if secured and server not in self.users:
            return E_SECURED
        assert item.target is not None
        self.writes.append(OracleWrite(server, handle, item, item.target, status))
        return 0

    def authenticate(self, server: int) -> int:
        if server not in self.servers:
            return E_INVALIDARG
        self.users.add(server)
        return 1

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
