"""Peppers: their file, their variable, and a ring in which one takes the place of another."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tests.support.clock import ManualClock

from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.peppers import MAX_PEPPERS, Pepper, PepperFile, PepperRing, PepperVariable
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.config.sources import load
from mxgateway_server.errors import ConfigurationError

OLD, NEW = b"o" * 32, b"n" * 40


def text(*values: bytes) -> str:
    return " ".join(base64.b64encode(value).decode() for value in values)


def test_a_file_holds_the_newest_first_and_a_new_one_goes_before_it(tmp_path: Path) -> None:
    file = PepperFile(tmp_path / "pepper")
    assert file.load() == ()
    (first,) = file.make()
    assert [pepper.verifier for pepper in file.make()] == [first.verifier]
    newer, older = file.add()
    assert older.verifier == first.verifier
    file.retire(frozenset({older.pepper_id}))
    assert [pepper.verifier for pepper in file.load()] == [newer.verifier]
    while len(file.load()) < MAX_PEPPERS:
        file.add()
    with pytest.raises(ConfigurationError, match="mxgateway pepper retire"):
        file.add()


@pytest.mark.parametrize("held", ["", "short", f"{text(OLD)} short", "***", "é" * 60])
def test_a_file_with_anything_that_is_no_pepper_is_refused_and_stays(tmp_path: Path, held: str) -> None:
    path = tmp_path / "pepper"
    path.touch(mode=0o600)
    path.write_text(held)
    with pytest.raises(ConfigurationError, match=r"authentication\.pepper_file .*not a pepper"):
        PepperFile(path).load()
    assert path.read_text() == held


@pytest.mark.parametrize("between", [" ", "\n", ",", " ,\t"])
def test_a_variable_holds_several_in_either_alphabet(between: str) -> None:
    held = between.join([base64.urlsafe_b64encode(b"\xff" * 32).decode().rstrip("="), text(OLD)])
    found = PepperVariable("P", {"P": held}).load()
    assert [pepper.verifier for pepper in found] == [Pepper(b"\xff" * 32).verifier, Pepper(OLD).verifier]


@pytest.mark.parametrize("held", [None, "", "   ", "SENTINEL"])
def test_a_variable_without_a_pepper_is_refused_and_never_repeated(held: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"^authentication\.pepper_variable") as caught:
        PepperVariable("MY_VARIABLE", {} if held is None else {"MY_VARIABLE": held}).make()
    assert "SENTINEL" not in str(caught.value)


def test_a_pepper_that_went_into_the_setting_itself_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="write the name of an environment variable") as caught:
        load(None, {"authentication.pepper_variable": text(OLD)})
    assert text(OLD) not in str(caught.value)
    with pytest.raises(ConfigurationError, match="not both"):
        load(None, {"authentication.pepper_variable": "P", "authentication.pepper_file": "/p"})


def test_a_ring_knows_each_pepper_by_its_id_and_those_of_before_by_trying() -> None:
    old, new = Pepper(OLD), Pepper(NEW)
    ring = PepperRing((new, old), new)
    assert ring.newest is new
    assert ring.fitting("s", old.hash("s"), old.pepper_id) is old
    assert ring.fitting("s", old.hash("s"), "") is old
    assert ring.fitting("s", old.hash("s"), new.pepper_id) is None
    assert ring.fitting("s", old.hash("s"), "0" * 16) is None
    assert ring.fitting("x", old.hash("s"), "") is None


async def test_a_key_of_an_older_pepper_works_and_is_hashed_with_the_newest_when_it_is_shown(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = PepperFile(tmp_path / "pepper")
    store = await KeyStore.open(str(tmp_path / "keys.db"), file, clock)
    used, unused = [f"Bearer {await store.create(name, 'x', ['invoke:read'])}" for name in ("used", "unused")]
    checker = Authenticator(store, store.peppers, clock, Throttle(10, 5.0), cache_seconds=2.0)
    caller = await checker.authenticate(used, "h")
    assert not checker.take_rehashed()

    other = await KeyStore.open(str(tmp_path / "keys.db"), file, clock)
    file.add()
    await other.take_new_pepper()
    fresh = f"Bearer {await other.create('fresh', 'x', ['invoke:read'])}"
    await other.close()
    # The gateway that runs learns of the new pepper with the first look at the keys.
    await checker.look()
    assert (await checker.authenticate(fresh, "h")).key_id == "fresh"
    assert (await checker.authenticate(used, "h")).key_id == "used"
    await store.rehash(checker.take_rehashed())
    await checker.look()
    newest, older = await store.pepper_uses()
    assert (newest.key_ids, older.key_ids) == (("fresh", "used"), ("unused",))
    # Streams of a key go on: its secret is the same.
    assert checker.is_still_valid(caller)
    assert (await checker.authenticate(used, "h")).key_id == "used"
    assert not checker.take_rehashed()
    await store.rotate("used")
    await checker.look()
    assert not checker.is_still_valid(caller)
    assert (await checker.authenticate(unused, "h")).key_id == "unused"
    events = [(record.event, record.key_id) for record in await store.read_audit()]
    assert events[2:] == [
        ("pepper-added", ""),
        ("key-created", "fresh"),
        ("key-rehashed", "used"),
        ("key-rotated", "used"),
    ]
    assert (await store.audit.verify()).findings == ()
    await store.close()


async def test_what_is_rehashed_never_covers_a_newer_secret(store: KeyStore, clock: ManualClock) -> None:
    old = Pepper(OLD)
    raw = await store.create("k", "x", ["invoke:read"])
    store.peppers._take((old, *store.peppers))
    checker = Authenticator(store, store.peppers, clock, Throttle(10, 5.0), cache_seconds=2.0)
    await checker.authenticate(f"Bearer {raw}", "h")
    rehashed = checker.take_rehashed()
    new = await store.rotate("k")
    await store.rehash(rehashed)
    await checker.look()
    assert (await checker.authenticate(f"Bearer {new}", "h")).key_id == "k"
    # What could not be stored is kept, unless there is a later one.
    checker.put_back_rehashed(rehashed)
    assert checker.take_rehashed() == rehashed
