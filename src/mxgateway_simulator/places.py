"""Where the files of a simulated Galaxy stand."""

from __future__ import annotations

from pathlib import Path

SHIPPED = ("reference", "plant", "secured", "alarms")
"""Galaxies that come with the package."""


def board_path(galaxy: Path) -> Path:
    """A Galaxy's board unless told otherwise: NAME.board.db beside NAME.db."""
    return galaxy.with_name(f"{galaxy.stem}.board.db")
