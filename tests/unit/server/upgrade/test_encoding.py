"""The state as bytes: it comes back as it was, and bytes that are cut, changed, or of another version are refused."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.events.kept import KeptChunk, KeptHub, KeptRing
from mxgateway_server.sessions.kept import KeptEnd, KeptItem, KeptSession, KeptWrite
from mxgateway_server.upgrade import encoding
from mxgateway_server.upgrade.encoding import FORMAT_VERSION, StateError, decode, encode, schema_hash
from mxgateway_server.upgrade.state import GatewayState, KeptAddress
from mxgateway_server.workers.kept import KeptWorker

numbers = st.integers(0, 2**63 - 1)
texts = st.text(max_size=20)
seconds = st.floats(0, 1e9)


def tuples(kind: type[object]) -> st.SearchStrategy[object]:
    return st.lists(st.from_type(kind), max_size=3).map(tuple)


def some(kind: type[object], **others: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.builds(kind, **others)  # type: ignore[arg-type]


rings = some(KeptRing, chunks=st.lists(some(KeptChunk, data=st.binary(max_size=300)), max_size=3).map(tuple))
workers = some(KeptWorker, last_lines=st.lists(texts, max_size=3).map(tuple))
sessions = some(
    KeptSession,
    items=tuples(KeptItem),
    writes=tuples(KeptWrite),
    hub=some(KeptHub, ring=rings, calm=seconds),
    worker=workers,
    age=seconds,
)
states = some(
    GatewayState,
    sessions=st.lists(sessions, max_size=3).map(tuple),
    ended=tuples(KeptEnd),
    addresses=tuples(KeptAddress),
)


@given(states)
def test_every_state_comes_back_as_it_was(state: GatewayState) -> None:
    # repr, because NaN is not equal to itself.
    assert repr(decode(b"".join(encode(state)), GatewayState)) == repr(state)


STATE = GatewayState(
    version="1.2.3",
    begun_ns=1,
    upgrades=2,
    actor="cli:someone",
    ended=(
        KeptEnd(
            session_id="session-1",
            owner_key_id="line4",
            owner_created_ns=5,
            cause="client-close",
            text="somebody closed it",
        ),
    ),
)
DATA = b"".join(encode(STATE))


@pytest.mark.parametrize("length", range(0, len(DATA), 7))
def test_cut_bytes_are_refused(length: int) -> None:
    with pytest.raises(StateError):
        decode(DATA[:length], GatewayState)


@pytest.mark.parametrize("place", range(0, len(DATA), 5))
def test_changed_bytes_are_refused(place: int) -> None:
    changed = bytearray(DATA)
    changed[place] ^= 0x40
    with pytest.raises(StateError):
        decode(bytes(changed), GatewayState)


def test_more_bytes_than_there_should_be_are_refused() -> None:
    with pytest.raises(StateError, match="should have"):
        decode(DATA + b"x", GatewayState)


def test_another_format_is_refused_by_its_number() -> None:
    foreign = bytearray(DATA)
    struct.pack_into("<I", foreign, 8, FORMAT_VERSION + 1)
    with pytest.raises(StateError, match=f"version {FORMAT_VERSION + 1}, and this program knows {FORMAT_VERSION}"):
        decode(bytes(foreign), GatewayState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    inner: tuple[Inner, ...]
    data: bytes


def test_another_schema_is_refused_whatever_its_depth() -> None:
    before = schema_hash(Outer)
    data = b"".join(encode(Outer(inner=(Inner(number=1),), data=b"x")))

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Changed:
        number: float

    Changed.__name__ = "Inner"
    hints = {"inner": tuple[Changed, ...], "data": bytes}
    described = encoding._fields
    try:
        encoding._fields = lambda kind: hints if kind is Outer else described(kind)  # type: ignore[assignment]
        assert schema_hash(Outer) != before
        with pytest.raises(StateError, match="another schema"):
            decode(data, Outer)
    finally:
        encoding._fields = described


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Outer(inner=(Inner(number="one"),), data=b""), "a str where a int"),  # type: ignore[arg-type]
        (Outer(inner=7, data=b""), "no list"),  # type: ignore[arg-type]
        (Outer(inner=(3,), data=b""), "no Inner"),  # type: ignore[arg-type]
        (Outer(inner=(), data="text"), "a str where a bytes"),  # type: ignore[arg-type]
        (Outer(inner=(), data=5), "more bytes than it has"),  # type: ignore[arg-type]
        (Outer(inner=(Inner(number=True),), data=b""), "a bool where a int"),
    ],
)
def test_what_does_not_fit_its_field_is_refused(wrong: Outer, told: str) -> None:
    with pytest.raises(StateError, match=told):
        decode(b"".join(encode(wrong)), Outer)


def test_long_bytes_are_not_copied_into_the_text() -> None:
    blob = bytes(range(256)) * 1000
    parts = encode(Outer(inner=(), data=blob))
    assert any(part is blob for part in parts)
    assert sum(map(len, parts)) < len(blob) + 200
    assert decode(b"".join(parts), Outer) == replace(Outer(inner=(), data=blob))


def test_a_text_that_no_encoding_has_comes_back() -> None:
    state = replace(STATE, actor="a path\udcff")
    assert decode(memoryview(b"".join(encode(state))), GatewayState) == state
