"""When a Galaxy that could not be read is read again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.galaxy_rows import DEPLOYED

from mxgateway_server.galaxy.retry import ReadRetry

LATER = DEPLOYED + timedelta(hours=1)


def test_doubles_up_to_the_longest() -> None:
    """Each failure of one deployment doubles the wait, up to the limit."""
    retry = ReadRetry(30, 100)
    assert retry.may_read(DEPLOYED, 0)
    delays = []
    now = 0.0
    for _ in range(4):
        retry.failed(DEPLOYED, now)
        delays.append(retry.delay)
        assert not retry.may_read(DEPLOYED, now + retry.delay - 0.1)
        now += retry.delay
        assert retry.may_read(DEPLOYED, now)
    assert delays == [30, 60, 100, 100]


@pytest.mark.parametrize("other", [LATER, DEPLOYED - timedelta(days=1), None])
def test_another_deployment_begins_anew(other: object) -> None:
    """Another deploy time, also none, is read at once, and its failures count from the beginning."""
    retry = ReadRetry(30, 100)
    retry.failed(DEPLOYED, 0)
    retry.failed(DEPLOYED, 30)
    assert retry.may_read(other, 31)  # type: ignore[arg-type]
    retry.failed(other, 31)  # type: ignore[arg-type]
    assert retry.delay == 30
    assert not retry.may_read(other, 32)  # type: ignore[arg-type]


def test_a_galaxy_without_deploy_time_waits_too() -> None:
    """None is a deploy time like another."""
    retry = ReadRetry(30, 100)
    assert retry.may_read(None, 0)
    retry.failed(None, 0)
    assert not retry.may_read(None, 29)
    retry.forget()
    assert retry.may_read(None, 29)


def test_the_limit_holds_for_the_first_wait() -> None:
    """A limit below the first wait is the wait."""
    retry = ReadRetry(3600, 600)
    retry.failed(DEPLOYED, 0)
    assert retry.delay == 600
