"""What commands print for people."""

from __future__ import annotations

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.output import failure_text


def test_a_failed_result_says_what_its_status_means() -> None:
    """The meaning of the detail number comes before a text that only repeats the number."""
    status = pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6)
    result = pb.BulkReadResult(tag_address="A.B", error_message="category 4, detail 6", statuses=[status])
    assert failure_text(result).startswith("CONFIGURATION_ERROR detail 6 (the reference is invalid")
    assert failure_text(pb.SubscribeResult(error_message="denied")) == "denied"
