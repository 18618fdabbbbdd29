"""What a browser loads first: the shell, which holds no data, and the files of the bundle."""

from __future__ import annotations

import gzip
import json
import mimetypes
from importlib import resources

from starlette.responses import Response

from mxgateway_server.dashboard.calls import NO_STORE, Call, not_found
from mxgateway_server.errors import ConfigurationError

PAGES = (
    "/",
    "/login",
    "/login/oidc",
    "/sessions",
    "/sessions/{session_id}",
    "/streams",
    "/alarms",
    "/galaxy",
    "/keys",
    "/audit",
    "/logs",
    "/settings",
    "/about",
)
"""Addresses that lead to the shell; which page it is the script finds out."""

_FOREVER = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
_PACKED = _FOREVER | {"content-encoding": "gzip"}

_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>mxaccess-gateway</title>
<link rel="icon" href="/static/{icon}" type="image/svg+xml">
<link rel="stylesheet" href="/static/{style}">
<script type="module" src="/static/{script}"></script>
</head>
<body>
<div id="app"><p class="boot">Loading the dashboard …</p></div>
<noscript><p class="boot">The dashboard needs JavaScript, which this browser has switched off. Without it,
<code>mxgateway doctor</code> and <code>/health/ready</code> tell how the gateway is doing.</p></noscript>
</body>
</html>
"""


class Pages:
    """The shell and the files, read once.

    Raises:
        ConfigurationError: files of the bundle are missing.
    """

    def __init__(self) -> None:
        folder = resources.files("mxgateway_server.dashboard") / "static"
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            self._files = {name: (folder / name).read_bytes() for name in manifest["files"]}
        except OSError as error:
            raise ConfigurationError(
                f"the dashboard's files are not complete ({error}); install the package anew, or set "
                "dashboard.enabled = false"
            ) from None
        # Once for all: a third of the bytes, which is what a slow line waits for.
        self._packed = {name: gzip.compress(content, mtime=0) for name, content in self._files.items()}
        self._shell = _SHELL.format(**manifest["entry"]).encode()

    async def shell(self, _: Call) -> Response:
        """The page without data: everybody gets the same."""
        return Response(self._shell, 200, NO_STORE, "text/html")

    async def file(self, call: Call) -> Response:
        """A file of the bundle; its name changes with its contents."""
        name = call.path("name")
        content = self._files.get(name)
        if content is None:
            raise not_found()
        kind = mimetypes.guess_type(name)[0] or "text/plain"
        if takes_gzip(call.request.headers.get("accept-encoding", "")):
            return Response(self._packed[name], 200, _PACKED, kind)
        return Response(content, 200, _FOREVER, kind)


def takes_gzip(header: str) -> bool:
    """Whether whoever sent this Accept-Encoding takes what is packed with gzip."""
    for each in header.split(","):
        coding, _, weight = each.partition(";")
        if coding.strip().lower() == "gzip":
            return weight.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
