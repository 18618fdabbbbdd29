"""OPC quality words as MXAccess delivers them (OPC DA codes; the upper word may carry flags and is kept)."""

from __future__ import annotations

BAD = 0
BAD_CONFIGURATION_ERROR = 4
BAD_NOT_CONNECTED = 8
BAD_DEVICE_FAILURE = 12
BAD_SENSOR_FAILURE = 16
BAD_LAST_KNOWN_VALUE = 20
BAD_COMMUNICATION_FAILURE = 24
BAD_OUT_OF_SERVICE = 28
INITIALIZING = 32
"""Waiting for initial data: the Galaxy's fourth state beside good, uncertain and bad."""
UNCERTAIN = 64
GOOD = 192
GOOD_LOCAL_OVERRIDE = 216

_MAJOR = 0xC0

_NAMES = {
    BAD: "Bad",
    BAD_CONFIGURATION_ERROR: "BadConfigurationError",
    BAD_NOT_CONNECTED: "BadNotConnected",
    BAD_DEVICE_FAILURE: "BadDeviceFailure",
    BAD_SENSOR_FAILURE: "BadSensorFailure",
    BAD_LAST_KNOWN_VALUE: "BadLastKnownValue",
    BAD_COMMUNICATION_FAILURE: "BadCommunicationFailure",
    BAD_OUT_OF_SERVICE: "BadOutOfService",
    INITIALIZING: "Initializing",
    UNCERTAIN: "Uncertain",
    68: "UncertainLastUsableValue",
    80: "UncertainSensorNotAccurate",
    84: "UncertainEngineeringUnitsExceeded",
    88: "UncertainSubNormal",
    GOOD: "Good",
    GOOD_LOCAL_OVERRIDE: "GoodLocalOverride",
}


def is_good(quality: int) -> bool:
    """Whether an OPC quality word is good (major bits 11, for example 192)."""
    return quality & _MAJOR == _MAJOR


def is_uncertain(quality: int) -> bool:
    """Whether an OPC quality word is uncertain (major bits 01, for example 64)."""
    return quality & _MAJOR == UNCERTAIN


def is_bad(quality: int) -> bool:
    """Whether an OPC quality word is bad (major bits 00); "initializing" (32) is among them, as in OPC."""
    return quality & _MAJOR == 0


def quality_name(quality: int) -> str:
    """The quality in words, for example `Good` for 192; limit bits are left out, an unknown one takes its major."""
    word = quality & 0xFC
    if word in _NAMES:
        return _NAMES[word]
    return "Good" if is_good(quality) else "Uncertain" if is_uncertain(quality) else "Bad"
