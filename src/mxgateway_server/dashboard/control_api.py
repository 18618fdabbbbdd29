"""What administrators ask of the gateway itself: its settings anew, another level of the log, a bundle for a helper."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from mxgateway_server import __version__
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.config.settings import Settings, setting_names
from mxgateway_server.config.shown import shown
from mxgateway_server.dashboard.calls import NO_STORE, Call, ProblemError, data
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.node.bundle import Bundle, packages, running_parts, system

LEVEL_SECONDS = 900.0
MAX_LEVEL_SECONDS = 86_400.0

Actions = Mapping[str, Callable[[dict[str, Any]], Any]]
"""What the gateway can be asked, by name; it notes in the audit what it does."""


class ControlRoutes:
    """The routes by which the gateway is asked to do something with itself.

    Args:
        settings: tells those that are in force.
        actions: `reload`, `log-level` and `diagnose`, as over the control socket.
        origin: where the setting of a dotted name comes from; empty for a default.
    """

    def __init__(
        self, settings: Callable[[], Settings], origin: Callable[[str], str], actions: Actions, audit: AuditLog
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._actions = actions
        self._audit = audit
        self._bundling = asyncio.Lock()

    async def reload(self, _: Call) -> Response:
        """Takes what has changed in the settings, or nothing, and names what needs a restart."""
        self._require_audit()
        try:
            return data(await self._actions["reload"]({}))
        except ConfigurationError as error:
            raise ProblemError(
                409, "SETTINGS", f"nothing was changed: {error}", "mxgateway check-config tells more"
            ) from None

    async def level(self, call: Call) -> Response:
        """Another level of the log for a while, after which it is again what the settings say."""
        self._require_audit()
        seconds = call.body.get("seconds", LEVEL_SECONDS)
        return data(await self._actions["log-level"]({"level": call.body.get("level"), "seconds": seconds}))

    async def diagnostics(self, call: Call) -> Response:
        """The bundle of `mxgateway diagnostics`, one at a time; who takes it is recorded."""
        self._require_audit()
        if self._bundling.locked():
            raise ProblemError(429, "BUSY", "a bundle is being made already; try again", retry_after=5.0)
        has_names = call.query("names") == "1"
        async with self._bundling:
            found = await self._actions["diagnose"]({})
            content = await asyncio.to_thread(self._bundle, found, has_names)
        self._audit.add(
            AuditRecord(
                event="dashboard.diagnostics",
                key_id=call.who.key_id,
                remote_address=call.address,
                correlation_id=call.correlation_id,
                outcome="ok",
                details={"role": call.role.word, "bytes": len(content), "names": has_names},
            )
        )
        name = f"mxgateway-diagnostics-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.zip"
        headers = {**NO_STORE, "content-disposition": f'attachment; filename="{name}"'}
        return Response(content, 200, headers, "application/zip")

    def _bundle(self, found: dict[str, Any], has_names: bool) -> bytes:
        bundle = Bundle()
        bundle.add("about.json", lambda: {"version": __version__, "from": "dashboard"})
        bundle.add("system.json", system)
        bundle.add("packages.txt", packages)
        origins = {name: self._origin(name) or "default" for name in setting_names()}
        bundle.add("config.json", lambda: {"settings": shown(self._settings()), "origins": origins})
        running_parts(bundle, found, include_names=has_names)
        return bundle.packed()

    def _require_audit(self) -> None:
        if not self._audit.has_room:
            raise ProblemError(
                503,
                "AUDIT_UNAVAILABLE",
                "the audit cannot be written, so nothing is done that would have to be in it",
                "look at the audit check on the overview",
                retry_after=5.0,
            )
