"""What this program says when the one that runs asks whether it could take over. It changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mxgateway_contract.redaction import redact
from mxgateway_server import places
from mxgateway_server.access.probe import probe_store
from mxgateway_server.config.settings import Settings
from mxgateway_server.config.sources import check, read_sources
from mxgateway_server.errors import ConfigurationError, GatewayError
from mxgateway_server.logs import configure
from mxgateway_server.preflight import look
from mxgateway_server.upgrade.judging import own_answer


def self_check(config_file: Path | None, flags: Mapping[str, Any]) -> str:
    """One line of JSON: what the two programs must have in common, and what would stop a start."""
    configure("error")
    try:
        settings, problems = check(read_sources(config_file, flags))
    except ConfigurationError as error:
        return own_answer((redact(str(error)),))
    found = [str(each) for each in problems]
    if not found:
        found = [each.text for each in look(settings).findings]
        found += asyncio.run(_store(settings))
    return own_answer(tuple(redact(each) for each in found))


async def _store(settings: Settings) -> list[str]:
    try:
        await probe_store(places.key_store(settings), migrates=settings.authentication.run_migrations_on_startup)
    except GatewayError as error:
        return [str(error)]
    return []
