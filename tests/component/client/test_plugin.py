"""The pytest plugin for users' own tests, used as a user would."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.code_blocks import ROOT, blocks
from tests.support.shared_gateway import shared_gateway

from mxgateway.sync import GatewayClient
from mxgateway.testing import PlantError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CONFTEST = 'pytest_plugins = ["mxgateway.testing.plugin"]\n'
TEST = """
from mxgateway import from_mx_value
from mxgateway.sync import GatewayClient


async def test_async(mx_gateway):
    async with await mx_gateway.connect() as client, await client.open_session() as session:
        handle = await session.register("t")
        [result] = await session.read_bulk(handle, ["TestChildObject.TestInt"])
        assert result.was_successful


def test_blocking(mx_gateway):
    with GatewayClient.connect(mx_gateway.options()) as client, client.open_session() as session:
        handle = session.register("t")
        [result] = session.read_bulk(handle, ["TestChildObject.TestInt"])
        assert from_mx_value(result.value) is not None
"""


def test_fixture_serves_async_and_blocking_tests(tmp_path: Path) -> None:
    """One gateway serves asynchronous and blocking tests of a user's own suite, and is gone afterwards."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_line.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_page_works_as_it_is_typed(tmp_path: Path) -> None:
    """The files of docs/how-to/testing.md, put where their titles say, pass."""
    page = ROOT / "docs" / "how-to" / "testing.md"
    files = {block.title: block.text for block in blocks(page) if block.title}
    assert set(files) == {"conftest.py", "pyproject.toml", "test_line.py"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.shares_processes
def test_the_plant_is_changed_from_a_test() -> None:
    """Values, qualities, times, scan states and engines reach a session; reset puts all of it back."""
    number, moment = "TestChildObject.TestInt", datetime(2026, 1, 31, 12, tzinfo=UTC)
    with shared_gateway() as gateway, GatewayClient.connect(gateway.options()) as client:
        (before,) = client.read([number])
        gateway.plant.set(number, 7, quality=64, time=moment)
        (reading,) = client.read([number])
        assert (reading.value, reading.quality, reading.source_timestamp) == (7, 64, moment)
        with client.subscribe([number]) as changes:
            assert changes.next_change(10).value == 7
            gateway.plant.set_quality(number, 16)
            assert changes.next_change(10).quality == 16
            gateway.plant.scan("TestChildObject", False)
            while changes.next_change(10).quality != 0:
                pass
            gateway.reset()
            while (change := changes.next_change(10)).quality != 192:
                pass
            assert change.value == before.value
        gateway.plant.set("TestChildObject.TestDuration", timedelta(seconds=90))
        gateway.plant.set("TestChildObject.TestStringArray[]", ["a", "b"])
        duration, texts = client.read(["TestChildObject.TestDuration", "TestChildObject.TestStringArray[]"])
        assert (duration.value, texts.value) == (90.0, ["a", "b"])
        alarm = "TestMachine_001.TestAlarm002"
        assert gateway.plant.raise_alarm(alarm.lower()) == [alarm]
        assert gateway.plant.acknowledge_alarm(alarm, comment="seen", operator="anna") == [alarm]
        names = [f"{alarm}.{name}" for name in ("InAlarm", "Acked", "AckMsg", "AlarmShelved")]
        gateway.plant.shelve_alarm(alarm, hours=0.5, reason="in repair")
        assert [each.value for each in client.read(names)] == [True, True, "seen", True]
        gateway.plant.shelve_alarm(alarm, hours=0)
        gateway.plant.clear_alarm(alarm)
        assert [each.value for each in client.read(names[::3])] == [False, False]
        gateway.plant.release_alarm(alarm)
        assert gateway.plant.alarm_storm(3, area="TestArea", within=1, seconds=1) == 3
        for refused in (
            lambda: gateway.plant.raise_alarm(alarm, "No.Such"),
            lambda: gateway.plant.dismiss_alarm(alarm),
            lambda: gateway.plant.shelve_alarm(alarm, hours=-1),
            lambda: gateway.plant.alarm_storm(1, area="Nowhere"),
            lambda: gateway.plant.clear_alarm(),
        ):
            with pytest.raises(PlantError, match=r"alarm|area|latched|out of range"):
                refused()
        gateway.plant.engine("DevAppEngine", False)
        (stopped,) = client.read([number])
        assert not stopped.is_good
        gateway.plant.engine("DevAppEngine", True)
        for call in (
            lambda: gateway.plant.set("No.Such", 1),
            lambda: gateway.plant.set(number, "seven"),
            lambda: gateway.plant.scan("No_Such", True),
        ):
            with pytest.raises(PlantError, match=r"No|hold"):
                call()
        gateway.plant.close()
        gateway.reset()
