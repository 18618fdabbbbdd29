"""What it costs a call to know who calls: keys that are remembered, and keys that have to be hashed."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mxgateway_protocol.clock import SystemClock
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.peppers import PepperFile
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import Throttle

KEYS = 100
ROUNDS = 50
CALLS = 1000


async def measure() -> dict[str, Any]:
    """Microseconds a call, the median of many rounds, in a store of a hundred keys."""
    with tempfile.TemporaryDirectory(prefix="mxgateway-bench-") as folder:
        store = await KeyStore.open(str(Path(folder) / "keys.db"), PepperFile(Path(folder) / "pepper"), SystemClock())
        try:
            headers = [
                f"Bearer {await store.create(f'key-{number}', 'bench', ['invoke:read'])}" for number in range(KEYS)
            ]
            # As in a gateway that looks for changes beside the calls: here nobody does, so the keys stay fresh longer.
            checker = Authenticator(store, store.peppers, SystemClock(), Throttle(10, 5.0), cache_seconds=3600.0)

            async def known(number: int) -> None:
                await checker.authenticate(headers[number % KEYS], "10.0.0.1")

            async def hashed(number: int) -> None:
                key_id = f"key-{number % KEYS}"
                checker._remembered.pop(key_id, None)
                await checker.authenticate(headers[number % KEYS], "10.0.0.1")

            return {
                "knownKeyMicroseconds": round(await _each(known), 2),
                "hashedKeyMicroseconds": round(await _each(hashed), 2),
                "keys": KEYS,
            }
        finally:
            await store.close()


async def _each(call: Callable[[int], Awaitable[None]]) -> float:
    for number in range(KEYS):
        await call(number)
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for number in range(CALLS):
            await call(number)
        rounds.append((time.perf_counter() - began) / CALLS * 1e6)
    return statistics.median(rounds)
