"""What the gateway tells of at its start, because somebody should know or do something."""

from __future__ import annotations

from mxgateway_protocol.clock import Clock
from mxgateway_server import open_files, wiring
from mxgateway_server.access.store import KeyStore
from mxgateway_server.config.settings import Settings
from mxgateway_server.logs import get_logger
from mxgateway_server.open_files import ConnectionRoom
from mxgateway_worker.backends import SIMULATED

logger = get_logger(__name__)

MAX_TOLD_KEYS = 20
CLOCK_TOLERANCE_SECONDS = 300


async def tell_of_newer_scopes(store: KeyStore) -> None:
    """Keys whose scopes were chosen when one of them could do more."""
    lacking = [key.key_id for key in await store.list_keys() if key.revoked_ns is None and key.newer_scopes]
    if lacking:
        logger.warning(
            "keys_lack_a_newer_scope",
            scope="invoke:supervisory",
            keys=lacking[:MAX_TOLD_KEYS],
            count=len(lacking),
            meaning="AdviseSupervisory was part of invoke:read, and is refused to these keys now",
            remedy="mxgateway apikey change --scopes, with it or without, ends this note",
        )


async def tell_of_clock(store: KeyStore, clock: Clock) -> None:
    """A clock that was set back: what had expired is valid again."""
    back = (await store.audit.newest_ns() - clock.unix_ns()) / 1e9
    if back > CLOCK_TOLERANCE_SECONDS:
        logger.warning(
            "clock_was_set_back",
            seconds=round(back),
            meaning="the audit has records that are younger than now: keys that had expired are valid again",
            remedy="set this machine's clock right, and look at mxgateway audit query",
        )


def tell_of_simulation(backend: str, galaxy: str) -> None:
    """Values that nobody should take for a plant's."""
    if backend in SIMULATED:
        logger.warning(
            "values_are_simulated", backend=backend, galaxy=galaxy, remedy="set worker.backend = com for a plant"
        )


def connection_room(settings: Settings) -> ConnectionRoom:
    """How many connections there may be; that they are fewer than asked for is told."""
    files = open_files.limit()
    room = wiring.connection_room(settings, files)
    if room.is_cut:
        logger.warning(
            "open_files_are_few",
            open_files=files,
            connections=room.kept,
            wanted=settings.protocol.max_connections,
            remedy="raise the limit of open files (ulimit -Hn, LimitNOFILE), or lower sessions.max_sessions",
        )
    return room
