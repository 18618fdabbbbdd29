"""From a session that wants a worker to one that is ready; whatever goes wrong on the way leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.contract import MAX_FRAME_BYTES, NONCE_VARIABLE
from mxgateway_server.counters import Counters
from mxgateway_server.errors import SessionClosedError, WorkerError
from mxgateway_server.logs import get_logger
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.containment import Containment
from mxgateway_server.workers.environment import worker_environment
from mxgateway_server.workers.exits import exit_class
from mxgateway_server.workers.kept import KeptWorker
from mxgateway_server.workers.process import WorkerProcess, start_process
from mxgateway_server.workers.start_line import StartLine, last_moment
from mxgateway_server.workers.terms import WorkerLimits

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """How workers are started.

    Attributes:
        command: program and first arguments; empty for this Python with the worker module.
        com_python: the 32-bit Python of the backend `com`; empty where `command` or this Python runs that, too.
        com_packages: folder with that Python's packages; empty when it has them itself.
        backend: backend name.
        options: options of the backend.
        other_options: options of the backends that a session may ask for instead, by name.
        environment: variables that workers get beside the gateway's own.
        sandbox: what workers lay down on Linux: `auto` for what the kernel has, `required` for all, `off`.
        withheld: variables of the gateway's that no worker gets, whatever their names.
        arguments: further arguments of the worker.
    """

    backend: str
    command: tuple[str, ...] = ()
    com_python: str = ""
    com_packages: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    other_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    withheld: frozenset[str] = frozenset()
    sandbox: str = "off"
    arguments: tuple[str, ...] = ()
    working_directory: str = ""
    max_frame_bytes: int = MAX_FRAME_BYTES

    def for_backend(self, name: str) -> WorkerPlan:
        """The same for another backend, with the options that are that one's."""
        if name == self.backend:
            return self
        others = {**self.other_options, self.backend: self.options}
        return replace(self, backend=name, options=self.other_options.get(name, {}), other_options=others)

    def fits(self, options: Mapping[str, str]) -> bool:
        """Whether a worker that was started with this plan can serve a session with these options on top."""
        # Whether LMXProxy may be made a second time in one process is written nowhere.
        return self.backend != "com" or {**self.options, **options} == dict(self.options)

    @property
    def is_own_program(self) -> bool:
        """Whether workers run on this Python with the gateway's own code."""
        return not self.command and self.program == sys.executable

    @property
    def program(self) -> str:
        """What is started first: a Python, or a program that starts one."""
        return self._start()[0]

    @property
    def variables(self) -> dict[str, str]:
        """What the worker's environment has beside what it needs of the gateway's."""
        if self.backend == "com" and self.com_packages:
            return {**self.environment, "PYTHONPATH": self.com_packages}
        return dict(self.environment)

    def _start(self) -> tuple[str, ...]:
        # -P: a module in the folder where the gateway happens to be started must not stand in for a worker's.
        module = ("-P", "-m", "mxgateway_worker")
        if self.backend == "com" and self.com_python:
            # -s: nor must one among an account's own packages, where the worker has a folder of its own.
            return (self.com_python, *(("-s",) if self.com_packages else ()), *module)
        return self.command or (sys.executable, *module)

    def command_line(self, session_id: str) -> list[str]:
        """The whole command; holds no secret, so it may be logged."""
        line = list(self._start())
        line += ["--session-id", session_id, "--protocol-version", str(WORKER_PROTOCOL_VERSION)]
        line += ["--backend", self.backend]
        if self.sandbox != "off" and self.is_own_program:
            line += ["--sandbox", self.sandbox]
        for name, value in sorted(self.options.items()):
            line += ["--option", f"{name}={value}"]
        return [*line, *self.arguments]


class Launcher:
    """Starts workers, a bounded number at a time.

    Attributes:
        being_made: processes that there may be already, and that are not among those alive yet.
    """

    def __init__(
        self,
        limits: WorkerLimits,
        clock: Clock,
        containment: Containment,
        gateway_version: str,
        simultaneous_starts: int = 4,
        counters: Counters | None = None,
    ) -> None:
        self.limits = limits
        self.counters = counters or Counters()
        self._clock = clock
        self._containment = containment
        self._gateway_version = gateway_version
        self._starting = asyncio.Semaphore(simultaneous_starts)
        self._line = StartLine(simultaneous_starts)
        self._alive: set[WorkerClient] = set()
        self.being_made = 0
        self.started = 0
        self.failed = 0
        # The first one, and the first after a failure, shows that workers can be started: that is told.
        self._is_news = True

    def __len__(self) -> int:
        """How many workers exist, starting and ending ones included."""
        return len(self._alive)

    @property
    def starting(self) -> int:
        """How many workers start, or wait for their turn to."""
        return len(self._line)

    @property
    def alive(self) -> tuple[WorkerClient, ...]:
        """Every worker, starting, pooled and ending ones included."""
        return tuple(self._alive)

    def _gone(self, client: WorkerClient, code: int | None) -> None:
        self.counters.workers_exited[exit_class(code)] += 1
        self.counters.ended_worker_cpu += client.cpu_seconds
        self._alive.discard(client)
        self._containment.release(client.pid)

    def kill_all(self) -> None:
        """Ends every worker now; whoever waits for one to end sees it end."""
        for client in list(self._alive):
            client.kill_process()

    async def launch(
        self,
        plan: WorkerPlan,
        session_id: str,
        *,
        deadline: float | None = None,
        on_started: Callable[[], None] = lambda: None,
        on_hello: Callable[[], None] = lambda: None,
    ) -> WorkerClient:
        """A ready worker.

        Args:
            deadline: the clock's time at which the caller gives up; None for a caller who waits.

        Raises:
            SessionStartBusyError: it would take longer than the caller waits.
            WorkerStartError: by cause; nothing of the worker is left.
        """
        now = self._clock.monotonic()
        self._line.join(now, deadline)
        took = None
        try:
            async with asyncio.timeout(None if deadline is None else last_moment(now, deadline) - now), self._starting:
                began = self._clock.monotonic()
                client = await self._start(plan, session_id, on_started, on_hello)
                took = self._clock.monotonic() - began
                return client
        except TimeoutError:
            raise self._line.busy(self._clock.monotonic()) from None
        finally:
            self._line.leave(took)

    async def _start(
        self, plan: WorkerPlan, session_id: str, on_started: Callable[[], None], on_hello: Callable[[], None]
    ) -> WorkerClient:
        began = self._clock.monotonic()
        client = await self._process(plan, session_id)
        try:
            on_started()
            identity = await client.handshake(self._gateway_version, on_hello)
        except BaseException as error:
            self.failed += 1
            self._is_news = True
            self.counters.worker_starts["failed"].observe(self._clock.monotonic() - began)
            # Shielded: a caller that gives up must not leave a process behind.
            await asyncio.shield(client.kill())
            if isinstance(error, WorkerError | SessionClosedError):
                words = {"last_words": error.last_words} if isinstance(error, WorkerError) and error.last_words else {}
                logger.warning(
                    "worker_start_failed", session_id=session_id, worker_pid=client.pid, error=error, **words
                )
            raise
        self.started += 1
        self.counters.worker_starts["ok"].observe(self._clock.monotonic() - began)
        tell, self._is_news = (logger.info if self._is_news else logger.debug), False
        tell(
            "worker_ready",
            session_id=session_id,
            worker_pid=client.pid,
            backend=identity.backend_name,
            milliseconds=round((self._clock.monotonic() - began) * 1000, 1),
        )
        return client

    async def _process(self, plan: WorkerPlan, session_id: str) -> WorkerClient:
        nonce = secrets.token_urlsafe(24)
        environment = worker_environment(
            os.environ,
            is_windows=sys.platform == "win32",
            is_other_interpreter=plan.program != sys.executable,
            additional=plan.variables,
            withheld=plan.withheld,
        )
        environment[NONCE_VARIABLE] = nonce
        self.being_made += 1
        try:
            process = await start_process(
                plan.command_line(session_id),
                environment,
                session_id,
                self._containment,
                working_directory=plan.working_directory or None,
                max_frame_bytes=plan.max_frame_bytes,
            )
        except WorkerError:
            self.failed += 1
            self._is_news = True
            self.counters.worker_starts["failed"].observe(0.0)
            raise
        finally:
            self.being_made -= 1
        client = WorkerClient(
            process=process,
            nonce=nonce,
            limits=self.limits,
            clock=self._clock,
            containment=self._containment,
            counters=self.counters,
        )
        self._watch(client, process)
        return client

    def _watch(self, client: WorkerClient, process: WorkerProcess) -> None:
        self._alive.add(client)
        process.ended.add_done_callback(lambda ended: self._gone(client, ended.result()))

    def resume(self, session_id: str, kept: KeptWorker) -> WorkerClient:
        """A worker that another program of this same process has started; its `take_over` begins to read from it."""
        process = WorkerProcess.kept(session_id, kept)
        client = WorkerClient(
            process=process,
            nonce="",
            limits=self.limits,
            clock=self._clock,
            containment=self._containment,
            counters=self.counters,
            kept=kept,
        )
        self._watch(client, process)
        return client
