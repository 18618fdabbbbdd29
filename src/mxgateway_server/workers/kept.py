"""A worker as one gateway program hands it on to the next: its process, its pipes, and what is half said on them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWorker:
    """One worker that nothing is asked of at the moment.

    The nonce is not among it: it has served its purpose when a worker is ready.

    Attributes:
        pid: process id; it stays a child of the gateway's process.
        stdin, stdout, stderr: descriptors of the gateway's ends of its pipes.
        unparsed: the beginning of a frame that has come, and whose rest is still in the pipe.
        unlogged: the same of a line of its log.
        sent_envelopes, seen_envelopes: numbers of the last envelopes each way.
        next_command: number of the next command.
        max_frame_bytes: longest frame, each way.
        heartbeats: heartbeats so far; `last_heartbeat` is the last one, serialised, empty for none.
        last_lines: the last lines of its log, redacted.
    """

    pid: int
    stdin: int
    stdout: int
    stderr: int
    unparsed: bytes = field(repr=False)
    unlogged: bytes = field(repr=False)
    sent_envelopes: int
    seen_envelopes: int
    next_command: int
    max_frame_bytes: int
    version: str
    backend_name: str
    prog_id: str
    class_id: str
    heartbeats: int
    last_heartbeat: bytes = field(repr=False)
    late_replies: int
    unknown_replies: int
    suppressed_lines: int
    last_lines: tuple[str, ...] = field(repr=False)

    @property
    def pipes(self) -> tuple[int, int, int]:
        """All three descriptors."""
        return self.stdin, self.stdout, self.stderr
