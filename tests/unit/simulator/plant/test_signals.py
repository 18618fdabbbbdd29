"""Signals as pure functions of tag and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.simulator.conftest import BuildGalaxy, MakeSession

from mxgateway_protocol.variants import Variant, VarType
from mxgateway_simulator.plant.signals import NEVER, AnySignal, QualityWindows, make_signal, seed_of
from mxgateway_simulator.signal_specs import SIGNAL_KINDS, SignalSpecError, check_signal, duration_ns

S = 10**9
T0 = 1_750_000_000 * S

SPECS: dict[str, dict[str, Any]] = {
    "ramp": {"kind": "ramp", "low": 10, "high": 20, "period": "10s"},
    "fall": {"kind": "ramp", "shape": "fall", "low": 10, "high": 20, "period": "10s"},
    "triangle": {"kind": "ramp", "shape": "triangle", "low": 10, "high": 20, "period": "10s", "every": "250ms"},
    "sine": {"kind": "sine", "low": -5, "high": 5, "period": "20s"},
    "noise": {"kind": "noise", "low": 0, "high": 1, "every": "100ms"},
    "walk": {"kind": "walk", "low": 3, "high": 4, "period": "30s"},
    "counter": {"kind": "counter", "start": 5, "step": 2, "wrap": 100},
    "total": {"kind": "total", "rate": 2.0, "wrap": 1000},
    "toggle": {"kind": "toggle", "trueFor": "7s", "falseFor": "3s"},
    "states": {"kind": "states", "steps": [["a", "1s"], ["b", "2s"], ["c", "500ms"]]},
    "storm": {"kind": "storm", "members": 0.3, "within": "20s", "every": "60s", "for": "5s"},
    "text": {"kind": "text", "texts": ["x", "y"], "every": "1s"},
    "clock": {"kind": "clock", "every": "2s"},
}


class Written:
    """An attribute that was written once, at T0, from 0 to 100."""

    def value_at(self, t_ns: int) -> float:
        return 100.0 if t_ns >= T0 else 0.0

    def steps(self, t_ns: int) -> Sequence[tuple[int, float]]:
        return [(0, 0.0), (T0, 100.0)]


def build(spec: dict[str, Any], tag: str = "A.B", elements: int = 0) -> AnySignal:
    check_signal(spec)
    signal = make_signal(spec, seed_of(tag), lambda value: value, lambda name: Written(), elements)
    assert signal is not None
    return signal


@pytest.mark.parametrize("name", list(SPECS))
@settings(max_examples=60, deadline=None, derandomize=True)
@given(t=st.integers(min_value=T0 - 10**6 * S, max_value=T0 + 10**6 * S))
def test_a_sample_holds_from_its_change_to_its_next(name: str, t: int) -> None:
    """The value is the same from `changed` until just before `next`, in every process that makes the same signal."""
    one, other = build(SPECS[name]), build(SPECS[name])
    value, changed, following = one.sample(t)
    assert changed <= t < following
    assert other.sample(t) == (value, changed, following)
    for moment in (changed, following - 1, (changed + following) // 2):
        assert one.value_at(moment) == value
    if isinstance(value, (int, float)) and "low" in SPECS[name]:
        assert SPECS[name]["low"] <= value <= SPECS[name]["high"]


def test_tags_differ_but_spelling_does_not_matter() -> None:
    """Each tag has a phase of its own; its case is no part of it."""
    at = [build(SPECS["sine"], tag).value_at(T0) for tag in ("A.B", "a.b", "A.C")]
    assert at[0] == at[1]
    assert at[0] != at[2]


def test_elements_of_an_array_move_apart() -> None:
    """An array's elements run on seeds of their own."""
    value = build(SPECS["walk"], elements=4).value_at(T0)
    assert len(set(value)) == 4


def test_a_follower_approaches_what_was_written() -> None:
    """With a lag of five seconds, 63 % are reached after five seconds and all of it in the end."""
    signal = build({"kind": "follow", "source": "SP", "lag": "5s", "every": "1ms"})
    assert signal.value_at(T0 - S) == 0
    assert signal.value_at(T0 + 5 * S) == pytest.approx(63.2, abs=0.1)
    assert signal.value_at(T0 + 60 * S) == pytest.approx(100, abs=0.1)


def test_a_gate_holds_a_signal() -> None:
    """While the gate is false the signal shows `otherwise`."""
    signal = build({**SPECS["counter"], "when": "Running", "otherwise": -1})
    assert signal.value_at(T0 - 2 * S) == -1
    assert signal.value_at(T0 + 2 * S) >= 5


def test_a_limit_is_true_beyond_it() -> None:
    """`above` and `below` compare another attribute."""
    assert build({"kind": "limit", "source": "X", "above": 50}).value_at(T0 + 2 * S) is True
    assert build({"kind": "limit", "source": "X", "below": 50}).value_at(T0 + 2 * S) is False


def test_quality_excursions_come_once_in_each_period() -> None:
    """In each period quality is off for exactly as long as asked, and the windows say when that changes."""
    windows = QualityWindows({"quality": 64, "every": "60s", "for": "10s"}, 7)
    t, off = T0, 0
    while t < T0 + 600 * S:
        quality, changed, following = windows.sample(t)
        assert changed <= t < following
        off += (min(following, T0 + 600 * S) - t) if quality == 64 else 0
        t = following
    assert off == pytest.approx(100 * S, abs=10 * S)


def test_a_constant_never_changes() -> None:
    """There is no signal behind a constant."""
    assert make_signal({"kind": "constant"}, 1, lambda value: value, lambda name: Written()) is None
    assert NEVER > T0


@pytest.mark.parametrize(
    ("text", "expected"), [("500ms", S // 2), ("10s", 10 * S), ("2min", 120 * S), (1.5, 3 * S // 2)]
)
def test_durations(text: Any, expected: int) -> None:
    """Durations are written with their unit, or as seconds."""
    assert duration_ns(text) == expected


@pytest.mark.parametrize("text", ["10", "10 parsecs", -1, None, True])
def test_what_is_no_duration(text: Any) -> None:
    """The error shows how to write one."""
    with pytest.raises(SignalSpecError, match="write for example 500ms"):
        duration_ns(text)


def test_every_kind_is_checked_and_made() -> None:
    """No kind is known to the check alone."""
    given = {spec["kind"] for spec in SPECS.values()} | {"constant", "follow", "limit", "flood"}
    assert given == set(SIGNAL_KINDS)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(offsets=st.lists(st.integers(0, 400), min_size=2, max_size=30))
def test_looking_on_gives_what_looking_back_gives(offsets: list[int]) -> None:
    """A signal that was looked at before answers as one that never was, in any order of looks."""
    spec = {"kind": "limit", "source": "X", "above": 50}
    noisy = {"kind": "noise", "low": 0, "high": 2, "every": "1s"}
    for shape, convert in ((spec, bool), (noisy, round)):
        used = make_signal(shape, 1, convert, lambda name: Written())
        for offset in offsets:
            fresh = make_signal(shape, 1, convert, lambda name: Written())
            assert used is not None
            assert fresh is not None
            t = T0 - 100 * S + offset * S
            assert used.sample(t) == fresh.sample(t)


def test_a_signal_of_what_is_no_number_stands_still(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    """Texts and whole arrays count as 0; a result beyond all bounds is 0 for an Integer. Nothing is left unanswered."""
    session = make_session(
        galaxy_of(
            "Text: {type: String, value: abc}, Values: {type: Integer, array: 2, value: [9, 9]}, Big: {type: Double},"
            "A: {type: Float, signal: {kind: follow, source: Text, bias: 2}},"
            "B: {type: Boolean, signal: {kind: limit, source: 'Values[]', above: 3}},"
            "C: {type: Integer, signal: {kind: follow, source: Big, gain: 100}}"
        )
    )
    session.write(session.advised("O.Big"), Variant(VarType.VT_R8, 1.7e308))
    assert [session.read(f"O.{name}").value for name in "ABC"] == [2.0, False, 0]
