"""Hosts the gateway as a child process for Windows' service manager: starts it, tells of it, ends it in order."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from mxgateway_server.node.service_life import ServiceLife, Told, Wish
from mxgateway_server.workers.job_object import JobObject

LARGEST_LOG = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ready:
    """The gateway listens."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The gateway is gone, with its exit code."""

    code: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Windows sent a control."""

    control: int


Happening = Ready | Ended | Asked


class ServiceManager(Protocol):
    """Whom the host tells."""

    def tell(self, told: Told) -> None: ...


class Child(Protocol):
    """The gateway."""

    def start(self, happenings: queue.SimpleQueue[Happening]) -> None:
        """Starts it; its readiness and its end come into the queue."""

    def ask_to_end(self) -> None: ...

    def end(self) -> None: ...


def host(manager: ServiceManager, child: Child, happenings: queue.SimpleQueue[Happening], seconds: float = 1.0) -> Told:
    """From the start of the gateway to its end.

    Args:
        happenings: what Windows asks comes in here, too.
        seconds: how long nothing may happen until Windows hears that things go on.

    Returns:
        What Windows was told last.
    """
    life = ServiceLife()
    manager.tell(life.told)
    try:
        child.start(happenings)
    except OSError as error:
        life.ended(error.errno or 1)
    while not life.is_over:
        before, wish = life.told, Wish.NOTHING
        try:
            happened: Happening | None = happenings.get(timeout=seconds)
        except queue.Empty:
            happened = None
        if happened is None:
            wish = life.second_passed()
        elif isinstance(happened, Ready):
            life.ready()
        elif isinstance(happened, Asked):
            wish = life.control(happened.control)
        else:
            life.ended(happened.code)
        if life.told != before and not life.is_over:
            manager.tell(life.told)
        if wish is Wish.ASK_TO_END:
            child.ask_to_end()
        elif wish is Wish.END:
            child.end()
    manager.tell(life.told)
    return life.told


class GatewayChild:
    """`mxgateway serve` as a child whose end of stdin is its sign to end; its log goes into a file.

    Args:
        command: the gateway with `--announce` and `--stop-on-stdin-close`.
        log: file of its log; one that has grown too long is put aside at the start.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._job: JobObject | None = None

    def start(self, happenings: queue.SimpleQueue[Happening]) -> None:
        """Raises:
        OSError: the program or its log file cannot be had.
        """
        with _opened_log(self._log) as log:
            self._job = JobObject() if sys.platform == "win32" else None
            options = self._job.spawn_options() if self._job else {}
            self._process = subprocess.Popen(  # noqa: S603 — our own command
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, **options
            )
        if self._job:
            self._job.adopt(self._process.pid)
        threading.Thread(target=self._watch, args=(happenings,), name="service watch", daemon=True).start()

    def _watch(self, happenings: queue.SimpleQueue[Happening]) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if is_ready(line):
                    happenings.put(Ready())
        code = process.wait()
        self.ask_to_end()
        if self._job:
            # What the gateway has started ends with it.
            self._job.close()
        happenings.put(Ended(code))

    def ask_to_end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()


def is_ready(line: bytes) -> bool:
    """Whether a line of `serve --announce` says that the gateway listens."""
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("event") == "ready"


def _opened_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")
