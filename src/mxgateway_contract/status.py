"""MXSTATUS_PROXY: its native numbers, and their place in the contract.

The contract's enums start at 0 for "unspecified", so a native number n is n + 2 there; the native number travels beside
it in `raw_category` and `raw_detected_by`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_WIRE_OFFSET = 2


class Category(IntEnum):
    """MxStatusCategory as COM numbers it."""

    UNKNOWN = -1
    OK = 0
    PENDING = 1
    WARNING = 2
    COMMUNICATION_ERROR = 3
    CONFIGURATION_ERROR = 4
    OPERATIONAL_ERROR = 5
    SECURITY_ERROR = 6
    SOFTWARE_ERROR = 7
    OTHER_ERROR = 8


class Source(IntEnum):
    """MxStatusSource as COM numbers it: who detected the status."""

    UNKNOWN = -1
    REQUESTING_LMX = 0
    RESPONDING_LMX = 1
    REQUESTING_NMX = 2
    RESPONDING_NMX = 3
    REQUESTING_AUTOMATION_OBJECT = 4
    RESPONDING_AUTOMATION_OBJECT = 5


class Detail(IntEnum):
    """MxStatusDetail as the product numbers it."""

    SUCCESS = 0
    REQUEST_TIMED_OUT = 1
    PLATFORM_COMMUNICATION_ERROR = 2
    INVALID_PLATFORM_ID = 3
    INVALID_ENGINE_ID = 4
    ENGINE_COMMUNICATION_ERROR = 5
    INVALID_REFERENCE = 6
    NO_GALAXY_REPOSITORY = 7
    INVALID_OBJECT_ID = 8
    OBJECT_SIGNATURE_MISMATCH = 9
    ATTRIBUTE_SIGNATURE_MISMATCH = 10
    RESOLVING_ATTRIBUTE = 11
    RESOLVING_OBJECT = 12
    WRONG_DATA_TYPE = 13
    WRONG_NUMBER_OF_DIMENSIONS = 14
    INVALID_INDEX = 15
    INDEX_OUT_OF_ORDER = 16
    DIMENSION_DOES_NOT_EXIST = 17
    CONVERSION_NOT_SUPPORTED = 18
    UNABLE_TO_CONVERT_STRING = 19
    OVERFLOW = 20
    NMX_VERSION_MISMATCH = 21
    NMX_INVALID_COMMAND = 22
    LMX_VERSION_MISMATCH = 23
    LMX_INVALID_COMMAND = 24
    GALAXY_REPOSITORY_BUSY = 25
    ENGINE_OVERLOADED = 26
    INVALID_PRIMITIVE_ID = 1000
    INVALID_ATTRIBUTE_ID = 1001
    INVALID_PROPERTY_ID = 1002
    INDEX_OUT_OF_RANGE = 1003
    DATA_OUT_OF_RANGE = 1004
    INCORRECT_DATA_TYPE = 1005
    NOT_READABLE = 1006
    NOT_WRITEABLE = 1007
    WRITE_ACCESS_DENIED = 1008
    UNKNOWN_ERROR = 1009
    OBJECT_INITIALIZING = 1010
    ENGINE_INITIALIZING = 1011
    SECURED_WRITE = 1012
    VERIFIED_WRITE = 1013
    NO_ALARM_ACK_PRIVILEGE = 1014
    ALARM_ACKED_ALREADY = 1015
    USER_NOT_HAVING_ACCESS_RIGHTS = 1016
    VERIFIER_NOT_HAVING_VERIFY_RIGHTS = 1017
    AUTOMATION_OBJECT_SPECIFIC_ERROR = 8000


_CATEGORY_WORDS = {int(category): category.name.lower().replace("_", " ") for category in Category if category > 0}

DETAIL_WORDS: dict[int, str] = {int(detail): detail.name.lower().replace("_", " ") for detail in Detail if detail} | {
    Detail.REQUEST_TIMED_OUT: "the request timed out",
    Detail.PLATFORM_COMMUNICATION_ERROR: "no communication with the platform",
    Detail.INVALID_PLATFORM_ID: "no such platform",
    Detail.INVALID_ENGINE_ID: "no such engine",
    Detail.ENGINE_COMMUNICATION_ERROR: "no communication with the engine",
    Detail.INVALID_REFERENCE: "the reference is invalid, or its object is not deployed",
    Detail.NO_GALAXY_REPOSITORY: "the Galaxy repository is not available",
    Detail.INVALID_OBJECT_ID: "no such object",
    Detail.OBJECT_SIGNATURE_MISMATCH: "the object was deployed anew; the reference is being resolved again",
    Detail.ATTRIBUTE_SIGNATURE_MISMATCH: "the attribute was changed by a deployment",
    Detail.RESOLVING_ATTRIBUTE: "the attribute is still being resolved",
    Detail.RESOLVING_OBJECT: "the object is still being resolved",
    Detail.WRONG_DATA_TYPE: "wrong data type",
    Detail.WRONG_NUMBER_OF_DIMENSIONS: "wrong number of dimensions",
    Detail.INVALID_INDEX: "invalid index",
    Detail.CONVERSION_NOT_SUPPORTED: "this conversion is not supported",
    Detail.UNABLE_TO_CONVERT_STRING: "the text cannot be converted",
    Detail.OVERFLOW: "the value is too large for its type",
    Detail.ENGINE_OVERLOADED: "the engine is overloaded",
    Detail.INVALID_ATTRIBUTE_ID: "no such attribute",
    Detail.INVALID_PROPERTY_ID: "no such property",
    Detail.INDEX_OUT_OF_RANGE: "the index is out of range",
    Detail.DATA_OUT_OF_RANGE: "the value is out of range",
    Detail.INCORRECT_DATA_TYPE: "wrong data type",
    Detail.NOT_READABLE: "the attribute cannot be read",
    Detail.NOT_WRITEABLE: "the attribute cannot be written",
    Detail.WRITE_ACCESS_DENIED: "write access denied",
    Detail.UNKNOWN_ERROR: "unknown error",
    Detail.OBJECT_INITIALIZING: "the object is initializing",
    Detail.ENGINE_INITIALIZING: "the engine is initializing",
    Detail.SECURED_WRITE: "needs a secured write, with the operator's credentials",
    Detail.VERIFIED_WRITE: "needs a verified write, with the credentials of operator and verifier",
    Detail.USER_NOT_HAVING_ACCESS_RIGHTS: "the user has no right to write this",
    Detail.VERIFIER_NOT_HAVING_VERIFY_RIGHTS: "the verifier has no right to verify this",
}
"""What each MxStatusDetail means, in words for readers and writers of tags."""


class MxStatus(NamedTuple):
    """One MXSTATUS_PROXY as COM delivers it; `success` is -1 for success and 0 for failure."""

    success: int
    category: int
    detected_by: int
    detail: int

    @property
    def is_success(self) -> bool:
        return self.success != 0

    def describe(self) -> str:
        """Category and detail in words where they are known, with their numbers."""
        words = [
            names[number]
            for names, number in ((_CATEGORY_WORDS, self.category), (DETAIL_WORDS, self.detail))
            if number in names
        ]
        numbers = f"category {self.category}, detail {self.detail}"
        return f"{', '.join(words)} ({numbers})" if words else numbers

    def to_proto(self, diagnostic_text: str = "") -> pb.MxStatusProxy:
        """The contract's form, raw numbers beside the enums; a number outside the enums becomes UNKNOWN there."""
        known_category = -1 <= self.category <= Category.OTHER_ERROR
        known_source = -1 <= self.detected_by <= Source.RESPONDING_AUTOMATION_OBJECT
        return pb.MxStatusProxy(
            success=self.success,
            category=pb.MxStatusCategory.ValueType(self.category + _WIRE_OFFSET if known_category else 1),
            detected_by=pb.MxStatusSource.ValueType(self.detected_by + _WIRE_OFFSET if known_source else 1),
            detail=self.detail,
            raw_category=self.category,
            raw_detected_by=self.detected_by,
            diagnostic_text=diagnostic_text,
        )

    @classmethod
    def from_proto(cls, status: pb.MxStatusProxy) -> MxStatus:
        return cls(status.success, status.raw_category, status.raw_detected_by, status.detail)


OK = MxStatus(-1, Category.OK, Source.REQUESTING_LMX, Detail.SUCCESS)
PENDING = MxStatus(-1, Category.PENDING, Source.REQUESTING_LMX, Detail.SUCCESS)
