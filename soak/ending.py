"""Why a soak ended before its time: what was seen of its processes, and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mxgateway_server.workers.exits import exit_text

_MOST_ERRORS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What was seen a moment after something failed.

    Attributes:
        errors: what failed, each in a line.
        gateway_code: the gateway's exit code; None while it runs.
        worker_runs: whether the process of the soaked session's worker is there.
        prefix_code: exit code of our own program in the same Wine prefix; None while it runs, and without Wine.
        killed_for_memory: processes that the kernel has killed on this machine since the beginning.
        figures: of the machine, for the report.
        log: the gateway's last lines, which hold its workers'.
    """

    errors: tuple[str, ...]
    gateway_code: int | None
    worker_runs: bool
    prefix_code: int | None
    killed_for_memory: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    log: tuple[str, ...] = ()


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The failures themselves, out of however many groups."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    else:
        yield error


def told(error: BaseException) -> tuple[str, ...]:
    """Every failure in a line, and what was noted with it."""
    lines = [f"{type(one).__name__}: {one}" for one in leaves(error)]
    lines += getattr(error, "__notes__", [])
    return tuple(dict.fromkeys(lines))[:_MOST_ERRORS]


def cause(seen: Circumstances) -> str:
    """What ended it, as far as the processes tell."""
    if seen.gateway_code is not None:
        text = f"the gateway ended ({exit_text(seen.gateway_code)})"
    elif not seen.worker_runs and seen.prefix_code is not None:
        text = (
            f"all of the Wine prefix ended at once, the worker and our own program there (exit code "
            f"{seen.prefix_code}): its wineserver went, by itself or because another run ended the prefix"
        )
    elif not seen.worker_runs:
        text = "the worker of the soaked session ended; its last lines stand in the gateway's log"
    elif seen.prefix_code is not None:
        text = f"the program that counts handles ended (exit code {seen.prefix_code}), and the worker did not"
    else:
        text = "the load failed, and every process of the soak still runs"
    if seen.killed_for_memory:
        text += f"; the kernel has killed {seen.killed_for_memory} processes for want of memory meanwhile"
    return text


def obituary(seen: Circumstances, after_seconds: float) -> dict[str, Any]:
    """For the report."""
    return {
        "afterSeconds": round(after_seconds, 1),
        "cause": cause(seen),
        "errors": list(seen.errors),
        "gateway": "runs" if seen.gateway_code is None else exit_text(seen.gateway_code),
        "worker": "runs" if seen.worker_runs else "gone",
        "machine": seen.figures,
        "gatewayLog": list(seen.log),
    }
