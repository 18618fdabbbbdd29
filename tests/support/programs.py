"""Programs of other packages that a test runs: skipped where they are missing, and a failure in CI."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def installed(program: str, package: str) -> str:
    """The path of a program.

    Args:
        program: its name.
        package: the Debian package that has it, for whoever lacks it.
    """
    found = shutil.which(program)
    if found is None:
        lacking(f"{program} is not on this machine; it is in the package {package}")
    return found


def lacking(reason: str) -> NoReturn:
    """Ends a test for which this machine lacks something."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
