"""Floods go to this machine's loopback and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from attack.target import Target, is_loopback


def target(address: str = "127.0.0.1:5001", folder: str = "/nowhere") -> Target:
    return Target(address, "ca.pem", folder, {"honest": "mxgw_honest_x"}, 1)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.9.10:1", "[::1]:1", "localhost:1"])
def test_loopback_in_each_of_its_spellings(address: str) -> None:
    assert is_loopback(address)
    assert target(address).port == 1


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1:1",
        "192.168.1.1:1",
        "8.8.8.8:1",
        "[::]:1",
        "0.0.0.0:1",
        "gateway.plant.example:1",
        "localhost.evil:1",
        "",
    ],
)
def test_any_other_address_is_refused_before_a_byte_is_sent(address: str) -> None:
    assert not is_loopback(address)
    with pytest.raises(ValueError, match="loopback"):
        target(address)


def test_a_target_goes_to_another_process_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in target().environment().items():
        monkeypatch.setenv(name, value)
    assert Target.inherited() == target()


def test_a_target_shows_no_key() -> None:
    assert "mxgw_" not in repr(target())


def test_the_longest_standstill_is_the_worst_line_of_the_log(tmp_path: Path) -> None:
    assert_log = tmp_path / "gateway.log"
    assert_log.write_text(
        '{"event": "event_loop_lag", "max_ms": 12.5}\nnot JSON\n{"event": "other", "max_ms": 9999}\n"text"\n'
        '{"event": "event_loop_lag", "max_ms": 81}\n'
    )
    assert target(folder=str(tmp_path)).longest_hold() == pytest.approx(0.081)
    assert_log.write_text("")
    assert target(folder=str(tmp_path)).longest_hold() is None
