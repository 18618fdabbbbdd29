"""A storm from beginning to end: clients at work, faults after a plan, then calm, and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from benches.figures import machine

from chaos.actors import ROLES, Actor
from chaos.faults import Injector
from chaos.judge import TICK, Judge
from chaos.plan import USUAL_KINDS, Plan, make_plan
from chaos.proxy import TcpProxy
from chaos.site import StormSite
from chaos.subscriber import Subscriber
from chaos.write_oracle import Register

_CALM = 1.0
_END = 60.0
_SPARE_FILES = 12


@dataclasses.dataclass(frozen=True, slots=True)
class StormOptions:
    """What storm it is to be.

    Attributes:
        roles: names of ROLES, one for each actor.
        pauses: shortest and longest time between the beginnings of two faults.
    """

    seed: int = 1
    faults: int = 50
    roles: Sequence[str] = ("reader", "dropper", "writer", "idle", "conflater", "twin", "deaf", "subscriber")
    kinds: Sequence[str] = USUAL_KINDS
    pauses: tuple[float, float] = (0.1, 1.2)

    def plan(self) -> Plan:
        return make_plan(self.seed, self.faults, len(self.roles), self.kinds, self.pauses)


async def storm(options: StormOptions) -> dict[str, Any]:
    """Runs a storm and returns its report; `violations` is empty when every promise was kept."""
    plan = options.plan()
    with tempfile.TemporaryDirectory(prefix="mxgateway-storm-") as folder:
        moves_clock = all(fault.kind != "upgrade" for fault in plan.faults)
        site = await asyncio.to_thread(lambda: StormSite(Path(folder), moves_clock=moves_clock))
        judge = Judge()
        try:
            return await _Storm(options, plan, site, judge).run()
        finally:
            if site.gateway.returncode is None:
                await asyncio.to_thread(site.gateway.stop)


class _Storm:
    def __init__(self, options: StormOptions, plan: Plan, site: StormSite, judge: Judge) -> None:
        self._options = options
        self._plan = plan
        self._site = site
        self._judge = judge
        self._actors: list[Actor] = []

    async def run(self) -> dict[str, Any]:
        judge, site = self._judge, self._site
        facts = machine()
        files = await self._files_at_rest()
        async with contextlib.AsyncExitStack() as stack:
            for index, role in enumerate(self._options.roles):
                proxy = await stack.enter_async_context(TcpProxy(site.target))
                name = f"{role}-{index}"
                register = Register(name, f"Setpoint_{index + 1:03d}.Value", judge.journal)
                kind = Subscriber if role == "subscriber" else Actor
                self._actors.append(kind(ROLES[role], name, proxy, site.api_key, judge, register))
            injector = Injector(site, self._actors, judge)
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch())
                actors = [group.create_task(actor.run(), name=actor.name) for actor in self._actors]
                await self._until_at_work()
                async with asyncio.TaskGroup() as faults:
                    for fault in self._plan.faults:
                        await asyncio.sleep(fault.pause)
                        faults.create_task(injector.inject(fault))
                await self._until_recovered()
                await asyncio.sleep(_CALM)
                for actor in self._actors:
                    actor.stop.set()
                _, late = await asyncio.wait(actors, timeout=_END)
                for task in late:
                    judge.journal.violation("end", "storm", judge.now, f"{task.get_name()} does not end")
                    task.cancel()
                watch.cancel()
        at_rest = await self._check_rest(files)
        for wrong in await site.stop():
            judge.journal.violation("leak", "gateway", judge.now, wrong)
        for process in site.alive():
            judge.journal.violation("leak", "gateway", judge.now, f"process {process.pid} is left")
        return self._report(facts, injector, at_rest)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._judge.tick(TICK)
            now = self._judge.now
            self._judge.calls.check_overdue(now)
            self._judge.calls.check_recovery(now)
            self._site.remember()

    async def _until_at_work(self) -> None:
        async with asyncio.timeout(_END):
            while not all(actor.session_id for actor in self._actors):
                await asyncio.sleep(0.05)

    async def _until_recovered(self) -> None:
        """Ends by itself: who does not recover in time becomes a violation."""
        while self._judge.calls.waiting_for(self._judge.now):
            await asyncio.sleep(0.1)

    async def _files_at_rest(self) -> int:
        """Open files of the gateway with its pool full and nobody there."""
        await self._pool_only(20.0)
        return self._files()

    def _files(self) -> int:
        try:
            return int(self._site.gateway.process.num_fds())
        except (psutil.Error, AttributeError):
            return 0

    async def _pool_only(self, limit: float) -> int:
        """Waits until the gateway has no workers but those of its pool; returns how many it has then."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while len(workers := self._site.gateway.workers()) != 2 and loop.time() < end:
            await asyncio.sleep(0.1)
        return len(workers)

    async def _check_rest(self, files_before: int) -> dict[str, Any]:
        """After the last session: no worker, no file and no connection is left but what was there before."""
        journal, now = self._judge.journal, self._judge.now
        # A session whose reply was lost on the way has no owner; its lease ends it.
        workers = await self._pool_only(45.0)
        if workers != 2:
            journal.violation("leak", "gateway", now, f"{workers} workers are there at rest, 2 belong to the pool")
        files = self._files()
        if files > files_before + _SPARE_FILES:
            journal.violation("leak", "gateway", now, f"{files} open files at rest, {files_before} at the beginning")
        return {"workers": workers, "files": files, "filesBefore": files_before}

    def _report(self, facts: dict[str, object], injector: Injector, at_rest: dict[str, Any]) -> dict[str, Any]:
        judge = self._judge
        actors = {actor.name: dataclasses.asdict(actor.counters) for actor in self._actors}
        return {
            "machine": facts,
            "seed": self._plan.seed,
            "seconds": round(judge.now, 1),
            "faultsPlanned": len(self._plan.faults),
            "faults": dict(sorted(injector.done.items())),
            "faultsSkipped": dict(sorted(injector.skipped.items())),
            "calls": judge.calls.calls,
            "events": sum(actor.counters.events for actor in self._actors),
            "droppedEvents": sum(actor.counters.dropped for actor in self._actors),
            "replayGaps": sum(actor.counters.gaps for actor in self._actors),
            "writesConfirmed": sum(actor.counters.writes_confirmed for actor in self._actors),
            "slowestRecoverySeconds": round(judge.calls.slowest_recovery, 2),
            "ownStallsSeconds": judge.stalls,
            "gatewayRestarts": self._site.restarts,
            "gatewayExitCodes": self._site.exits,
            "upgrades": self._site.upgrades,
            "upgradesRefused": self._site.refusals,
            "actors": actors,
            "atRest": at_rest,
            "violationCount": judge.journal.count,
            "violations": [violation.as_json() for violation in judge.journal.violations],
        }
