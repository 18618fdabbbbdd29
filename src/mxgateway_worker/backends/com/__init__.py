"""MXAccess itself: the COM object `LMXProxy.LMXProxyServer`, owned by a single-threaded apartment.

Everything that decodes or decides imports anywhere and is tested there; only `windows` and what it loads touch COM.
"""

from mxgateway_worker.backends.com.backend import ComBackend, create_backend

__all__ = ["ComBackend", "create_backend"]
