"""The catalogue of floods, and the messages that they are made of."""

from __future__ import annotations

import pytest
from attack.callers import empty_fields, wrapped
from attack.floods import FLOODS

from mxgateway.generated import mxaccess_gateway_pb2 as pb


@pytest.mark.parametrize("name", FLOODS)
def test_each_flood_says_what_it_does_and_which_finding_it_is_of(name: str) -> None:
    assert FLOODS[name].title.endswith(").")
    assert name == name.lower()


def test_every_finding_that_is_a_flood_has_one() -> None:
    told = " ".join(flood.title for flood in FLOODS.values())
    assert {"C1", "H1", "H2", "H3", "H4", "H5", "H7", "M1", "M2", "M3", "M10", "M11", "M12", "L14"} <= {
        word.strip("().,") for word in told.split()
    }


def test_messages_are_what_protobuf_reads_them_as() -> None:
    batch = pb.MxCommandBatch.FromString(wrapped(1, b"session-x") + empty_fields(2, 2000))
    assert (batch.session_id, len(batch.commands)) == ("session-x", 1000)
    assert len(wrapped(1, bytes(300))) == 303
