"""The log's last records, as they are kept in memory: without secrets, since these never get there."""

from __future__ import annotations

from starlette.responses import Response

from mxgateway_server import logs
from mxgateway_server.dashboard.calls import Call, data

MAX_TOGETHER = 500
_MAX_NUMBER = 2**62


class LogRoutes:
    """The route `/logs`."""

    async def listed(self, call: Call) -> Response:
        """Records after a number, the youngest of them; `skipped` says how many more there were."""
        after = call.number("after", 0, at_most=_MAX_NUMBER)
        ring = logs.recent
        newest = ring.newest
        records = ring.after(after, MAX_TOGETHER)
        skipped = max(0, records[0].number - after - 1) if after and records else 0
        shown = [
            {
                "n": each.number,
                "level": each.level,
                "event": each.event,
                "at": str(each.facts.get("timestamp", "")),
                "logger": str(each.facts.get("logger", "")),
                "facts": {name: _text(value) for name, value in each.facts.items() if name not in _TOLD},
            }
            for each in records
        ]
        return data({"records": shown, "newest": newest, "skipped": skipped})


_TOLD = ("timestamp", "logger", "_record", "_from_structlog")


def _text(value: object) -> str:
    return str(value)[:2000]
