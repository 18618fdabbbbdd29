"""Which DLL holds a class, and its version: what support asks first."""

from __future__ import annotations

import importlib
from typing import Any

from mxgateway_contract.windows_files import file_version
from mxgateway_worker.backends.com.ports import ServerFile


def server_file(class_id: str) -> ServerFile:
    """The registered DLL of a class; empty where Windows does not tell."""
    winreg: Any = importlib.import_module("winreg")
    try:
        with winreg.OpenKey(winreg.HKEY_CLASSES_ROOT, f"CLSID\\{class_id}\\InprocServer32") as key:
            path = str(winreg.QueryValueEx(key, "")[0])
    except OSError:
        return ServerFile()
    return ServerFile(path, file_version(path))
