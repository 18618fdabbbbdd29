"""Time zones: this machine's, or one of the IANA database."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from mxgateway_protocol.alarms.times import Offset


def zone_offset(name: str) -> Offset:
    """The offsets of a zone of the IANA database; of this machine's zone for an empty name.

    Raises:
        ValueError: there is no such zone, or no database on this machine.
    """
    if not name:
        return _machine_offset
    if name.upper() in ("UTC", "Z"):
        return lambda local, fold: 0
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"there is no time zone {name!r} on this machine; use a name such as Europe/Berlin, install the package"
            " tzdata, or leave it empty for the machine's own"
        ) from error

    def offset(local: datetime, fold: int) -> int:
        ahead = local.replace(tzinfo=zone, fold=fold).utcoffset()
        return 0 if ahead is None else int(ahead.total_seconds())

    return offset


def _machine_offset(local: datetime, fold: int) -> int:
    moment = local.replace(fold=fold)
    try:
        return round((moment - datetime.fromtimestamp(moment.timestamp(), UTC).replace(tzinfo=None)).total_seconds())
    except (OSError, OverflowError, ValueError):  # Windows knows no local time before 1970
        return -time.timezone
