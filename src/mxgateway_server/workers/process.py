"""A worker process as the event loop sees it: frames in, frames out, its log lines, its end."""

from __future__ import annotations

import asyncio
import functools
import re
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from mxgateway_contract.redaction import redact
from mxgateway_protocol.errors import PipeProtocolError
from mxgateway_protocol.frames import FrameDecoder
from mxgateway_server.errors import PendingLimitError, WorkerLaunchError
from mxgateway_server.logs import get_logger
from mxgateway_server.workers import own_pipes
from mxgateway_server.workers.containment import Containment
from mxgateway_server.workers.kept import KeptWorker
from mxgateway_server.workers.own_pipes import STDERR, STDIN, STDOUT, Descriptors, KnownPipes

MAX_LINE = 4096
LAST_LINES = 20
LINES_PER_SECOND = 50
DRAIN_SECONDS = 1.0
"""How long pipes may stay open after the process has ended: something that it started may hold them for ever."""
MAX_UNSENT = 64 * 1024 * 1024
"""Bytes that may wait for a worker which does not read its input."""
_LONG = 256 * 1024
"""Bytes from which on putting them together costs more than a system call for each part."""

_STAMPS = re.compile(r"\Atime=\S+ (level=\S+ )session=\S+ ")
_LEVEL = re.compile(r"time=\S+ level=(\w+) ")

_OWN: tuple[type[KnownPipes], ...] = (own_pipes.OwnPipes,) if sys.platform == "linux" else ()

logger = get_logger(__name__)


class WorkerProcess(asyncio.SubprocessProtocol):
    """The protocol object of a worker's three pipes; knows frames but not what is in them.

    `on_frame` gets each payload, `on_broken` the first violation of framing, `on_end` the exit code once the process
    has ended and all its output is read.
    """

    def __init__(self, session_id: str, max_frame_bytes: int) -> None:
        self.on_frame: Callable[[bytes], None] = lambda _: None
        self.on_broken: Callable[[PipeProtocolError], None] = lambda _: None
        self.on_end: Callable[[int | None], None] = lambda _: None
        self.session_id = session_id
        self.pid = 0
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self.suppressed_lines = 0
        self.max_frame_bytes = max_frame_bytes
        self._decoder = FrameDecoder(max_frame_bytes)
        self._is_deaf = False
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: Any = None
        self._known: KnownPipes | None = None
        self._is_held = False
        self._kept_descriptors: Descriptors | None = None
        self._open_pipes = {STDOUT, STDERR}
        self._has_exited = False
        self._drain: asyncio.TimerHandle | None = None
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._line = b""
        self._line_window = (0.0, 0)
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    @classmethod
    def kept(cls, session_id: str, kept: KeptWorker) -> WorkerProcess:
        """A process that another program of this same process has started; `take_over` begins to read from it."""
        process = cls(session_id, kept.max_frame_bytes)
        process.pid = kept.pid
        process.last_lines.extend(kept.last_lines)
        process.suppressed_lines = kept.suppressed_lines
        process._decoder = FrameDecoder(kept.max_frame_bytes, kept.unparsed)
        process._line = kept.unlogged
        process._kept_descriptors = Descriptors(kept.stdin, kept.stdout, kept.stderr)
        return process

    # ------------------------------------------------------------------------------------------- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport does not inherit from asyncio's.
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._known = transport if isinstance(transport, _OWN) else None
        self.pid = self._transport.get_pid()
        self._stdin = self._transport.get_pipe_transport(STDIN)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == STDOUT:
            if self._is_deaf:
                return
            try:
                for payload in self._decoder.feed(data):
                    # Asked each time: handling a frame may be what ends the reading.
                    if not self._is_deaf:
                        self.on_frame(payload)
            except PipeProtocolError as error:
                self.stop_reading()
                self.on_broken(error)
        elif fd == STDERR:
            self._take_lines(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open_pipes.discard(fd)
        if fd == STDERR and self._line:
            self._log_line(self._line)
            self._line = b""
        self._maybe_ended()

    def process_exited(self) -> None:
        self._has_exited = True
        self._maybe_ended()
        if not self.ended.done():
            self._drain = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._stop_draining)

    def _stop_draining(self) -> None:
        self._open_pipes.clear()
        self._maybe_ended()
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_pipes.clear()
        self._has_exited = True
        self._maybe_ended()

    def _maybe_ended(self) -> None:
        # The exit alone is not the end: replies and the last log lines may still be in the pipes.
        if self._has_exited and not self._open_pipes and not self.ended.done():
            if self._drain is not None:
                self._drain.cancel()
            code = self.returncode
            self.ended.set_result(code)
            self.on_end(code)

    # ---------------------------------------------------------------------------------------------------------- use

    @property
    def returncode(self) -> int | None:
        return None if self._transport is None else self._transport.get_returncode()

    @property
    def unsent_bytes(self) -> int:
        return self._gathered_bytes + (0 if self._stdin is None else int(self._stdin.get_write_buffer_size()))

    def write(self, frame: bytes, *rest: bytes) -> None:
        """Sends a frame, together with all others of this turn of the loop or up to the next `flush`: one system call
        for many commands.

        Args:
            frame: all of it, or the first part of a long one.
            rest: the other parts.

        Raises:
            PendingLimitError: too much waits for this worker already.
        """
        if self._stdin is None or self._stdin.is_closing():
            return
        gathered = self._gathered
        size = len(frame) + sum(map(len, rest)) if rest else len(frame)
        if self._gathered_bytes + self._stdin.get_write_buffer_size() + size > MAX_UNSENT:
            raise PendingLimitError("too many bytes wait for the session's worker; wait for replies", retry_after=0.5)
        if not gathered:
            asyncio.get_running_loop().call_soon(self.flush)
        gathered.append(frame)
        if rest:
            gathered += rest
        self._gathered_bytes += size

    def flush(self) -> None:
        """Sends what is gathered without waiting for the end of the turn."""
        if self._gathered:
            # What is long is copied by the pipe alone, if it has to wait there.
            together = self._gathered if self._gathered_bytes > _LONG else (b"".join(self._gathered),)
            self._gathered = []
            self._gathered_bytes = 0
            for data in together:
                if not self._stdin.is_closing():
                    self._stdin.write(data)

    def close_input(self) -> None:
        """Ends the worker's input, which ends a healthy worker."""
        if self._stdin is not None:
            self.flush()
            self._stdin.close()

    def stop_reading(self) -> None:
        """Ignores everything that still comes: the stream is broken or nobody needs it."""
        self._is_deaf = True

    def terminate(self) -> None:
        if self._transport is not None and not self._has_exited:
            try:
                self._transport.terminate()
            except ProcessLookupError:
                return

    def close(self) -> None:
        """Releases the pipes; a process that still runs is killed."""
        if self._transport is not None:
            self._transport.close()

    # --------------------------------------------------------------------------------------------------- handing on

    @property
    def can_be_kept(self) -> bool:
        """Whether another program could take it over: its pipes are known, and it is well."""
        return self._known is not None and not (self._has_exited or self._is_deaf or self._pipes_ended)

    @property
    def _pipes_ended(self) -> bool:
        return STDOUT not in self._open_pipes or self._stdin.is_closing()

    def hold(self) -> None:
        """Reads nothing more until `release`: what comes stays in the pipes, where nothing is lost."""
        if self._known is not None and not self._is_held:
            self._is_held = True
            self._known.pause_reading()

    def release(self) -> None:
        """Reads on."""
        if self._known is not None and self._is_held:
            self._is_held = False
            self._known.resume_reading()

    @property
    def descriptors(self) -> Descriptors:
        """The gateway's ends of its pipes."""
        assert self._known is not None
        return self._known.descriptors

    @property
    def half_read(self) -> tuple[bytes, bytes]:
        """What has come of a frame, and of a line of its log, that are not complete."""
        return self._decoder.partial, self._line

    async def take_over(self, out: bytes, log: bytes) -> None:
        """Begins to read from a process that was made by `kept`.

        Args:
            out, log: what was read of its two outputs already.

        Raises:
            OSError: it is no child of this process, or its pipes are not open.
        """
        if sys.platform != "linux":
            raise OSError("only Linux can do that")
        assert self._kept_descriptors is not None
        taken = own_pipes.take_over(self, self.pid, self._kept_descriptors)
        self.pipe_data_received(STDOUT, out)
        self.pipe_data_received(STDERR, log)
        await taken.connect()

    # ------------------------------------------------------------------------------------------------ its log lines

    def _take_lines(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._log_line(line)
        if len(self._line) > MAX_LINE:
            self._log_line(self._line)
            self._line = b""

    def _log_line(self, line: bytes) -> None:
        text = redact(line[:MAX_LINE].decode("utf-8", "replace").rstrip())
        if not text:
            return
        self.last_lines.append(text)
        now = asyncio.get_running_loop().time()
        start, count = self._line_window
        if now - start >= 1.0:
            start, count = now, 0
        self._line_window = (start, count + 1)
        if count >= LINES_PER_SECOND:
            self.suppressed_lines += 1
            return
        # Time and session stand in the gateway's own record already.
        told = _LEVEL.match(text)
        # That a worker begins and ends is told by the gateway; what has no level is a traceback or a library's.
        tell = logger.info if told is None else logger.debug if told[1] in ("debug", "info") else logger.warning
        words = _STAMPS.sub(r"\1", text)
        tell("worker_log", session_id=self.session_id, worker_pid=self.pid, line=words)


# Asked once: what a system allows does not change while a process runs.
_knows_descriptors = functools.cache(own_pipes.has_pidfd)


async def start_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    session_id: str,
    containment: Containment,
    *,
    working_directory: str | None = None,
    max_frame_bytes: int,
) -> WorkerProcess:
    """Starts a worker process and ties it to this one.

    Raises:
        WorkerLaunchError: it cannot be started; nothing is left.
    """
    process = WorkerProcess(session_id, max_frame_bytes)
    options = containment.spawn_options()
    try:
        transport: Any
        if sys.platform == "linux" and _knows_descriptors():
            transport = await own_pipes.start(process, command, environment, working_directory or None, **options)
        else:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: process,
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(environment),
                cwd=working_directory or None,
                **options,
            )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise WorkerLaunchError(
            f"the worker {command[0]!r} cannot be started: {reason}; check worker.command and worker.working_directory"
        ) from error
    try:
        containment.adopt(process.pid)
    except OSError as error:
        if transport.get_returncode() is not None or process.ended.done():
            # It ended before it could be tied; how, its exit code and last words tell better.
            return process
        transport.close()
        raise WorkerLaunchError(f"the worker cannot be tied to the gateway: {error.strerror}") from error
    return process
