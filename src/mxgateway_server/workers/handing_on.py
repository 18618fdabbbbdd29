"""A worker between two programs of the gateway's process: held, written down by the one, and taken over by the next."""

from __future__ import annotations

from typing import Protocol

from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_server.errors import WorkerError, WorkerLaunchError
from mxgateway_server.workers.command_table import CommandTable
from mxgateway_server.workers.kept import KeptWorker
from mxgateway_server.workers.process import WorkerProcess
from mxgateway_server.workers.terms import WorkerIdentity


class Worker(Protocol):
    """What WorkerClient is to this module."""

    identity: WorkerIdentity | None
    fault: WorkerError | None
    heartbeats: int
    last_heartbeat: wpb.WorkerHeartbeat | None

    @property
    def pid(self) -> int: ...
    @property
    def is_usable(self) -> bool: ...
    @property
    def late_replies(self) -> int: ...
    @property
    def unknown_replies(self) -> int: ...
    @property
    def suppressed_lines(self) -> int: ...
    def excuse_silence(self) -> None: ...


class HandingOn:
    """What of one worker is only there so that another program can go on with it.

    Args:
        worker: whose it is.
        process, writer, reader, commands: the worker's own.
    """

    def __init__(
        self,
        worker: Worker,
        process: WorkerProcess,
        writer: EnvelopeWriter,
        reader: EnvelopeReader,
        commands: CommandTable,
    ) -> None:
        self._worker = worker
        self._process = process
        self._writer = writer
        self._reader = reader
        self._commands = commands

    @property
    def is_possible(self) -> bool:
        """Whether another program could take it over."""
        return self._worker.is_usable and self._process.can_be_kept

    def hold(self) -> None:
        """Reads nothing more from it until `release`."""
        self._process.hold()

    def release(self) -> None:
        """Reads on; that it was silent meanwhile is not held against it."""
        self._worker.excuse_silence()
        self._process.release()

    def keep(self) -> KeptWorker:
        """What another program has to know to take it over: while it is held, has no command and nothing waits."""
        worker = self._worker
        assert worker.identity is not None
        pipes, (unparsed, unlogged) = self._process.descriptors, self._process.half_read
        beat = worker.last_heartbeat
        return KeptWorker(
            pid=worker.pid,
            stdin=pipes.stdin,
            stdout=pipes.stdout,
            stderr=pipes.stderr,
            unparsed=unparsed,
            unlogged=unlogged,
            sent_envelopes=self._writer.sequence,
            seen_envelopes=self._reader.sequence,
            next_command=self._commands.take_number(),
            max_frame_bytes=self._process.max_frame_bytes,
            version=worker.identity.version,
            backend_name=worker.identity.backend_name,
            prog_id=worker.identity.prog_id,
            class_id=worker.identity.class_id,
            heartbeats=worker.heartbeats,
            last_heartbeat=b"" if beat is None else beat.SerializeToString(),
            late_replies=worker.late_replies,
            unknown_replies=worker.unknown_replies,
            suppressed_lines=worker.suppressed_lines,
            last_lines=tuple(self._process.last_lines),
        )

    def resume(self, kept: KeptWorker) -> None:
        """Gives the worker what another program has kept of it; its other half is given where its parts are made."""
        worker = self._worker
        worker.identity = WorkerIdentity(
            pid=kept.pid,
            version=kept.version,
            backend_name=kept.backend_name,
            prog_id=kept.prog_id,
            class_id=kept.class_id,
        )
        worker.heartbeats = kept.heartbeats
        if kept.last_heartbeat:
            worker.last_heartbeat = wpb.WorkerHeartbeat.FromString(kept.last_heartbeat)

    async def take_over(self, out: bytes = b"", log: bytes = b"") -> None:
        """Begins to read from a worker that was kept.

        Args:
            out, log: what was read of its two outputs already.

        Raises:
            WorkerLaunchError: it cannot be taken over; `forget` it then.
        """
        try:
            await self._process.take_over(out, log)
        except (OSError, ValueError) as error:
            raise WorkerLaunchError(
                f"the worker could not be taken over: {getattr(error, 'strerror', None) or error}",
                worker_pid=self._worker.pid,
            ) from error

    def forget(self, error: WorkerError) -> None:
        """It cannot be taken over, for this reason: nothing is known of it any more."""
        self._worker.fault = error
        self._process.connection_lost(None)
