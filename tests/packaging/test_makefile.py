"""`make` where the system's Python is incomplete: what failed once works once the system is mended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.code_blocks import ROOT

pytestmark = [
    pytest.mark.skipif(shutil.which("make") is None, reason="there is no make"),
    pytest.mark.skipif(os.name != "posix", reason="the Makefile is for POSIX"),
]

# As Debian's without the package python3-venv: leaves a Python behind, and fails.
WITHOUT_ENSUREPIP = """#!/bin/sh
if [ "$1" = -m ] && [ "$2" = venv ]; then
    for folder; do :; done
    mkdir -p "$folder/bin" && ln -sf /bin/true "$folder/bin/python"
    echo "ensurepip is not available; install the python3-venv package" >&2
    exit 1
fi
exec {python} "$@"
"""
# Makes what the Makefile looks for, and installs nothing.
MENDED = """#!/bin/sh
if [ "$1" = -m ] && [ "$2" = venv ]; then
    for folder; do :; done
    mkdir -p "$folder/bin"
    for program in pip python; do ln -sf /bin/true "$folder/bin/$program"; done
    exit 0
fi
exec {python} "$@"
"""


def make(folder: Path, python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    stand_in = folder / "python-stand-in"
    stand_in.write_text(python.format(python=sys.executable), encoding="utf-8")
    stand_in.chmod(0o755)
    return subprocess.run(
        ["make", f"PYTHON={stand_in}", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("folder", [".venv", ".venv-docs"])
def test_an_environment_that_could_not_be_made_is_made_by_the_next_try(tmp_path: Path, folder: str) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "docs-requirements.txt", tmp_path / "tools")
    target = ".venv/.dev-installed" if folder == ".venv" else ".venv/.docs-installed"
    first = make(tmp_path, WITHOUT_ENSUREPIP, target)
    assert first.returncode != 0
    assert "python3-venv" in first.stderr
    assert not (tmp_path / folder / "bin").exists(), "nothing half made is left"
    second = make(tmp_path, MENDED, target)
    assert second.returncode == 0, second.stderr
    assert (tmp_path / target).exists()


def test_every_target_of_the_help_is_one(tmp_path: Path) -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert {"demo", "test", "docs", "docs-serve"} <= {line.split()[0] for line in shown.splitlines()}
