"""OPC quality words and MXSTATUS_PROXY: what counts as good, and what counts as a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mxgateway_contract.quality import is_bad, is_good, is_uncertain, quality_name

if TYPE_CHECKING:
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

__all__ = ["is_bad", "is_good", "is_status_failure", "is_uncertain", "quality_name"]

# Numbers of MxStatusCategory, written out so that this module needs no generated code to load.
_UNSPECIFIED = 0
_NOT_AN_ERROR = (1, 2, 3, 4)  # unknown, OK, pending, warning


def is_status_failure(status: pb.MxStatusProxy) -> bool:
    """Whether an MXSTATUS_PROXY says that the operation failed.

    A status that nobody filled (success 0 and category unspecified) says nothing and is no failure. Otherwise it is a
    failure when success is 0 or when the category is one of the errors; pending and warning are none.
    """
    if status.category == _UNSPECIFIED:
        return False
    return status.success == 0 or status.category not in _NOT_AN_ERROR
