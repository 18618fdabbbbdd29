"""A storm over the alarms of a real gateway: workers, provider, lines and gateways fail while the plant goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from benches.figures import machine
from benches.gateway_process import SCOPES, Site

from chaos.alarm_actors import AlarmReader, PlantOperator
from chaos.alarm_oracle import AlarmOracle
from chaos.judge import TICK, Judge
from chaos.proxy import TcpProxy
from mxgateway.testing.plant import LocalPlant

GALAXY = Path(__file__).with_name("alarm-galaxy.yaml")
AREA = "Plant"
_CALM = 3.0
_END = 60.0
_DARK = 3.0
"""Seconds after a fault's end in which the gateway may still be looking."""

_WEIGHTS: Mapping[str, int] = {
    "kill_worker": 4,
    "freeze_worker": 3,
    "fail_poll": 5,
    "failover": 3,
    "slow_poll": 3,
    "break_alarm_xml": 4,
    "cut_alarm_list": 3,
    "restart_alarm_provider": 3,
    "kill_gateway": 1,
    "drain_gateway": 1,
    "cut": 5,
    "reset": 5,
    "half_open": 3,
    "black_hole": 3,
    "delay": 3,
    "refuse": 3,
}
KINDS = tuple(_WEIGHTS)
_HOLDS = (0.1, 1.0)
_LONG_HOLD = 3.0
_SEEING = ("live", "degraded")
_OF_LINE = ("cut", "reset", "half_open", "black_hole", "delay", "refuse")


@dataclass(frozen=True, slots=True)
class AlarmStormOptions:
    """What storm it is to be.

    Attributes:
        pauses: shortest and longest seconds between the end of a fault and the beginning of the next.
        rest: seconds for which an alarm is left alone after each step.
    """

    seed: int = 1
    faults: int = 50
    kinds: tuple[str, ...] = KINDS
    pauses: tuple[float, float] = (0.05, 0.5)
    rest: float = 1.5

    def plan(self) -> list[str]:
        """The faults in order; each kind at least once when there is room for all."""
        chance = random.Random(self.seed)
        kinds = sorted(self.kinds)
        names = list(kinds) if self.faults >= len(kinds) else []
        names += chance.choices(kinds, [_WEIGHTS[name] for name in kinds], k=self.faults - len(names))
        chance.shuffle(names)
        return names


class _Gateway:
    """The gateway that runs now."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._process: asyncio.subprocess.Process | None = None
        self.address = ("", 0)
        self.restarts = 0
        # Questions and answers are lines of one pipe.
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        async with self._turn:
            await self._start()

    async def sees(self) -> bool:
        """Whether somebody tells its monitor the alarms now."""
        try:
            return (await self.ask())["state"] in _SEEING
        except (OSError, RuntimeError, TimeoutError):
            return False

    async def _start(self) -> None:
        # Its log goes with it: what the storm breaks, it complains of.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chaos.alarm_gateway", str(self._site.state_dir), str(self._site.galaxy), AREA),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        host, _, port = (await self._line())["address"].rpartition(":")
        self.address = (host, int(port))

    async def ask(self, **what: Any) -> dict[str, Any]:
        async with self._turn:
            assert self._process is not None
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(what).encode() + b"\n")
            await self._process.stdin.drain()
            return await self._line()

    async def end(self, number: int) -> int:
        """Ends it by a signal; returns its exit code."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        async with asyncio.timeout(_END):
            return await self._process.wait()

    async def _line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(_END):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the gateway of the storm has ended by itself")
        found: dict[str, Any] = json.loads(line)
        return found


async def alarm_storm(options: AlarmStormOptions) -> dict[str, Any]:
    """Runs a storm and returns its report; `violations` is empty when every promise was kept."""
    with tempfile.TemporaryDirectory(prefix="mxgateway-storm-") as folder:
        site = await asyncio.to_thread(Site.prepare, Path(folder), GALAXY, f"{SCOPES},admin")
        plant = LocalPlant(site.galaxy)
        gateway = _Gateway(site)
        await gateway.start()
        try:
            return await _AlarmStorm(options, site, gateway, plant).run()
        finally:
            await gateway.end(signal.SIGKILL)
            await asyncio.to_thread(plant.close)


class _AlarmStorm:
    def __init__(self, options: AlarmStormOptions, site: Site, gateway: _Gateway, plant: LocalPlant) -> None:
        self._options = options
        self._site = site
        self._gateway = gateway
        self._judge = Judge()
        self._began = time.time()
        self._oracle = AlarmOracle(self._judge.journal)
        self._operator = PlantOperator(plant, self._oracle, self._judge, options.seed, options.rest)
        self._chance = random.Random(options.seed)
        self._readers: list[AlarmReader] = []
        self._done: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()

    async def run(self) -> dict[str, Any]:
        facts = machine()
        async with contextlib.AsyncExitStack() as stack:
            for number, (name, how) in enumerate(
                (
                    ("steady", {}),
                    ("area", {"area": "North"}),
                    ("sleepy", {"nap": 2.0}),
                    ("resuming", {"restarts": True}),
                    ("resuming-area", {"restarts": True, "area": "South"}),
                )
            ):
                proxy = await stack.enter_async_context(TcpProxy(self._gateway.address))
                made = AlarmReader(
                    name, proxy, self._site.api_key, self._judge, self._oracle, self._began, seed=number, **how
                )
                self._readers.append(made)
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch())
                readers = [group.create_task(reader.run(), name=reader.name) for reader in self._readers]
                await self._until_synced()
                calm = asyncio.Event()
                plant = group.create_task(self._operator.run(calm))
                for name in self._options.plan():
                    await asyncio.sleep(self._chance.uniform(*self._options.pauses))
                    await self._strike(name)
                calm.set()
                await plant
                until = self._judge.now
                await self._until_right()
                self._verdict(until)
                for reader in self._readers:
                    reader.stop.set()
                await asyncio.wait(readers, timeout=_END)
                watch.cancel()
        return self._report(facts)

    # ---------------------------------------------------------------------------------------------------------- faults

    async def _strike(self, name: str) -> None:
        journal, begin = self._judge.journal, self._judge.now
        for who in ("log", *(reader.name for reader in self._readers)):
            journal.note(who, begin, f"FAULT {name}")
        if name in _OF_LINE:
            await self._of_line(name, self._chance.choice(self._readers).proxy)
        else:
            is_done = await self._of_provider(name)
            self._oracle.dark(begin - 0.5, self._judge.now + _DARK)
            if not is_done:
                self._skipped[name] += 1
                return
        self._done[name] += 1

    async def _of_line(self, name: str, proxy: TcpProxy) -> None:
        if name in ("cut", "reset"):
            (proxy.cut if name == "cut" else proxy.reset)()
            return
        if name == "half_open":
            proxy.half_open()
        elif name == "black_hole":
            proxy.black_hole()
        elif name == "delay":
            proxy.slow_down(delay=self._chance.uniform(0.02, 0.2))
        else:
            await proxy.refuse()
        # Most are short, so that many fit into the time; some last until the line is found dead.
        await asyncio.sleep(self._chance.uniform(*_HOLDS) if self._chance.random() < 0.9 else _LONG_HOLD)
        if name == "half_open":
            proxy.drop_abandoned()
        else:
            await proxy.heal()

    async def _of_provider(self, name: str) -> bool:
        if name in ("kill_gateway", "drain_gateway"):
            await self._replace(signal.SIGKILL if name == "kill_gateway" else signal.SIGTERM)
            return True
        if name in ("kill_worker", "freeze_worker"):
            return await self._of_worker(name)
        parameters = {
            "fail_poll": {"times": str(self._chance.randint(1, 2))},
            "failover": {"times": str(self._chance.randint(6, 30))},
            "slow_poll": {"seconds": "0.5", "times": str(self._chance.randint(1, 4))},
            "break_alarm_xml": {"at": str(self._chance.randint(1, 3000)), "times": str(self._chance.randint(1, 3))},
            "cut_alarm_list": {"records": str(self._chance.randint(1, 10)), "times": "2"},
        }
        fault = "fail_poll" if name == "failover" else name
        answer = await self._gateway.ask(fault=fault, parameters=parameters.get(name, {}))
        if name in ("failover", "slow_poll"):
            # Until it has run its course, and the alarm manager speaks again.
            await asyncio.sleep(self._chance.uniform(0.5, 3.0))
        return not answer["problem"]

    async def _of_worker(self, name: str) -> bool:
        pid = (await self._gateway.ask())["worker"]
        try:
            worker = psutil.Process(pid) if pid else None
            if worker is None:
                return False
            if name == "kill_worker":
                worker.kill()
                return True
            worker.suspend()
            await asyncio.sleep(self._chance.uniform(0.3, 2.0))
            worker.resume()
        except psutil.NoSuchProcess:
            return False
        return True

    async def _replace(self, number: int) -> None:
        code = await self._gateway.end(number)
        if number == signal.SIGTERM and code:
            self._judge.journal.violation("exit", "gateway", self._judge.now, f"it ended with {code} when asked to")
        await self._gateway.start()
        self._gateway.restarts += 1
        for reader in self._readers:
            reader.proxy.target = self._gateway.address

    # --------------------------------------------------------------------------------------------------------- verdict

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._judge.tick(TICK)
            began = self._judge.now
            # What a reader sees does not matter here: its line may be cut while the gateway sees everything.
            if not await self._gateway.sees():
                self._oracle.dark(began - 2 * TICK - 0.5, self._judge.now + _DARK)

    async def _until_synced(self) -> None:
        await _until(lambda: all(reader.is_synced for reader in self._readers), _END)

    async def _until_right(self) -> None:
        """Until all have the plant's list, or too long has gone by: the verdict tells who has not."""

        def all_right() -> bool:
            present = set(self._oracle.present().items())
            return all(
                reader.is_synced
                and reader.feed is not None
                and {(key.casefold(), alarm.state.name) for key, alarm in reader.feed.active.items()} <= present
                for reader in self._readers
            )

        with contextlib.suppress(TimeoutError):
            await _until(all_right, _END)
        await asyncio.sleep(_CALM)
        with contextlib.suppress(TimeoutError):
            await self._until_synced()

    def _verdict(self, until: float) -> None:
        now = self._judge.now
        for reader in self._readers:
            if reader.feed is None or not reader.is_synced:
                self._judge.journal.violation(
                    "alarm-recovery", reader.name, now, "it has no list of the plant at the end"
                )
                continue
            found = {key: alarm.state.name for key, alarm in reader.feed.active.items()}
            self._oracle.judge_list(reader.name, found, now, area=reader.area)
        self._oracle.judge_logs(now)
        self._oracle.judge_losses(until - 1.0, now)

    def _report(self, facts: dict[str, object]) -> dict[str, Any]:
        journal = self._judge.journal
        return {
            "machine": facts,
            "seed": self._options.seed,
            "seconds": round(self._judge.now, 1),
            "faultsPlanned": self._options.faults,
            "faults": dict(sorted(self._done.items())),
            "faultsSkipped": dict(sorted(self._skipped.items())),
            "gatewayRestarts": self._gateway.restarts,
            "plantSteps": self._operator.steps,
            "changesTold": self._oracle.told,
            "readers": {
                reader.name: {"changes": reader.changes, "gaps": reader.gaps, "feeds": reader.feeds}
                for reader in self._readers
            },
            "ownStallsSeconds": self._judge.stalls,
            "violationCount": journal.count,
            "violations": [violation.as_json() for violation in journal.violations],
        }


async def _until(condition: Callable[[], bool], limit: float) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.05)
