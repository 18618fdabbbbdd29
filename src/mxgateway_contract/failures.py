"""The failures that MXAccess is known to report in MXSTATUS_PROXY: each by one name.

A writer that has to differ in one number, because a switch says so, starts from the name with `_replace`.
"""

from __future__ import annotations

from mxgateway_contract.status import Category, Detail, MxStatus, Source

_LMX = Source.RESPONDING_LMX
_NMX = Source.RESPONDING_NMX
_OBJECT = Source.RESPONDING_AUTOMATION_OBJECT

UNRESOLVED = MxStatus(0, Category.CONFIGURATION_ERROR, _LMX, Detail.INVALID_REFERENCE)
"""The reference leads nowhere."""
WRONG_INDEX = MxStatus(0, Category.CONFIGURATION_ERROR, _LMX, Detail.INDEX_OUT_OF_RANGE)
"""Brackets and attribute do not go together: an array without them, a scalar with them, an element beyond the end."""
NO_PROPERTY = MxStatus(0, Category.CONFIGURATION_ERROR, _LMX, Detail.INVALID_PROPERTY_ID)
OBJECT_CHANGED = MxStatus(0, Category.CONFIGURATION_ERROR, _LMX, Detail.OBJECT_SIGNATURE_MISMATCH)
ATTRIBUTE_CHANGED = MxStatus(0, Category.CONFIGURATION_ERROR, _LMX, Detail.ATTRIBUTE_SIGNATURE_MISMATCH)
NO_REPOSITORY = MxStatus(0, Category.COMMUNICATION_ERROR, Source.REQUESTING_LMX, Detail.NO_GALAXY_REPOSITORY)
"""The Galaxy's database cannot be read."""
ENGINE_DOWN = MxStatus(0, Category.COMMUNICATION_ERROR, _NMX, Detail.ENGINE_COMMUNICATION_ERROR)
PLATFORM_DOWN = MxStatus(0, Category.COMMUNICATION_ERROR, _NMX, Detail.PLATFORM_COMMUNICATION_ERROR)
WHOLE_STRUCT = MxStatus(0, Category.CONFIGURATION_ERROR, _OBJECT, Detail.CONVERSION_NOT_SUPPORTED)
NO_ELEMENT = MxStatus(0, Category.CONFIGURATION_ERROR, _OBJECT, Detail.INDEX_OUT_OF_RANGE)
"""A write to an element that the array no longer has."""
NOT_WRITEABLE = MxStatus(0, Category.OPERATIONAL_ERROR, _OBJECT, Detail.NOT_WRITEABLE)
OUT_OF_RANGE = MxStatus(0, Category.OPERATIONAL_ERROR, _OBJECT, Detail.DATA_OUT_OF_RANGE)
WRITE_DENIED = MxStatus(0, Category.SECURITY_ERROR, _OBJECT, Detail.WRITE_ACCESS_DENIED)
SECURED_NEEDED = MxStatus(0, Category.SECURITY_ERROR, _OBJECT, Detail.SECURED_WRITE)
VERIFIED_NEEDED = MxStatus(0, Category.SECURITY_ERROR, _OBJECT, Detail.VERIFIED_WRITE)
USER_LACKS_RIGHTS = MxStatus(0, Category.SECURITY_ERROR, _OBJECT, Detail.USER_NOT_HAVING_ACCESS_RIGHTS)
VERIFIER_LACKS_RIGHTS = MxStatus(0, Category.SECURITY_ERROR, _OBJECT, Detail.VERIFIER_NOT_HAVING_VERIFY_RIGHTS)
NO_ACK_PRIVILEGE = MxStatus(0, Category.SECURITY_ERROR, _OBJECT, Detail.NO_ALARM_ACK_PRIVILEGE)
ACKED_ALREADY = MxStatus(0, Category.OPERATIONAL_ERROR, _OBJECT, Detail.ALARM_ACKED_ALREADY)
NOT_COERCIBLE = MxStatus(0, Category.SOFTWARE_ERROR, _OBJECT, Detail.INCORRECT_DATA_TYPE)
NOT_STORED = MxStatus(0, Category.OTHER_ERROR, _OBJECT, Detail.UNKNOWN_ERROR)
"""A write that was allowed and could not be kept."""
NOT_ADVISED = MxStatus(0, Category.CONFIGURATION_ERROR, Source.REQUESTING_LMX, Detail.SUCCESS)
