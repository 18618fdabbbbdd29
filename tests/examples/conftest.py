"""Gateways that the examples run against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.shared_gateway import shared_gateway

from mxgateway.testing import LocalGateway

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    """A gateway with the Galaxy `reference`."""
    with shared_gateway() as running:
        yield running


@pytest.fixture(scope="module")
def line_gateway() -> Iterator[LocalGateway]:
    """A gateway with the examples' own Galaxy, whose security is on."""
    with shared_gateway(EXAMPLES / "bottling_line" / "line.yaml") as running:
        yield running
