"""This machine, for `doctor` and `worker provision`; on other systems only what files and programs can tell."""

from __future__ import annotations

import ctypes
import importlib
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mxgateway_contract.windows_files import file_version
from mxgateway_contract.windows_rights import others
from mxgateway_server.node.facts import FileFacts, Registration, Run
from mxgateway_server.node.programs import HEAD_BYTES
from mxgateway_server.workers.environment import worker_environment

_windows: Any = ctypes


class ThisMachine:
    """A Node."""

    @property
    def is_windows(self) -> bool:
        return sys.platform == "win32"

    @property
    def bits(self) -> int:
        return struct.calcsize("P") * 8

    @property
    def account(self) -> str:
        domain, name = os.environ.get("USERDOMAIN", ""), os.environ.get("USERNAME", "")
        return f"{domain}\\{name}" if domain and name else name

    def file(self, path: str) -> FileFacts:
        try:
            size = os.stat(path).st_size
        except FileNotFoundError:
            return FileFacts()
        except OSError as error:
            return FileFacts(size=0, problem=error.strerror or str(error))
        try:
            with open(path, "rb") as file:
                head = file.read(HEAD_BYTES)
        except OSError as error:
            # An app-execution alias is there, has no bytes, and cannot be opened.
            return FileFacts(size=size, problem="" if size == 0 else error.strerror or str(error))
        return FileFacts(head, size, version=file_version(path) if self.is_windows else "")

    def registration(self, class_id: str, bits: int) -> Registration | None:
        winreg: Any = importlib.import_module("winreg")
        view = winreg.KEY_WOW64_32KEY if bits == 32 else winreg.KEY_WOW64_64KEY
        path = f"SOFTWARE\\Classes\\CLSID\\{class_id}\\InprocServer32"
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | view) as key:
                server = str(winreg.QueryValueEx(key, "")[0])
                try:
                    model = str(winreg.QueryValueEx(key, "ThreadingModel")[0])
                except OSError:
                    model = ""
        except OSError:
            return None
        return Registration(os.path.expandvars(server.strip('"')), model)

    def run(self, program: str, *arguments: str, variables: dict[str, str], seconds: float) -> Run:
        environment = worker_environment(
            os.environ, is_windows=self.is_windows, is_other_interpreter=True, additional=variables
        )
        try:
            done = subprocess.run(  # noqa: S603 — the settings' own program
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return Run(None, problem=f"no end within {seconds:g} s")
        except OSError as error:
            return Run(None, problem=error.strerror or str(error))
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return Run(done.returncode, done.stdout.decode("utf-8", "replace"), lines[-1] if lines else "")

    def others_may_read(self, directory: str) -> list[str]:
        return others(directory)

    def pythons(self) -> Iterator[str]:
        """Interpreters that installers of CPython have registered, in both views of the registry."""
        if not self.is_windows:
            return
        winreg: Any = importlib.import_module("winreg")
        for root in (winreg.HKEY_CURRENT_USER, winreg.HKEY_LOCAL_MACHINE):
            for view in (winreg.KEY_WOW64_32KEY, winreg.KEY_WOW64_64KEY):
                yield from _registered_pythons(winreg, root, view)


def _registered_pythons(winreg: Any, root: Any, view: int) -> Iterator[str]:
    access = winreg.KEY_READ | view
    try:
        core = winreg.OpenKey(root, "SOFTWARE\\Python\\PythonCore", 0, access)
    except OSError:
        return
    with core:
        for place in range(winreg.QueryInfoKey(core)[0]):
            version = winreg.EnumKey(core, place)
            try:
                with winreg.OpenKey(core, f"{version}\\InstallPath", 0, access) as key:
                    folder = str(winreg.QueryValueEx(key, "")[0])
            except OSError:
                continue
            yield str(Path(folder) / "python.exe")
