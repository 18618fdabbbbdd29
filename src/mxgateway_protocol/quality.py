"""OPC quality words as MXAccess delivers them (OPC DA codes; the upper word may carry flags and is kept)."""

from __future__ import annotations

BAD = 0
BAD_CONFIGURATION_ERROR = 4
BAD_NOT_CONNECTED = 8
BAD_DEVICE_FAILURE = 12
BAD_LAST_KNOWN_VALUE = 20
BAD_COMMUNICATION_FAILURE = 24
BAD_OUT_OF_SERVICE = 28
INITIALIZING = 32
"""Waiting for initial data: the Galaxy's fourth state beside good, uncertain and bad."""
UNCERTAIN = 64
GOOD = 192
GOOD_LOCAL_OVERRIDE = 216

_MAJOR = 0xC0


def is_good(quality: int) -> bool:
    return quality & _MAJOR == _MAJOR


def is_uncertain(quality: int) -> bool:
    return quality & _MAJOR == UNCERTAIN


def is_bad(quality: int) -> bool:
    """Bad includes "initializing", as in OPC."""
    return quality & _MAJOR == 0
