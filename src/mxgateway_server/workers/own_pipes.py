"""Linux: a worker's process and pipes made by the gateway itself, so that it knows their descriptors.

asyncio keeps them to itself. A gateway that replaces itself (see `mxgateway_server.upgrade`) hands them on to the next
program, which takes the worker over with nothing but its process id and these numbers. A worker is watched by its
pidfd, whoever started it: it stays this process's child over an `execv`, so its exit code can always be had.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

STDIN, STDOUT, STDERR = 0, 1, 2


class PipesProtocol(Protocol):
    """What `asyncio.SubprocessProtocol` has."""

    def connection_made(self, transport: Any) -> None: ...
    def pipe_data_received(self, fd: int, data: bytes) -> None: ...
    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None: ...
    def process_exited(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The gateway's ends of a worker's pipes."""

    stdin: int
    stdout: int
    stderr: int

    @property
    def all(self) -> tuple[int, int, int]:
        return self.stdin, self.stdout, self.stderr


class KnownPipes(Protocol):
    """The transport of a process whose pipes are known."""

    @property
    def descriptors(self) -> Descriptors:
        """This end of its pipes."""

    def pause_reading(self) -> None:
        """Leaves what comes in the pipes. What was read before has been handed on: nothing waits here."""

    def resume_reading(self) -> None:
        """Reads on."""


def has_pidfd() -> bool:
    """Whether this system lets a process be watched by a descriptor: Linux 5.3 and later, unless it is forbidden."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


if sys.platform == "linux":

    class OwnPipes:
        """A process and its pipes, in the shape of `asyncio.SubprocessTransport`."""

        def __init__(
            self,
            protocol: PipesProtocol,
            pid: int,
            pidfd: int,
            descriptors: Descriptors,
            popen: subprocess.Popen[bytes] | None = None,
        ) -> None:
            self._descriptors = descriptors
            self._protocol = protocol
            self._pid = pid
            self._pidfd = pidfd
            # Kept only to be told the end: it would look for it by itself when it is collected.
            self._popen = popen
            self._returncode: int | None = None
            self._loop = asyncio.get_running_loop()
            self._pipes: dict[int, Any] = {}
            self._open = {STDIN, STDOUT, STDERR}
            # What the first pipes tell before the last one is connected.
            self._early: list[Callable[[], None]] | None = []
            self._is_closed = False
            self._is_told = False

        async def connect(self) -> None:
            """Begins to read, to write and to watch.

            Raises:
                OSError: the descriptors are no pipes; the process is killed then.
            """
            unowned = [
                os.fdopen(fd, mode, 0) for fd, mode in zip(self.descriptors.all, ("wb", "rb", "rb"), strict=True)
            ]
            try:
                for number, pipe in zip((STDIN, STDOUT, STDERR), list(unowned), strict=True):
                    connect = self._loop.connect_write_pipe if number == STDIN else self._loop.connect_read_pipe
                    self._pipes[number], _ = await connect(functools.partial(_PipeEnd, self, number), pipe)
                    unowned.remove(pipe)
            except BaseException:
                for pipe in unowned:
                    pipe.close()
                self._early = None
                self._open.difference_update({STDIN, STDOUT, STDERR} - self._pipes.keys())
                self._watch()
                self.close()
                raise
            self._protocol.connection_made(self)
            early, self._early = self._early, None
            for call in early or ():
                call()
            self._watch()

        def _watch(self) -> None:
            self._loop.add_reader(self._pidfd, self._exited)

        def _exited(self) -> None:
            code = reaped(self._pidfd)
            if code is None:
                return
            self._returncode = code
            if self._popen is not None:
                self._popen.returncode = code
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._protocol.process_exited()
            self._maybe_lost()

        def data_received(self, number: int, data: bytes) -> None:
            if self._early is not None:
                self._early.append(functools.partial(self.data_received, number, data))
                return
            self._protocol.pipe_data_received(number, data)

        def pipe_lost(self, number: int, exc: Exception | None) -> None:
            if self._early is not None:
                self._early.append(functools.partial(self.pipe_lost, number, exc))
                return
            self._open.discard(number)
            self._protocol.pipe_connection_lost(number, exc)
            self._maybe_lost()

        def _maybe_lost(self) -> None:
            if self._returncode is not None and not self._open and not self._is_told:
                self._is_told = True
                self._protocol.connection_lost(None)

        # ------------------------------------------------------------------------------------------------------- use

        @property
        def descriptors(self) -> Descriptors:
            """This end of the pipes, open until `close`."""
            return self._descriptors

        def get_pid(self) -> int:
            return self._pid

        def get_returncode(self) -> int | None:
            """How it ended, negative for a signal; None while it runs."""
            return self._returncode

        def get_pipe_transport(self, fd: int) -> Any:
            return self._pipes.get(fd)

        def pause_reading(self) -> None:
            """Leaves what comes in the pipes. What was read before has been handed on: nothing waits here."""
            for number in (STDOUT, STDERR):
                if not self._pipes[number].is_closing():
                    self._pipes[number].pause_reading()

        def resume_reading(self) -> None:
            for number in (STDOUT, STDERR):
                if not self._pipes[number].is_closing():
                    self._pipes[number].resume_reading()

        def terminate(self) -> None:
            self._signal(signal.SIGTERM)

        def close(self) -> None:
            """Releases the pipes; a process that still runs is killed, and its end is waited for as before."""
            if self._is_closed:
                return
            self._is_closed = True
            for number, pipe in self._pipes.items():
                if number == STDIN:
                    # What it has not read is of no use to it any more. A pipe that ends already cannot be ended twice.
                    if not pipe.is_closing() or (number in self._open and pipe.get_write_buffer_size()):
                        pipe.abort()
                else:
                    pipe.close()
            self._signal(signal.SIGKILL)

        def _signal(self, number: int) -> None:
            if self._returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, number)

    def require_child(pidfd: int) -> None:
        """Of who is no child of this process nothing could ever be learned.

        Raises:
            ChildProcessError: it is none. One that has ended, but was not seen to, still is.
        """
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def reaped(pidfd: int) -> int | None:
        """How a child ended, negative for a signal; None while it runs. To be asked until it says so, and not again.

        Raises:
            ChildProcessError: it is no child of this process.
        """
        found = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    class _PipeEnd(asyncio.Protocol):
        """One of the three pipes."""

        def __init__(self, owner: OwnPipes, number: int) -> None:
            self._owner = owner
            self._number = number

        def data_received(self, data: bytes) -> None:
            self._owner.data_received(self._number, data)

        def connection_lost(self, exc: Exception | None) -> None:
            self._owner.pipe_lost(self._number, exc)

    async def start(
        protocol: PipesProtocol,
        command: Sequence[str],
        environment: Mapping[str, str],
        working_directory: str | None,
        **options: Any,
    ) -> OwnPipes:
        """Starts a process.

        Args:
            options: of `subprocess.Popen`.

        Raises:
            OSError, ValueError: it cannot be started; nothing is left.
        """
        made = _spawned(protocol, command, environment, working_directory, options)
        await made.connect()
        return made

    def _spawned(
        protocol: PipesProtocol,
        command: Sequence[str],
        environment: Mapping[str, str],
        working_directory: str | None,
        options: Mapping[str, Any],
    ) -> OwnPipes:
        ours: list[int] = []
        theirs: list[int] = []
        try:
            for number in (STDIN, STDOUT, STDERR):
                read, write = os.pipe()
                ours.append(write if number == STDIN else read)
                theirs.append(read if number == STDIN else write)
            # The settings say what is run; a session's options are checked before they come here.
            popen = subprocess.Popen(  # noqa: S603
                command,
                stdin=theirs[STDIN],
                stdout=theirs[STDOUT],
                stderr=theirs[STDERR],
                bufsize=0,
                env=dict(environment),
                cwd=working_directory,
                **options,
            )
        except BaseException:
            _close(ours)
            raise
        finally:
            _close(theirs)
        try:
            pidfd = os.pidfd_open(popen.pid)
        except OSError:
            _close(ours)
            popen.kill()
            popen.wait()
            raise
        return OwnPipes(protocol, popen.pid, pidfd, Descriptors(*ours), popen)

    def take_over(protocol: PipesProtocol, pid: int, descriptors: Descriptors) -> OwnPipes:
        """A child that another program of this same process has started; `connect` begins to read from it.

        Raises:
            OSError: it is no child of this process, or its pipes are not open; they are closed then.
        """
        pidfd = -1
        try:
            pidfd = os.pidfd_open(pid)
            require_child(pidfd)
            for descriptor in descriptors.all:
                os.set_inheritable(descriptor, False)
        except OSError:
            for descriptor in (pidfd, *descriptors.all):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            raise
        return OwnPipes(protocol, pid, pidfd, descriptors)

    def _close(descriptors: Sequence[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)
