"""Processes that may end at any moment: what is asked of one that has ended meanwhile is no error."""

from __future__ import annotations

import psutil


def lives(process: psutil.Process) -> bool:
    """Whether it is there, and more than an entry that its parent has not fetched yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_left(process: psutil.Process) -> bool:
    """Whether it has ended, and nobody has fetched its exit status."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def command_line(process: psutil.Process) -> str:
    """Its arguments with blanks between; empty for one that is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
