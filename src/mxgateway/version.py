"""The version of the installed distribution."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mxaccess-gateway")
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0+unknown"
