"""The oracle of writes: confirmed ones stay, refused ones never show, nothing runs backwards."""

from __future__ import annotations

import pytest
from chaos.violations import Journal
from chaos.write_oracle import Register


@pytest.fixture
def register() -> Register:
    return Register("writer", "Setpoint_001.Value", Journal())


def rules(register: Register) -> list[str]:
    return [violation.rule for violation in register.journal.violations]


def test_a_confirmed_write_is_read_back(register: Register) -> None:
    """The last confirmed value is what stands."""
    register.sent(1)
    register.confirm(1, 0.0)
    register.read(1, 0.0)
    assert rules(register) == []


def test_a_confirmed_write_that_is_gone_is_found(register: Register) -> None:
    """An older value after a confirmation means that the write was lost."""
    register.sent(1)
    register.confirm(1, 0.0)
    register.read(0, 0.0)
    assert rules(register) == ["write"]


def test_an_uncertain_write_may_have_happened_or_not(register: Register) -> None:
    """Both values are right; once the younger was seen the older may not come back."""
    register.sent(1)
    register.confirm(1, 0.0)
    register.sent(2)
    register.unknown(2)
    register.read(1, 0.0)
    register.read(2, 0.0)
    assert rules(register) == []
    register.read(1, 0.0)
    assert rules(register) == ["write"]


def test_a_refused_write_that_shows_is_found(register: Register) -> None:
    """What failed for certain changed nothing."""
    register.sent(1)
    register.refuse(1)
    register.read(1, 0.0)
    assert rules(register) == ["write"]


def test_an_invented_value_is_found(register: Register) -> None:
    """Only what was sent can be read."""
    register.read(5, 0.0)
    assert rules(register) == ["write"]


def test_completions_belong_to_writes(register: Register) -> None:
    """A completion of a write never sent, or of a refused one, is a violation each."""
    register.confirm(9, 0.0)
    register.sent(10)
    register.refuse(10)
    register.confirm(10, 0.0)
    assert rules(register) == ["write", "write"]
