"""The SQL Server drivers that the tests run through the TDS endpoint."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest

DRIVERS = {"pytds": "pytds", "pymssql": "pymssql", "pyodbc": "pyodbc", "mssqlpython": "mssql_python"}
"""SQLAlchemy's name of a driver → its module."""

_MISSING = {
    "pyodbc": "install the packages unixodbc and tdsodbc",
    "mssqlpython": "install the packages libltdl7 and libgssapi-krb5-2",
}


def need_driver(name: str) -> ModuleType:
    """The driver's module; skips the test where the driver or its system libraries are missing, but fails it in CI."""
    try:
        module = importlib.import_module(DRIVERS[name])
        if name == "pyodbc" and "FreeTDS" not in module.drivers():
            raise ImportError("the ODBC driver FreeTDS is not registered")
    except ImportError as error:
        reason = f"{name} cannot be used: {error}; {_MISSING.get(name, 'make dev')}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return module
