"""OPC quality words and MXSTATUS_PROXY: what counts as good, and what counts as a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_MAJOR = 0xC0
_UNCERTAIN = 0x40

# Numbers of MxStatusCategory, written out so that this module needs no generated code to load.
_UNSPECIFIED = 0
_NOT_AN_ERROR = (1, 2, 3, 4)  # unknown, OK, pending, warning

_NAMES = {
    0: "Bad",
    4: "BadConfigurationError",
    8: "BadNotConnected",
    12: "BadDeviceFailure",
    16: "BadSensorFailure",
    20: "BadLastKnownValue",
    24: "BadCommunicationFailure",
    28: "BadOutOfService",
    32: "Initializing",
    64: "Uncertain",
    68: "UncertainLastUsableValue",
    80: "UncertainSensorNotAccurate",
    84: "UncertainEngineeringUnitsExceeded",
    88: "UncertainSubNormal",
    192: "Good",
    216: "GoodLocalOverride",
}


def is_good(quality: int) -> bool:
    """Whether an OPC quality word is good (major bits 11, for example 192)."""
    return quality & _MAJOR == _MAJOR


def is_uncertain(quality: int) -> bool:
    """Whether an OPC quality word is uncertain (major bits 01, for example 64)."""
    return quality & _MAJOR == _UNCERTAIN


def is_bad(quality: int) -> bool:
    """Whether an OPC quality word is bad (major bits 00); "initializing" (32) is among them, as in OPC."""
    return quality & _MAJOR == 0


def quality_name(quality: int) -> str:
    """The quality in words, for example `Good` for 192; limit bits are left out, an unknown one takes its major."""
    word = quality & 0xFC
    if word in _NAMES:
        return _NAMES[word]
    return "Good" if is_good(quality) else "Uncertain" if is_uncertain(quality) else "Bad"


def is_status_failure(status: pb.MxStatusProxy) -> bool:
    """Whether an MXSTATUS_PROXY says that the operation failed.

    A status that nobody filled (success 0 and category unspecified) says nothing and is no failure. Otherwise it is a
    failure when success is 0 or when the category is one of the errors; pending and warning are none.
    """
    if status.category == _UNSPECIFIED:
        return False
    return status.success == 0 or status.category not in _NOT_AN_ERROR
