"""Who a caller is: refusals that tell strangers nothing, and how long a checked key is trusted."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.clock import ManualClock
from tests.support.key_store import READ, SECRET

from mxgateway_contract.redaction import redact
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.errors import AuthenticationError, KeyRefusal


def authenticator(store: KeyStore, clock: ManualClock, failures: int = 100) -> Authenticator:
    return Authenticator(store, store.peppers, clock, Throttle(failures, 5.0), cache_seconds=2.0)


def test_what_is_said_to_strangers_holds_nothing_that_looks_like_a_key() -> None:
    """Logs and clients take out what looks like one, and the sentence would lose a word."""
    text = str(AuthenticationError(KeyRefusal.MISSING_OR_MALFORMED))
    assert "Bearer" in text
    assert redact(text) == text


async def refused(checker: Authenticator, header: str) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        await checker.authenticate(header, "10.0.0.1")
    return caught.value


async def test_every_refusal_looks_the_same_to_the_caller_and_differs_for_the_audit(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = await store.create("a", "x", READ)
    await store.create("r", "x", READ)
    revoked = await store.rotate("r")
    await store.revoke("r")
    late = await store.create("l", "x", READ, expires_ns=clock.unix_ns())
    checker = authenticator(store, clock)
    errors = [
        await refused(checker, header)
        for header in (
            "",
            f"Bearer mxgw_nobody_{SECRET}",
            f"Bearer mxgw_a_{SECRET}",
            f"Bearer {revoked}",
            f"Bearer {late}",
        )
    ]
    assert len({str(error) for error in errors}) == 1
    assert [error.kind for error in errors] == [
        "MissingOrMalformedCredentials",
        "KeyNotFound",
        "SecretMismatch",
        "KeyRevoked",
        "KeyExpired",
    ]
    caller = await checker.authenticate(f"Bearer {raw}", "10.0.0.1")
    assert (caller.key_id, caller.is_admin) == ("a", False)


async def test_a_checked_key_is_trusted_for_a_moment_and_forgetting_it_ends_that_at_once(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    await store.revoke("a")
    await checker.authenticate(raw, "h")
    checker.forget("a")
    assert (await refused(checker, raw)).kind == "KeyRevoked"


async def test_only_the_header_that_was_right_is_known_without_waiting(store: KeyStore, clock: ManualClock) -> None:
    raw = await store.create("a", "x", READ, expires_ns=clock.unix_ns() + 3_000_000_000)
    header = f"Bearer {raw}"
    checker = authenticator(store, clock)
    assert checker.known(header) is None, "it was never shown"
    caller = await checker.authenticate(header, "h")
    checker.take_used()
    assert checker.known(header) is caller
    assert checker.take_used() == {"a": clock.unix_ns()}
    others = (
        *("", "Bearer", "Bearer mxgw_a", f"Bearer mxgw_a_{SECRET}", f"Bearer mxgw_b_{SECRET}", f"{header}x"),
        *(header[:-1], header.lower(), f" {header}", f"{header[:-1]}é", f"bearer {raw}"),
    )
    assert [other for other in others if checker.known(other) is not None] == []
    assert checker.take_used() == {}
    clock.advance(2.0)
    assert checker.known(header) is None, "the keys have to be looked at again"
    await checker.authenticate(header, "h")
    assert checker.known(header) is caller
    clock.advance(1.0)
    assert checker.known(header) is None, "the key has expired"
    assert (await refused(checker, header)).kind == "KeyExpired"


@pytest.mark.parametrize("change", ["revoke", "rotate", "delete"])
async def test_a_header_is_known_no_more_once_a_change_of_its_key_was_seen(
    store: KeyStore, clock: ManualClock, change: str
) -> None:
    header = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(header, "h")
    if change == "delete":
        await store.revoke("a")
    await getattr(store, change)("a")
    await checker.look()
    assert checker.known(header) is None
    await refused(checker, header)


async def test_a_revocation_by_another_process_is_seen_when_the_moment_is_over(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    await store.revoke("a")
    clock.advance(2.0)
    assert (await refused(checker, raw)).kind == "KeyRevoked"


async def test_a_rotated_secret_is_taken_at_once_although_the_old_one_is_remembered(
    store: KeyStore, clock: ManualClock
) -> None:
    await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await refused(checker, f"Bearer mxgw_a_{SECRET}")
    new = await store.rotate("a")
    await checker.authenticate(f"Bearer {new}", "other")


async def test_many_calls_that_find_the_keys_out_of_date_share_one_look(
    store: KeyStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the key was revoked meanwhile: then each call is refused."""
    raw = f"Bearer {await store.create('many', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    looks = 0
    version = store.keys_version

    async def counted() -> str:
        nonlocal looks
        looks += 1
        return await version()

    monkeypatch.setattr(store, "keys_version", counted)
    clock.advance(10)
    callers = await asyncio.gather(*(checker.authenticate(raw, "h") for _ in range(50)))
    assert {caller.key_id for caller in callers} == {"many"}
    assert looks == 1
    await store.revoke("many")
    clock.advance(10)
    outcomes = await asyncio.gather(*(checker.authenticate(raw, "h") for _ in range(5)), return_exceptions=True)
    assert [getattr(outcome, "kind", outcome) for outcome in outcomes] == ["KeyRevoked"] * 5


async def test_a_look_learns_of_a_revocation_at_once(store: KeyStore, clock: ManualClock) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock)
    caller = await checker.authenticate(raw, "h")
    assert checker.is_still_valid(caller)
    await store.revoke("a")
    await checker.look()
    assert not checker.is_still_valid(caller)
    assert (await refused(checker, raw)).kind == "KeyRevoked"


async def test_a_key_that_ends_by_the_clock_is_not_valid_from_that_moment_on(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ, expires_ns=clock.unix_ns() + 1_000_000_000)}"
    checker = authenticator(store, clock)
    caller = await checker.authenticate(raw, "h")
    clock.advance(0.999)
    assert checker.is_still_valid(caller)
    clock.advance(0.001)
    assert not checker.is_still_valid(caller)
    assert (await refused(checker, raw)).kind == "KeyExpired"


async def test_a_rotated_key_is_not_the_caller_that_began_with_the_old_secret(
    store: KeyStore, clock: ManualClock
) -> None:
    checker = authenticator(store, clock)
    caller = await checker.authenticate(f"Bearer {await store.create('a', 'x', READ)}", "h")
    new = await checker.authenticate(f"Bearer {await store.rotate('a')}", "h")
    assert (checker.is_still_valid(caller), checker.is_still_valid(new)) == (False, True)


async def test_a_session_is_its_keys_until_that_ends_and_never_one_s_that_has_the_same_name(
    store: KeyStore, clock: ManualClock
) -> None:
    await store.create("a", "x", READ, expires_ns=clock.unix_ns() + 1_000_000_000)
    checker = authenticator(store, clock)
    await checker.look()
    (made,) = [each.created_ns for each in await store.list_keys()]
    await store.rotate("a")
    await checker.look()
    assert checker.is_key_valid("a", made)
    clock.advance(1)
    assert not checker.is_key_valid("a", made)
    await store.revoke("a")
    await store.delete("a")
    await store.create("a", "x", READ)
    await checker.look()
    (anew,) = [each.created_ns for each in await store.list_keys()]
    assert (checker.is_key_valid("a", made), checker.is_key_valid("a", anew)) == (False, True)
    assert not checker.is_key_valid("b", made)


async def test_no_session_ends_for_a_key_that_the_store_was_never_asked_for(
    store: KeyStore, clock: ManualClock
) -> None:
    """A program that takes sessions over may find the store locked."""
    checker = authenticator(store, clock)
    assert checker.is_key_valid("a", 1)
    await checker.look()
    assert not checker.is_key_valid("a", 1)


@pytest.mark.parametrize("failing", ["SecretMismatch", "KeyNotFound", "MissingOrMalformedCredentials"])
async def test_nobody_locks_a_caller_out_whose_secret_was_right_before(
    store: KeyStore, clock: ManualClock, failing: str
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock, failures=2)
    await checker.authenticate(raw, "10.0.0.1")
    wrong = {"SecretMismatch": f"Bearer mxgw_a_{SECRET}", "KeyNotFound": f"Bearer mxgw_nobody_{SECRET}"}
    kinds = [(await refused(checker, wrong.get(failing, ""))).kind for _ in range(50)]
    assert (kinds[:2], kinds[2:]) == ([failing] * 2, ["Throttled"] * 48)
    await checker.authenticate(raw, "10.0.0.1")


async def test_strangers_with_ids_that_do_not_exist_wait_by_address_without_asking_the_store(
    store: KeyStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock, failures=10)
    asked = 0
    version = store.keys_version

    async def counted() -> str:
        nonlocal asked
        asked += 1
        return await version()

    monkeypatch.setattr(store, "keys_version", counted)
    kinds = [(await refused(checker, f"Bearer mxgw_id{number}_{SECRET}")).kind for number in range(1000)]
    assert kinds == ["KeyNotFound"] * 10 + ["Throttled"] * 990
    assert asked <= 11
    # From everywhere at once it is not more: the store is asked a few times a second for all strangers together.
    for number in range(1000):
        with pytest.raises(AuthenticationError):
            await checker.authenticate(f"Bearer mxgw_id{number}_{SECRET}", f"10.1.{number // 256}.{number % 256}")
    assert asked <= 25
    # A key of the same address that exists is not made to wait for them.
    await checker.authenticate(raw, "10.0.0.1")


async def test_a_failure_tells_the_log_when_a_wait_begins_with_it(store: KeyStore, clock: ManualClock) -> None:
    await store.create("a", "x", READ)
    checker = authenticator(store, clock, failures=3)
    waits = [(await refused(checker, f"Bearer mxgw_a_{SECRET}")).waits for _ in range(4)]
    assert waits == [0.0, 0.0, 5.0, 0.0]


async def test_a_remembered_key_opens_nothing_for_another_secret(store: KeyStore, clock: ManualClock) -> None:
    old = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {old}", "h")
    assert (await refused(checker, f"Bearer mxgw_a_{SECRET}")).kind == "SecretMismatch"
    new = await store.rotate("a")
    await checker.authenticate(f"Bearer {new}", "h")
    assert (await refused(checker, f"Bearer {old}")).kind == "SecretMismatch"


async def test_success_forgets_earlier_failures(store: KeyStore, clock: ManualClock) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock, failures=2)
    for _ in range(5):
        await refused(checker, f"Bearer mxgw_a_{SECRET}")
        await checker.authenticate(raw, "10.0.0.1")


async def test_who_fails_too_often_with_a_key_waits_even_with_the_right_one_and_others_do_not(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock, failures=2)
    for _ in range(2):
        await refused(checker, f"Bearer mxgw_a_{SECRET}")
    assert (await refused(checker, raw)).kind == "Throttled"
    await checker.authenticate(raw, "10.0.0.2")
    await checker.authenticate(f"Bearer {await store.create('b', 'x', READ)}", "10.0.0.1")
    clock.advance(5.1)
    await checker.authenticate(raw, "10.0.0.1")


async def test_the_last_use_is_collected_and_stored(store: KeyStore, clock: ManualClock) -> None:
    raw = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {raw}", "h")
    await store.mark_used(checker.take_used())
    record = await store.get("a")
    assert record is not None
    assert record.last_used_ns == clock.unix_ns()
    assert checker.take_used() == {}


async def test_uses_that_could_not_be_stored_are_stored_later(store: KeyStore, clock: ManualClock) -> None:
    raw = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {raw}", "h")
    used = checker.take_used()
    clock.advance(1)
    await checker.authenticate(f"Bearer {raw}", "h")
    later = clock.unix_ns()
    checker.put_back_used({**used, "b": 5})
    assert checker.take_used() == {"a": later, "b": 5}
