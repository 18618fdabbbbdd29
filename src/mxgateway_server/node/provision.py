"""`mxgateway worker provision`: a 32-bit Python for COM workers, with what they import laid beside it.

The packages are laid by the gateway's own pip, for the other processor, so the 32-bit Python needs none; the worker's
own code is copied out of the gateway, so both are of one version. All is made under a new name and put in place whole.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.node.doctor import ABOUT_PYTHON, OLDEST_PYTHON, end_text
from mxgateway_server.node.facts import Node
from mxgateway_server.node.programs import program_of

WORKER_PACKAGES = ("mxgateway_contract", "mxgateway_protocol", "mxgateway_simulator", "mxgateway_worker")
REQUIREMENTS = ("protobuf>=6.33.5,<8",)
NOTE = "worker32.json"
_ANOTHER = "name a 32-bit Python 3.11 or newer"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What was made, as the settings want it.

    Attributes:
        com_python: the interpreter.
        com_packages: its packages; empty when the interpreter finds them itself (an embeddable one).
        version: of that Python.
    """

    com_python: str
    com_packages: str
    version: str

    def settings(self) -> str:
        """The lines of the settings file."""
        lines = ["[worker]", 'backend = "com"', f"com_python = {_toml(self.com_python)}"]
        if self.com_packages:
            lines.append(f"com_packages = {_toml(self.com_packages)}")
        return "\n".join(lines)


Pip = Callable[[Sequence[str]], None]
"""Runs pip with these arguments; raises ConfigurationError with its last line when it fails."""


def choose(node: Node, given: str, registered: Iterable[str]) -> str:
    """The interpreter to use: the given one, or the first registered one that will do.

    Raises:
        ConfigurationError: what is wrong with the given one, or that there is none, and the remedy.
    """
    if not node.is_windows:
        raise ConfigurationError(
            "this machine is not Windows, so MXAccess cannot be here; run this on the System Platform node"
        )
    if given:
        problem = unsuitable(node, given)
        if problem:
            raise ConfigurationError(f"--python {given}: {problem}")
        return given
    refused = []
    for path in dict.fromkeys(registered):
        problem = unsuitable(node, path)
        if not problem:
            return path
        refused.append(f"{path}: {problem}")
    looked = "; ".join(refused) or "no Python is registered on this machine"
    raise ConfigurationError(
        f"no 32-bit Python was found ({looked}). Install Python 3.13 with the 32-bit installer (Windows x86), or give "
        "the embeddable zip for Windows x86 with --embeddable"
    )


def unsuitable(node: Node, path: str) -> str:
    """Why an interpreter cannot run COM workers, and what to do; empty when it can."""
    file = node.file(path)
    if not file.is_there:
        return "there is no such file; correct the path"
    if file.problem:
        return f"it cannot be read ({file.problem}); give this account the right to read it"
    program = program_of(file.head, file.size)
    if program.bits != 32:
        return f"it is {program.text}, and LMXProxy needs a 32-bit program; {_ANOTHER}"
    version = version_of(node, path)
    if isinstance(version, str):
        return f"it does not run ({version}); repair it, or {_ANOTHER}"
    if version < OLDEST_PYTHON:
        return f"Python {version[0]}.{version[1]} is older than 3.11; {_ANOTHER}"
    return ""


def version_of(node: Node, path: str) -> tuple[int, int] | str:
    """Major and minor version of an interpreter, or why it does not run."""
    run = node.run(path, "-s", "-c", ABOUT_PYTHON, variables={}, seconds=30)
    if run.code != 0:
        return run.problem or end_text(run.code)
    try:
        told = json.loads(run.output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return "it does not answer as a Python does"
    return int(told["version"][0]), int(told["version"][1])


def unpack_embeddable(archive: Path, target: Path) -> str:
    """Unpacks python.org's embeddable Python, and lets it find the packages beside it.

    Returns:
        Its python.exe.

    Raises:
        ConfigurationError: the file is no such archive.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            names = packed.namelist()
            if "python.exe" not in names or not any(name.endswith("._pth") for name in names):
                raise ConfigurationError(
                    f"--embeddable {archive}: no embeddable Python (it lacks python.exe or its ._pth file)"
                )
            packed.extractall(target)
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"--embeddable {archive}: cannot be unpacked: {error}") from error
    (paths,) = target.glob("*._pth")
    # With such a file PYTHONPATH is not looked at, so the packages are named here.
    paths.write_text(f"{paths.read_text(encoding='utf-8').rstrip()}\n..\\packages\n", encoding="utf-8")
    return str(target / "python.exe")


def lay_packages(target: Path, version: tuple[int, int], wheels: str, pip: Pip) -> None:
    """The worker's packages in a folder, whole or not at all.

    Args:
        version: of the Python that will import them.
        wheels: folder to take wheels from, for a machine without a network; empty for the index.
    """
    new = target.with_name(f"{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    source = ["--no-index", "--find-links", wheels] if wheels else []
    platform = ["--platform", "win32", "--implementation", "cp", "--python-version", f"{version[0]}.{version[1]}"]
    pip(["install", "--quiet", "--target", str(new), "--only-binary=:all:", *platform, *source, *REQUIREMENTS])
    for name in WORKER_PACKAGES:
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.submodule_search_locations is not None
        shutil.copytree(
            next(iter(found.submodule_search_locations)), new / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    put_in_place(new, target)


def put_in_place(new: Path, target: Path) -> None:
    """A finished folder in the place of the one before it, or nothing at all.

    Raises:
        ConfigurationError: Windows renames no folder of which a program has a file open.
    """
    old = target.with_name(f"{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        try:
            target.rename(old)
        except PermissionError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise ConfigurationError(
                f"{target} cannot be replaced ({error.strerror}): workers that run on it hold it, or this account may "
                "not change it. Stop the gateway, and run this as an administrator"
            ) from error
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def provision(
    node: Node, target: Path, *, python: str, embeddable: Path | None, wheels: str, registered: Iterable[str], pip: Pip
) -> Provisioned:
    """Makes all of it, tries it, and notes what was made in the target.

    Raises:
        ConfigurationError: the step that failed, and the remedy.
    """
    packages = target / "packages"
    if embeddable is not None:
        home = target / "python"
        new = target / "python.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        problem = unsuitable(node, unpack_embeddable(embeddable, new))
        if problem:
            shutil.rmtree(new, ignore_errors=True)
            raise ConfigurationError(f"--embeddable {embeddable}: {problem}")
        put_in_place(new, home)
        python = str(home / "python.exe")
    else:
        python = choose(node, python, registered)
    version = version_of(node, python)
    assert not isinstance(version, str)
    lay_packages(packages, version, wheels, pip)
    made = Provisioned(python, "" if embeddable is not None else str(packages), f"{version[0]}.{version[1]}")
    variables = {"PYTHONPATH": made.com_packages} if made.com_packages else {}
    run = node.run(python, "-s", "-c", ABOUT_PYTHON, variables=variables, seconds=60)
    if run.code != 0 or '"worker"' not in run.output:
        raise ConfigurationError(
            f"{python} does not find the worker in {packages}: {run.problem or run.output.strip()}"
        )
    note = {"comPython": made.com_python, "comPackages": made.com_packages, "pythonVersion": made.version}
    (target / NOTE).write_text(json.dumps(note, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return made


def _toml(text: str) -> str:
    """A path as TOML has it: literal quotes keep backslashes."""
    return f"'{text}'" if "'" not in text else json.dumps(text)
