"""A client and the floor of its language in turns of a second, so that what slows one of them slows the other."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from conformance.processes import LineProcess, scripted_gateway
from e2e.languages import Language

from benches.clients.measured import Table
from benches.clients.subjects import Figures, Subject, begin, flood, floor, subject, tags
from mxgateway.testing import LocalGateway

TURNS = 4
"""How often each is measured in a round; a goal is held against the median of all turns of all rounds."""
EVENTS = 250_000
WARM_EVENTS = 100_000
WARM = 2
"""How often each is warmed up, at least."""
CALLS = 20_000
WARM_CALLS = 1_000
AT_ONCE = 50
SIZE = 6
"""Tags of a read."""

Way = Callable[[int], Awaitable[Figures]]
Ways = Mapping[tuple[str, str], Way]
"""By program (client or floor) and scenario: does so many calls or events."""


async def take(table: Table, language: str, ways: Ways, *, count: int, warm: int, warmup: float) -> None:
    """Measures each in turn, after some seconds of warming up: by then the compilers of some languages are warm."""
    for way in ways.values():
        over, rounds = time.monotonic() + warmup, 0
        while rounds < WARM or time.monotonic() < over:
            rounds += 1
            await way(warm)
    for _ in range(TURNS):
        for (program, scenario), way in ways.items():
            each = await way(count)
            table.add(
                language,
                program,
                scenario,
                each.rate,
                cpu=each.cpu_micros,
                p50=each.p50_ms,
                peak=each.peak_bytes,
                turns=TURNS,
            )


async def events(table: Table, language: str, programs: Language) -> None:
    """Raw batches by floor and client, and DataChanges of a subscription."""
    gateway, endpoint = await scripted_gateway()
    try:
        async with (
            subject(programs.subject, language) as it,
            floor((*programs.floor, "events", endpoint), language) as bare,
        ):

            async def by_floor(count: int) -> Figures:
                await gateway.ask({"load": flood(count)})
                return await bare.some(count)

            ways: Ways = {
                ("floor", "events"): by_floor,
                ("client", "events"): _taking(it, gateway, endpoint, "events"),
                ("client", "subscription"): _taking(it, gateway, endpoint, "subscription"),
            }
            await take(table, language, ways, count=EVENTS, warm=WARM_EVENTS, warmup=programs.warmup)
    finally:
        await gateway.stop()


def _taking(it: Subject, gateway: LineProcess, endpoint: str, scenario: str) -> Way:
    async def taken(count: int) -> Figures:
        await gateway.ask({"load": flood(count, subscribed=scenario == "subscription")})
        await begin(it, endpoint, scenario, count)
        try:
            return await it.some(count, "take_all", on="it")
        finally:
            await it.do("reset")

    return taken


async def calls(table: Table, language: str, programs: Language, gateway: LocalGateway, count: int) -> None:
    """Reads of advised tags by unary calls one after the other, `count` in a round; and bursts of pings."""
    reach = {"endpoint": gateway.endpoint, "api_key": gateway.api_key, "ca_file": str(gateway.ca_file)}
    given = (*programs.floor, "reads", gateway.endpoint, str(gateway.ca_file), str(SIZE))
    async with (
        subject(programs.subject, language) as it,
        floor(given, language, api_key=gateway.api_key) as bare,
    ):
        await it.do("connect", name="c", **reach)
        opened = await it.do("open_session", on="c", name="s")
        # Of a session that announces no command stream the commands are unary calls.
        plain = [each for each in opened["capabilities"] if each != "command-stream"]
        await it.do("attach_session", on="c", name="u", session_id=opened["session_id"], capabilities=plain)
        handle = (await it.do("register", on="s", client_name="bench"))["server_handle"]
        read = {"server_handle": handle, "tag_addresses": tags(SIZE)}
        await it.do("subscribe_bulk", on="s", **read)
        reads: Ways = {
            ("floor", "unary"): bare.some,
            ("client", "unary"): lambda number: it.some(number, "burst", on="u", at_once=1, **read),
        }
        each = max(count // TURNS, 1)
        await take(table, language, reads, count=each, warm=each, warmup=programs.warmup)
        pings: Ways = {("client", "burst"): lambda number: it.some(number, "burst", on="s", at_once=AT_ONCE)}
        await take(table, language, pings, count=CALLS, warm=WARM_CALLS, warmup=programs.warmup)
        await it.do("close", on="s")
