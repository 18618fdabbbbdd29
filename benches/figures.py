"""Percentiles and the facts of the machine that figures belong to."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata

import psutil


def percentile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the two nearest ranks; 0 for no samples."""
    if not ordered:
        return 0.0
    position = (len(ordered) - 1) * share
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def latency_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99, max and mean in milliseconds."""
    ordered = sorted(seconds)
    mean = sum(ordered) / len(ordered) if ordered else 0.0
    figures = {"p50": percentile(ordered, 0.5), "p95": percentile(ordered, 0.95), "p99": percentile(ordered, 0.99)}
    figures |= {"max": ordered[-1] if ordered else 0.0, "mean": mean}
    return {name: round(value * 1000, 3) for name, value in figures.items()}


def machine() -> dict[str, object]:
    """What a reader needs to compare figures: cores, memory, versions, load before the run."""
    return {
        "cores": os.cpu_count(),
        "memoryGiB": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "loadAverage": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": {name: metadata.version(name) for name in ("grpcio", "protobuf", "mxaccess-gateway")},
    }


def ratio(value: float, floor: float) -> float:
    """value / floor, 0 when there is no floor."""
    return round(value / floor, 3) if floor else 0.0


def tell(text: str) -> None:
    """A line of progress; the figures go to standard output."""
    print(text, file=sys.stderr, flush=True)
