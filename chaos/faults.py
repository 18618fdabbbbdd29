"""Carries out the faults of a plan."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import psutil

from chaos.actors import Actor
from chaos.call_oracle import Excuse
from chaos.judge import Judge, describe
from chaos.plan import Fault, Scope
from chaos.site import StormSite
from chaos.wall_clock import JUMPS
from mxgateway import GatewayClient, MxGatewayError, Session

_WAIT_FOR_ACTOR = 15.0


class Injector:
    """Faults on a gateway and its clients. Faults of the gateway exclude one another; all others may overlap.

    Attributes:
        done: how many of each kind were carried out.
        skipped: how many found nothing to hit.
    """

    def __init__(self, site: StormSite, actors: Sequence[Actor], judge: Judge) -> None:
        self._site = site
        self._actors = actors
        self._judge = judge
        self._gateway = asyncio.Lock()
        self._up = asyncio.Event()
        self._up.set()
        self.done: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    async def inject(self, fault: Fault) -> None:
        """Carries one fault out from beginning to end."""
        if fault.scope is Scope.GATEWAY:
            async with self._gateway:
                is_done = await self._of_gateway(fault)
            (self.done if is_done else self.skipped)[fault.kind] += 1
        elif fault.scope is Scope.CONNECTION:
            await self._of_connection(fault, self._actors[fault.target % len(self._actors)])
            self.done[fault.kind] += 1
        else:
            actor = await self._actor_at_work(fault.target)
            if actor is None or not await self._of_session(fault, actor):
                self.skipped[fault.kind] += 1
            else:
                self.done[fault.kind] += 1

    async def _actor_at_work(self, target: int) -> Actor | None:
        """The target, or the next actor that has a session; None when none has one for a while."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _WAIT_FOR_ACTOR
        while loop.time() < end:
            for step in range(len(self._actors)):
                actor = self._actors[(target + step) % len(self._actors)]
                if actor.session_id and self._up.is_set() and _process(actor.worker_pid) is not None:
                    return actor
            await asyncio.sleep(0.05)
        return None

    @asynccontextmanager
    async def _excused(self, fault: Fault, *actors: Actor) -> AsyncIterator[None]:
        judge = self._judge
        excuses: list[Excuse] = [judge.calls.excuse(actor.name, fault.kind, judge.now) for actor in actors]
        try:
            yield
        finally:
            for excuse in excuses:
                judge.calls.over(excuse, judge.now)

    # -------------------------------------------------------------------------------------------------- connection

    async def _of_connection(self, fault: Fault, actor: Actor) -> None:
        proxy = actor.proxy
        async with self._excused(fault, actor):
            if fault.kind == "cut":
                proxy.cut()
            elif fault.kind == "reset":
                proxy.reset()
            elif fault.kind == "half_open":
                proxy.half_open()
                await asyncio.sleep(fault.seconds)
                proxy.drop_abandoned()
            else:
                if fault.kind == "black_hole":
                    proxy.black_hole()
                elif fault.kind == "delay":
                    proxy.slow_down(delay=0.02 + fault.choice % 200 / 1000)
                elif fault.kind == "throttle":
                    proxy.slow_down(rate=20_000 + fault.choice % 100_000)
                else:
                    await proxy.refuse()
                await asyncio.sleep(fault.seconds)
                await proxy.heal()

    # ----------------------------------------------------------------------------------------------------- session

    async def _of_session(self, fault: Fault, actor: Actor) -> bool:
        worker = _process(actor.worker_pid)
        if worker is None:
            return False
        session_id = actor.session_id
        async with self._excused(fault, actor):
            if fault.kind == "kill_worker":
                return _send(worker, signal.SIGKILL)
            if fault.kind == "freeze_worker":
                return await self._frozen(worker, fault.seconds)
            if fault.kind == "freeze_worker_long":
                return await self._hung(worker, fault.seconds)
            if fault.kind == "disk_full_worker":
                return await _without_disk(worker, fault.seconds)
            return await self._by_command(fault, session_id)

    async def _frozen(self, process: psutil.Process, seconds: float) -> bool:
        if not _send(process, signal.SIGSTOP):
            return False
        try:
            await asyncio.sleep(seconds)
        finally:
            _send(process, signal.SIGCONT)
        return True

    async def _hung(self, worker: psutil.Process, limit: float) -> bool:
        """Freezes the worker until the gateway has ended it."""
        if not _send(worker, signal.SIGSTOP):
            return False
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while loop.time() < end and _process(worker.pid) is not None:
            await asyncio.sleep(0.1)
        if _process(worker.pid) is not None:
            self._judge.journal.violation(
                "hang", "gateway", self._judge.now, f"worker {worker.pid} was frozen for {limit:g} s and is still there"
            )
            _send(worker, signal.SIGKILL)
        return True

    async def _by_command(self, fault: Fault, session_id: str) -> bool:
        try:
            async with self._site.admin() as client:
                session = client.attach_session(session_id)
                await self._command(fault, client, session)
        except MxGatewayError as error:
            # Several of these faults break the very call that asks for them.
            self._judge.journal.note("injector", self._judge.now, f"{fault.kind}: {describe(error)}")
            return fault.kind in ("garbage_frame", "worker_exit", "hang_call", "slow_call")
        return True

    async def _command(self, fault: Fault, client: GatewayClient, session: Session) -> None:
        if fault.kind == "garbage_frame":
            await session.inject_fault("corrupt_frame")
        elif fault.kind == "clock_worker":
            await session.inject_fault("clock_jump", {"seconds": str(_jump(fault))})
        elif fault.kind == "worker_exit":
            await session.inject_fault("exit", {"code": str(3 + fault.choice % 100)})
        else:
            await session.inject_fault(fault.kind, {"method": "register", "seconds": str(fault.seconds), "times": "1"})
            # Whoever calls next is blocked, and everybody of this session behind.
            await session.register("blocked")

    # ----------------------------------------------------------------------------------------------------- gateway

    async def _of_gateway(self, fault: Fault) -> bool:
        clock = self._site.clock
        if fault.kind == "clock_gateway" and clock is None:
            return False
        self._site.remember()
        async with self._excused(fault, *self._actors):
            if fault.kind == "freeze_gateway":
                await self._frozen(self._site.gateway.process, fault.seconds)
            elif fault.kind == "clock_gateway":
                assert clock is not None
                clock.move(_jump(fault))
            elif fault.kind == "upgrade":
                await self._upgrade()
            elif fault.kind == "disk_full_gateway":
                await _without_disk(self._site.gateway.process, fault.seconds)
            else:
                await self._replace(self._site.kill if fault.kind == "kill_gateway" else self._site.drain)
        return True

    async def _upgrade(self) -> None:
        self._up.clear()
        for wrong in await self._site.upgrade():
            self._judge.journal.violation("upgrade", "gateway", self._judge.now, wrong)
        if self._site.gateway.returncode is not None:
            await self._begin_again()
        self._up.set()

    async def _replace(self, end: Callable[[], Awaitable[list[str]]]) -> None:
        self._up.clear()
        for wrong in await end():
            self._judge.journal.violation("leak", "gateway", self._judge.now, wrong)
        await self._begin_again()
        self._up.set()

    async def _begin_again(self) -> None:
        await self._site.restart()
        for actor in self._actors:
            actor.proxy.target = self._site.target


def _jump(fault: Fault) -> float:
    return JUMPS[fault.choice % len(JUMPS)]


def _process(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return None if not pid or process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def _send(process: psutil.Process, number: signal.Signals) -> bool:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


async def _without_disk(process: psutil.Process, seconds: float) -> bool:
    """For so long no file of the process may grow or be written: each write fails, as on a full disk."""
    if sys.platform != "linux":
        return False
    limit = psutil.RLIMIT_FSIZE
    try:
        process.rlimit(limit, (0, psutil.RLIM_INFINITY))
        await asyncio.sleep(seconds)
    except psutil.NoSuchProcess:
        return False
    finally:
        # Children that were started meanwhile have inherited the limit.
        for each in (process, *_children(process)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.rlimit(limit, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    return True


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
