"""Telling that values are a simulator's: on stderr, once for a command, once for all lines of a batch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TextIO

import click

SIMULATED = "the values are SIMULATED: this gateway works with a simulator, not with a plant"


@dataclass(slots=True)
class _Batch:
    stream: TextIO
    is_told: bool = False


_batch: ContextVar[_Batch | None] = ContextVar("batch", default=None)


@contextmanager
def told_once() -> Iterator[None]:
    """Within it, it is told once, and on what is stderr now: lines of a batch take theirs for the text of a failure."""
    token = _batch.set(_Batch(sys.stderr))
    try:
        yield
    finally:
        _batch.reset(token)


def tell_simulated(is_simulated: bool) -> None:
    """Tells it of a session that says so."""
    batch = _batch.get()
    if not is_simulated or (batch is not None and batch.is_told):
        return
    if batch is not None:
        batch.is_told = True
    click.echo(SIMULATED, file=sys.stderr if batch is None else batch.stream)
