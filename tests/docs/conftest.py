"""The gateway that the documentation's code runs against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.shared_gateway import shared_gateway

from mxgateway.testing import LocalGateway


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    """A gateway with the Galaxy `reference` and its alarms."""
    with shared_gateway(alarms="TestArea") as running:
        yield running
