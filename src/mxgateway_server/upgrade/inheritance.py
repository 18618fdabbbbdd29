"""What one program of this process leaves to the next: the state in sealed memory, and the pipes of the workers.

Both are open descriptors; a variable of the environment says which. Everything that is handed on and not taken over is
closed here, so that a worker whose state cannot be read sees the end of its input, and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from mxgateway_server.upgrade import VARIABLE
from mxgateway_server.upgrade.early_reading import EarlyReader
from mxgateway_server.upgrade.encoding import StateError, decode
from mxgateway_server.upgrade.state import GatewayState

MAX_STATE_BYTES = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What was left to this program.

    Attributes:
        state: the state; None when it cannot be used.
        problem: why not; empty when it can.
        workers: process ids of all workers that the program before had, kept ones and others.
        early: reads from the kept ones until they are taken over.
    """

    state: GatewayState | None
    problem: str
    workers: tuple[int, ...]
    early: EarlyReader | None = None


_here: list[Inheritance] = []


def hold_inheritance(environment: MutableMapping[str, str]) -> None:
    """`take_inheritance`, for `held_inheritance` to give: the first thing that a new program does."""
    found = take_inheritance(environment)
    if found is not None:
        _here.append(found)


def held_inheritance() -> Inheritance | None:
    """What this program has taken and nobody has asked for yet."""
    return _here.pop() if _here else None


def take_inheritance(environment: MutableMapping[str, str]) -> Inheritance | None:
    """What the program before has left; None for a process that begins.

    To be called before anything else is opened. Takes the variable away, so that no child ever sees it.
    """
    told = environment.pop(VARIABLE, "")
    if not told:
        return None
    try:
        found = json.loads(told)
        memory, pipes, workers = int(found["state"]), _numbers(found["pipes"]), _numbers(found["workers"])
    except (ValueError, KeyError, TypeError):
        return Inheritance(None, f"{VARIABLE} cannot be read", ())
    try:
        state = decode(_read(memory), GatewayState)
        _require_pipes(state, pipes)
    except (StateError, OSError) as error:
        for pipe in pipes:
            _close(pipe)
        return Inheritance(None, str(error), workers)
    for pipe in pipes:
        os.set_inheritable(pipe, False)
    outputs = [fd for each in state.sessions for fd in (each.worker.stdout, each.worker.stderr)]
    return Inheritance(state, "", workers, EarlyReader(outputs))


def _numbers(found: Iterable[object]) -> tuple[int, ...]:
    return tuple(int(str(each)) for each in found)


def _require_pipes(state: GatewayState, pipes: Sequence[int]) -> None:
    named = [fd for each in state.sessions for fd in (each.worker.stdin, each.worker.stdout, each.worker.stderr)]
    if sorted(named) != sorted(pipes):
        raise StateError("the state names other pipes than those that are handed on")


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


if sys.platform == "linux":
    import fcntl

    _SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

    def seal(parts: Iterable[bytes]) -> int:
        """Puts these bytes into memory that nobody can change any more, and returns its descriptor.

        Raises:
            OSError: there is not enough memory.
        """
        memory = os.memfd_create("mxgateway-upgrade", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[os.write(memory, view) :]
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
        except BaseException:
            os.close(memory)
            raise
        return memory

    def _read(memory: int) -> bytes:
        try:
            try:
                seals = fcntl.fcntl(memory, fcntl.F_GET_SEALS)
            except OSError:
                raise StateError("the state is not in memory of its own") from None
            if seals & _SEALS != _SEALS:
                raise StateError("the state is not sealed")
            size = os.fstat(memory).st_size
            if size > MAX_STATE_BYTES:
                raise StateError(f"the state has {size} bytes")
            parts, at = [], 0
            while part := os.pread(memory, 16 * 1024 * 1024, at):
                parts.append(part)
                at += len(part)
            return b"".join(parts)
        finally:
            _close(memory)

    # What comes between the two programs waits, and is handled by the new one.
    _HELD_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)

    def replace_program(
        command: Sequence[str],
        environment: Mapping[str, str],
        memory: int,
        pipes: Sequence[int],
        workers: Sequence[int],
    ) -> NoReturn:
        """Goes on as another program, which gets the state, the pipes, and nothing else that is open.

        Args:
            command: the program, and its arguments.

        Raises:
            OSError: it cannot be begun; everything is as before.
        """
        told = json.dumps({"state": memory, "pipes": list(pipes), "workers": list(workers)}, separators=(",", ":"))
        kept = (memory, *pipes)
        for descriptor in kept:
            os.set_inheritable(descriptor, True)
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_SIGNALS)
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os.execve(command[0], list(command), {**environment, VARIABLE: told})  # noqa: S606 - this same program
        except BaseException:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_SIGNALS)
            for descriptor in kept:
                os.set_inheritable(descriptor, False)
            raise
        raise AssertionError("execve returned")

    def let_signals_in() -> None:
        """Takes signals again, once there is somebody for them."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_SIGNALS)

else:

    def _read(memory: int) -> bytes:
        raise StateError("only on Linux a gateway can take over what another program has left")
